"""The published rules, each as a test, and in which situations they hold."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from edgevit.commands.recommend.published import COMPARISONS, RULES, When, image_thresholds, published_reasons
from edgevit.results.recommendation import Situation


def held(**known: Any) -> dict[str, tuple[str, ...]]:
    """Names of what holds, with the families that it speaks for."""
    situation = Situation(**known)
    return {each.name: each.families for each in (*COMPARISONS, *RULES) if each.when.holds(situation)}


@pytest.mark.parametrize(
    ("images", "pretraining", "expected", "absent"),
    [
        (999, "imagenet-1k", {"under-1k-frozen": ("vit",), "under-1k-cnn": ("cnn",), "under-10k": ("cnn",), "low-data-fine-tuning": ("cnn",)}, "under-50k-from-scratch"),
        (999, "none", {"under-1k-cnn": ("cnn",), "under-50k-from-scratch": (), "small-from-scratch": ("cnn", "hybrid")}, "under-1k-frozen"),
        (49_999, "none", {"under-50k-from-scratch": (), "under-100k-from-scratch": ("cnn",)}, "under-10k"),
        (50_000, "none", {"medium-from-scratch": ("cnn", "hybrid"), "under-100k-from-scratch": ("cnn",)}, "under-50k-from-scratch"),
        (50_000, "imagenet-1k", {"under-100k-pretrained": ("cnn", "vit")}, "under-100k-from-scratch"),
        (100_000, "none", {"from-100k": ("cnn", "vit"), "under-1m-from-scratch": ("cnn",)}, "under-100k-from-scratch"),
        (1_000_000, "none", {"from-1m": ("cnn", "vit"), "under-100m-from-scratch": ("cnn",)}, "under-1m-from-scratch"),
        (2_000_000, "none", {"deit": ("vit", "hybrid"), "jft-subsets": ("cnn",), "clip-crossover": ("cnn",)}, "from-10m"),
        (10_000_000, "none", {"from-10m": ("vit",), "jft-subsets": ("cnn",), "under-100m-from-scratch": ("cnn",)}, "deit"),
        (20_000_000, "none", {"from-10m": ("vit",), "scale-trumps-bias": ("vit",)}, "clip-crossover"),
        (300_000_000, "none", {"convnets-match": ("cnn", "vit"), "scale-trumps-bias": ("vit",)}, "jft-subsets"),
    ],
)  # fmt: skip
def test_rules_by_data_size(images: int, pretraining: str, expected: dict[str, tuple[str, ...]], absent: str) -> None:
    found = held(images=images, pretraining=pretraining)
    assert {name: found.get(name) for name in expected} == expected
    assert absent not in found


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"max_latency_ms": 10.0, "device": "rk3588"}, {"under-10-ms": ("cnn",)}),
        ({"task": "dense"}, {"dense-swin": ("vit",), "dense-resnet": ("cnn",), "swin-detection": ("vit",), "efficientformer-dense": ("hybrid",)}),
        ({"device_kind": "phone"}, {"mobile-cnn": ("cnn",), "mobile-hybrid": ("hybrid",), "hybrids-on-phones": ("hybrid",), "cnns-on-phones": ("cnn",)}),
        ({"resolution": (2160, 3840)}, {"4k-cnn": ("cnn",), "4k-windows": ("hybrid", "cnn")}),
        ({"resolution": (2160, 3840), "fine_detail": True}, {"4k-cnn": ("cnn",), "4k-fine-detail": ("vit",)}),
        ({"shift": True}, {"fair-robustness": ("vit",), "robust-cnns": ("cnn",), "occlusion": ("vit",), "robustness-vit": ("vit",)}),
        ({"explanations": True}, {"interpretability-vit": ("vit",), "interpretability-cnn": ("cnn",), "attention-not-of-the-class": ("cnn",)}),
    ],
)  # fmt: skip
def test_other_rules(known: dict[str, Any], expected: dict[str, tuple[str, ...]]) -> None:
    found = held(**known)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("known", "absent"),
    [
        ({"max_latency_ms": 10.1, "device": "rk3588"}, "under-10-ms"),
        ({}, "under-10-ms"),
        ({"resolution": (1080, 1920)}, "4k-cnn"),
        ({"resolution": (2160, 3840)}, "4k-fine-detail"),
        ({"device_kind": "gpu module"}, "mobile-cnn"),
        ({}, "fair-robustness"),
        ({}, "dense-swin"),
        ({}, "under-1k-cnn"),
    ],
)
def test_rules_do_not_hold_elsewhere(known: dict[str, Any], absent: str) -> None:
    assert absent not in held(**known)


def test_ranges_end_before_their_upper_bound() -> None:
    when = When(images_from=10, images_below=20)
    assert [when.holds(Situation(images=images)) for images in (9, 10, 19, 20, None)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_every_statement_has_a_name_of_its_own_and_a_source() -> None:
    every = (*COMPARISONS, *RULES)
    assert len({each.name for each in every}) == len(every)
    assert all(each.text and each.source for each in every)
    assert {each.strength for each in COMPARISONS} == {"measured"}
    assert {each.strength for each in RULES} == {"rule"}


def test_thresholds_are_those_of_the_statements() -> None:
    found = image_thresholds()
    assert {1_000, 10_000, 50_000, 100_000, 1_000_000, 10_000_000} <= set(found)
    assert all(one < other for one, other in itertools.pairwise(found))
    for threshold in found[:-1]:
        for pretraining in ("none", "imagenet-1k"):
            below, above = (held(images=threshold + step, pretraining=pretraining) for step in (-1, 0))
            if below != above:
                break
        else:
            raise AssertionError(f"nothing changes at {threshold}")


def test_reasons_say_what_was_measured_first() -> None:
    strengths = [reason.strength for reason in published_reasons(Situation(images=500, shift=True))]
    assert strengths == sorted(strengths)
    assert {"measured", "rule"} == set(strengths)
