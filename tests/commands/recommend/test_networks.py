"""The networks that are offered, and their features at other sizes than are carried."""

from __future__ import annotations

import math

import pytest

from edgevit.commands.recommend.networks import (
    ARCHITECTURES,
    OTHER_FIGURES,
    Network,
    architecture_of,
    family_of_name,
    macs,
    networks,
    scaled,
    weights,
)
from edgevit.devices.graph_table import by_name, read_graphs
from edgevit.model.published import PublishedTop1

GRAPHS = read_graphs()


def network(name: str, size: int) -> Network:
    architecture = architecture_of(name)
    assert architecture is not None
    return Network(name, architecture, PublishedTop1(name, 0.7, size, "made up"))


def test_there_are_networks_of_each_family() -> None:
    families = [each.family for each in networks("imagenet-1k")]
    assert min(families.count(family) for family in ("cnn", "hybrid", "vit")) >= 5


def test_weights_of_larger_sets_are_offered_where_they_are_at_hand() -> None:
    few = {each.name: each.published for each in networks("imagenet-1k")}
    many = {each.name: each.published for each in networks("larger")}
    assert not any("in21k" in each.weights or "laion" in each.weights for each in few.values())
    assert many["vit_small_patch16_224"].weights == "vit_small_patch16_224.augreg_in21k_ft_in1k"
    assert many["vit_small_patch16_224"].top1 > few["vit_small_patch16_224"].top1
    assert all(many[name].top1 >= figure.top1 for name, figure in few.items())


@pytest.mark.parametrize("each", networks("larger"), ids=lambda each: each.name)
def test_families_are_those_of_the_graphs(each: Network) -> None:
    """A ViT has no convolution but its stem, a CNN no product of activations, a hybrid both."""
    features = each.features()
    attends = features["macs_attention"] > 0
    dense = (
        "macs_conv_kxk",
        "macs_conv_3x3",
        "macs_conv_1x1",
        "macs_grouped",
        "macs_depthwise_3",
        "macs_depthwise_large",
    )
    convolves = any(features[name] > 0 for name in dense)
    assert (attends, convolves) == {"cnn": (False, True), "hybrid": (True, True), "vit": (True, False)}[each.family]
    assert (each.architecture.attention == "none") == (not attends)


def test_every_architecture_offers_something() -> None:
    names = [each.name for each in networks("larger")]
    assert [each.prefix for each in ARCHITECTURES if not any(name.startswith(each.prefix) for name in names)] == []


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("digits_vit", "vit"),
        ("digits_cnn", "cnn"),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit"),
        ("fastvit_t8", "cnn"),
        ("fastvit_sa12", "hybrid"),
        ("efficientformerv2_s0", "hybrid"),
        ("mobilenetv3_small_100", "cnn"),
        ("my.package:make", None),
    ],
)
def test_families_by_name(name: str, family: str | None) -> None:
    assert family_of_name(name) == family


@pytest.mark.parametrize(
    ("name", "small", "large", "tolerance"),
    [("mobilenetv2_100", 128, 224, 0.02), ("resnet50", 224, 256, 0.02), ("mobilevit_s", 224, 256, 0.02)],
)
def test_scaled_features_are_near_those_of_the_real_graph(name: str, small: int, large: int, tolerance: float) -> None:
    architecture = architecture_of(name)
    assert architecture is not None
    found = scaled(by_name(GRAPHS[f"{name}@{small}x{small}"]), (large / small) ** 2, architecture)
    real = by_name(GRAPHS[f"{name}@{large}x{large}"])
    for feature in ("macs_conv_1x1", "macs_attention", "moved_softmax", "moved_attention", "moved_dense"):
        assert found[feature] == pytest.approx(real[feature], rel=tolerance, abs=1), feature
    assert macs(found) == pytest.approx(macs(real), rel=tolerance)
    assert weights(found) == weights(real)


def test_attention_grows_with_the_square_of_the_pixels() -> None:
    plain, windows, conv = (
        network(name, 224) for name in ("deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "resnet18")
    )
    for each, growth in ((plain, 16), (windows, 4)):
        at_224, at_448 = each.features(), each.features((448, 448))
        assert at_448["macs_attention"] == pytest.approx(growth * at_224["macs_attention"])
        assert at_448["macs_linear"] == pytest.approx(4 * at_224["macs_linear"])
        assert at_448["weights_linear"] == at_224["weights_linear"]
    assert macs(conv.features((448, 448))) == pytest.approx(4 * macs(conv.features()), rel=0.01)


def test_macs_and_weights_are_those_that_are_published() -> None:
    """ResNet-50: 4.1 GMACs and 25.6 M parameters; DeiT-Tiny: 1.3 GMACs and 5.7 M."""
    resnet, deit = network("resnet50", 224).features(), network("deit_tiny_patch16_224", 224).features()
    assert macs(resnet) == pytest.approx(4.1e9, rel=0.02)
    assert weights(resnet) == pytest.approx(25.5e6, rel=0.02)
    assert macs(deit) == pytest.approx(1.25e9, rel=0.02)
    assert weights(deit) == pytest.approx(5.6e6, rel=0.03)


def test_other_figures_are_of_weights_that_timm_has() -> None:
    pytest.importorskip("torch")
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    timm = pytest.importorskip("timm")
    assert {each.weights for each in OTHER_FIGURES} <= set(timm.list_models(pretrained=True))
    assert all(each.source and not math.isnan(each.top1) for each in OTHER_FIGURES)
