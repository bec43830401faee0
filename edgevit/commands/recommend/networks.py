"""The published networks that are offered: their families, their published top-1, and their features at any input size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from edgevit.devices.features import FEATURES
from edgevit.devices.graph_table import by_name, read_graphs
from edgevit.model.published import PublishedTop1, read_published
from edgevit.results.family import Family
from edgevit.results.recommendation import Pretraining

Attention = Literal["none", "all", "part"]
"""Between what attention is: nowhere, all places of a feature map, or a part of them (windows) or linear in their number."""


@dataclass(frozen=True)
class Architecture:
    """What networks have in common whose names begin alike."""

    prefix: str
    family: Family
    attention: Attention = "none"
    pyramid: bool = True
    """Whether it has feature maps of several sizes, as heads for detection and segmentation take them."""
    any_size: bool = True
    """Whether it takes another input size without training."""
    ops: tuple[str, ...] = ()
    """Ops beyond convolutions, additions, pooling and ReLU that not every unit has, by TFLite's names."""


ARCHITECTURES = (
    Architecture("mobilenetv2_", "cnn"),
    Architecture("mobilenetv3_", "cnn", ops=("HARD_SWISH",)),
    Architecture("mobilenetv4_conv_", "cnn"),
    Architecture("tf_efficientnet_lite", "cnn"),
    Architecture("efficientnet_b", "cnn", ops=("LOGISTIC", "MUL")),
    Architecture("resnet", "cnn"),
    Architecture("convnext_", "cnn", ops=("GELU",)),
    Architecture("repvit_", "cnn", ops=("GELU",)),
    Architecture("fastvit_t", "cnn", ops=("GELU",)),
    Architecture("fastvit_s1", "cnn", ops=("GELU",)),
    Architecture("fastvit_sa", "hybrid", "all", ops=("GELU", "BATCH_MATMUL")),
    Architecture("mobilenetv4_hybrid_", "hybrid", "all", ops=("BATCH_MATMUL",)),
    Architecture("mobilevit_", "hybrid", "all", ops=("LOGISTIC", "MUL", "BATCH_MATMUL")),
    Architecture("levit_", "hybrid", "all", pyramid=False, any_size=False, ops=("HARD_SWISH", "BATCH_MATMUL")),
    Architecture("efficientformer_", "hybrid", "all", any_size=False, ops=("GELU", "BATCH_MATMUL")),
    Architecture("efficientformerv2_", "hybrid", "all", any_size=False, ops=("GELU", "BATCH_MATMUL")),
    Architecture("swin_", "vit", "part", ops=("GELU", "BATCH_MATMUL")),
    Architecture("deit_", "vit", "all", pyramid=False, ops=("GELU", "BATCH_MATMUL")),
    Architecture("vit_", "vit", "all", pyramid=False, ops=("GELU", "BATCH_MATMUL")),
)
"""FastViT's T and S networks mix tokens by convolutions alone; its SA networks have attention in their last stage."""

_BUNDLED: Mapping[str, Family] = {"digits_vit": "vit", "digits_cnn": "cnn"}

_REPVIT = "github.com/THU-MIG/RepViT, README at 298f420"
_FASTVIT = "github.com/apple/ml-fastvit, README at 8af5928"
_MOBILENETV4 = "github.com/huggingface/pytorch-image-models, README of June 12, 2024"
OTHER_FIGURES = (
    PublishedTop1("repvit_m0_9.dist_450e_in1k", 0.791, 224, _REPVIT),
    PublishedTop1("repvit_m1_0.dist_450e_in1k", 0.803, 224, _REPVIT),
    PublishedTop1("repvit_m1_1.dist_450e_in1k", 0.812, 224, _REPVIT),
    PublishedTop1("repvit_m1_5.dist_450e_in1k", 0.825, 224, _REPVIT),
    PublishedTop1("repvit_m2_3.dist_450e_in1k", 0.837, 224, _REPVIT),
    PublishedTop1("fastvit_t8.apple_dist_in1k", 0.772, 256, _FASTVIT),
    PublishedTop1("fastvit_t12.apple_dist_in1k", 0.803, 256, _FASTVIT),
    PublishedTop1("fastvit_s12.apple_dist_in1k", 0.811, 256, _FASTVIT),
    PublishedTop1("fastvit_sa12.apple_dist_in1k", 0.819, 256, _FASTVIT),
    PublishedTop1("fastvit_sa24.apple_dist_in1k", 0.834, 256, _FASTVIT),
    PublishedTop1("fastvit_sa36.apple_dist_in1k", 0.842, 256, _FASTVIT),
    PublishedTop1("mobilenetv4_conv_small.e2400_r224_in1k", 0.73756, 224, _MOBILENETV4),
    PublishedTop1("mobilenetv4_conv_medium.e500_r256_in1k", 0.79928, 256, _MOBILENETV4),
    PublishedTop1("mobilenetv4_conv_large.e600_r384_in1k", 0.82952, 384, _MOBILENETV4),
    PublishedTop1("mobilenetv4_hybrid_medium.e500_r224_in1k", 0.81276, 256, _MOBILENETV4),
    PublishedTop1("mobilenetv4_hybrid_large.e600_r384_in1k", 0.838, 384, _MOBILENETV4),
)
"""Of networks that timm's table lacks, which ``published_top1.csv`` is from."""

_LARGER = ("in21k", "in22k", "in12k", "laion", "openai")
"""Parts of the tags of weights that saw more than ImageNet-1k."""


@dataclass(frozen=True)
class Network:
    """A published network with weights."""

    name: str
    architecture: Architecture
    published: PublishedTop1

    @property
    def family(self) -> Family:
        """Of its architecture."""
        return self.architecture.family

    def features(self, size: tuple[int, int] | None = None) -> dict[str, float]:
        """Returns the features of its graph for one image.

        Where no graph of that size is carried, those of the nearest one are scaled: work and moved values with the number of
        pixels, and what attention between all places computes with its square.

        Args:
            size: Height and width; those of its published top-1 when None.
        """
        wanted = size or (self.published.input_size, self.published.input_size)
        sizes = _carried()[self.name]
        nearest = min(sizes, key=lambda carried: abs(math.log(_pixels(wanted) / _pixels(carried))))
        known = by_name(sizes[nearest])
        return known if nearest == wanted else scaled(known, _pixels(wanted) / _pixels(nearest), self.architecture)

    def is_carried(self, size: tuple[int, int]) -> bool:
        """Returns whether its graph of that size is carried, and need not be scaled."""
        return size in _carried()[self.name]


def networks(pretraining: Pretraining) -> tuple[Network, ...]:
    """Returns the networks of which graph and top-1 are carried, each with its best weights.

    Args:
        pretraining: Weights at hand: with ``larger``, those that saw more than ImageNet-1k count too; with ``none``, the top-1
            of ImageNet-1k tells what a network can learn from 1.28 M images.
    """
    best: dict[str, PublishedTop1] = {}
    for each in (*read_published(), *OTHER_FIGURES):
        name, _, tag = each.weights.partition(".")
        if any(part in tag for part in _LARGER) and pretraining != "larger":
            continue
        if name in _carried() and (name not in best or each.top1 > best[name].top1):
            best[name] = each
    found = ((name, architecture_of(name)) for name in sorted(best))
    return tuple(Network(name, architecture, best[name]) for name, architecture in found if architecture is not None)


def architecture_of(name: str) -> Architecture | None:
    """Returns the architecture of a network by its name in timm, with or without a tag; None where it is not known."""
    return next((each for each in ARCHITECTURES if name.startswith(each.prefix)), None)


def family_of_name(name: str) -> Family | None:
    """Returns the family of a model by its name: bundled, or timm's; None where it is not known."""
    found = architecture_of(name)
    return _BUNDLED.get(name) or (found.family if found else None)


def scaled(features: Mapping[str, float], pixels: float, architecture: Architecture) -> dict[str, float]:
    """Returns the features of a graph for images with ``pixels`` times as many pixels.

    Weights, kernels and the classifier stay. Of attention between all places, the products and the softmax grow with the square
    of the number of places; each score is moved as often by the products as by the softmax, and the rest of what the products
    move grows with the number of places.
    """
    found = {
        name: value * pixels if name.startswith(("macs_", "moved_")) else value for name, value in features.items()
    }
    if architecture.attention == "all":
        scores = features["moved_softmax"]
        found["macs_attention"] *= pixels
        found["moved_softmax"] *= pixels
        found["moved_attention"] = max(0.0, features["moved_attention"] - scores) * pixels + scores * pixels**2
    return found


def macs(features: Mapping[str, float]) -> int:
    """Returns the multiply-accumulates of a graph; those of its classifier are as many as its weights."""
    counted = (name for name in FEATURES if name.startswith("macs_") and name != "macs_padded")
    return round(sum(features[name] for name in counted) + features["weights_classifier"])


def weights(features: Mapping[str, float]) -> int:
    """Returns the number of weights that a graph reads."""
    return round(sum(features[name] for name in ("weights_conv", "weights_linear", "weights_classifier")))


def _pixels(size: Sequence[int]) -> int:
    return size[0] * size[1]


@cache
def _carried() -> Mapping[str, Mapping[tuple[int, int], tuple[float, ...]]]:
    """The carried graphs by name and size; those of ncnn's own definitions are other networks."""
    found: dict[str, dict[tuple[int, int], tuple[float, ...]]] = {}
    for name, size, values in _graphs():
        found.setdefault(name, {})[size] = values
    return found


def _graphs() -> Iterator[tuple[str, tuple[int, int], tuple[float, ...]]]:
    for graph, values in read_graphs().items():
        name, _, size = graph.rpartition("@")
        height, _, width = size.partition("x")
        yield name, (int(height), int(width)), values
