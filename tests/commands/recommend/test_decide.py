"""What decides, in which order, and what contradicts what."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.commands.recommend.decide import decide
from edgevit.commands.recommend.own_runs import OwnRun
from edgevit.results.family import Family
from edgevit.results.measurement import Interval
from edgevit.results.recommendation import OfferedNetwork, Situation
from tests.commands.recommend.offered import make_offered

DEVICE = {"device": "raspberry-pi-5", "device_kind": "single-board computer"}
EVEN = (
    make_offered("cnn", "cnn", 0.800, 10, 5),
    make_offered("hybrid", "hybrid", 0.805, 10, 5),
    make_offered("vit", "vit", 0.795, 10, 5),
)
"""Families that are as good within the scatter of recipes."""


def decided(offered: tuple[OfferedNetwork, ...] = EVEN, runs: tuple[OwnRun, ...] = (), **known: Any) -> Any:
    return decide(Situation(**known), offered, runs)


def own(family: Family | None, top1: float, ms: float | None = 5.0, images: str = "500 images of val") -> OwnRun:
    return OwnRun(
        f"runs/{family}", f"a {family}", family, images, top1, Interval(top1 - 0.01, top1 + 0.01), ms, "measured here"
    )


@pytest.mark.parametrize(
    ("images", "pretraining", "family"),
    [
        (500, "none", "cnn"),
        (500, "imagenet-1k", "cnn"),
        (5_000, "larger", "cnn"),
        (40_000, "none", "cnn"),
        (40_000, "imagenet-1k", "cnn"),
        (75_000, "none", "cnn"),
        (500_000, "none", "cnn"),
        (2_000_000, "none", "cnn"),
        (12_000_000, "imagenet-1k", "vit"),
        (95_000_000, "none", "vit"),
        (400_000_000, "none", "vit"),
    ],
)
def test_data_size_alone(images: int, pretraining: str, family: str) -> None:
    assert decided(images=images, pretraining=pretraining).family == family


def test_a_vit_from_scratch_is_ruled_out_with_few_images() -> None:
    found = decided(images=5_000, pretraining="none")
    reason = found.reasons[0]
    assert reason.strength == "excludes" and reason.families == ("vit",)
    assert "hopeless with 5,000 images" in reason.text
    assert found.offers["vit"] == ()
    assert decided(images=5_000, pretraining="imagenet-1k").offers["vit"], "but not from pretrained weights"


@pytest.mark.parametrize(
    ("known", "family"),
    [
        ({"task": "dense"}, "vit"),
        ({"shift": True}, "vit"),
        ({"explanations": True}, "cnn"),
        ({"resolution": (2160, 3840)}, "cnn"),
    ],
)
def test_other_considerations_alone(known: dict[str, Any], family: str) -> None:
    assert decided(**known).family == family


def test_published_accuracy_within_the_budget_decides_where_one_family_leads_clearly() -> None:
    offered = (
        make_offered("cnn", "cnn", 0.75, 9),
        make_offered("slow", "cnn", 0.85, 90),
        make_offered("hybrid", "hybrid", 0.78, 9),
    )
    found = decided(offered, images=5_000, max_latency_ms=10.0, **DEVICE)
    assert found.family == "hybrid"
    assert "within the latency budget" in found.decided_by
    assert [network.name for network in found.offers["cnn"]] == ["cnn"]
    assert decided(offered, images=5_000, max_latency_ms=100.0, **DEVICE).family == "cnn"


def test_accuracy_that_was_published_for_much_data_decides_nothing_from_scratch() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, 9), make_offered("hybrid", "hybrid", 0.78, 9))
    found = decided(offered, images=5_000, pretraining="none", max_latency_ms=10.0, **DEVICE)
    assert found.family == "cnn"


def test_within_a_point_nothing_is_decided_by_accuracy() -> None:
    found = decided(images=5_000, max_latency_ms=10.0, **DEVICE)
    assert found.family == "cnn"
    assert found.decided_by == "what was measured in publications: CNN 1"


def test_the_rule_of_10_ms_is_contradicted_by_predictions_and_both_are_named() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, 9), make_offered("hybrid", "hybrid", 0.80, 9))
    found = decided(offered, max_latency_ms=10.0, **DEVICE)
    assert found.family == "hybrid"
    (contradiction,) = [each for each in found.contradictions if each.topic == "latency"]
    sides = {side.families: [found.reasons[number - 1].text for number in side.reasons] for side in contradiction.sides}
    assert any("best hybrid is hybrid" in text for text in sides[("hybrid",)])
    assert any("below 10 ms at the edge" in text for text in sides[("cnn",)])
    assert contradiction.resolved == "what was measured or is predicted comes before a rule of thumb"


def test_all_families_are_held_to_the_budget_in_the_same_arithmetic() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, 9, 4), make_offered("hybrid", "hybrid", 0.80, 20, 9))
    found = decided(offered, max_latency_ms=10.0, **DEVICE)
    assert found.family == "cnn" and found.offers["hybrid"] == ()
    (reason,) = [each for each in found.reasons if each.families == ("hybrid",) and each.strength == "excludes"]
    assert "no hybrid is fast enough" in reason.text and "9.00 ms in int8" in reason.text
    both = decided(offered, max_latency_ms=9.5 / 1.2, **DEVICE)
    assert both.family == "cnn", "in int8 only the CNN is in time"


def test_int8_counts_where_no_family_is_fast_enough_in_floats() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, 30, 4), make_offered("hybrid", "hybrid", 0.80, 20, 9))
    assert decided(offered, max_latency_ms=10.0, **DEVICE).family == "hybrid"


def test_no_family_may_be_possible() -> None:
    found = decided(max_latency_ms=1.0, **DEVICE)
    assert found.family is None
    assert found.decided_by == "no family is possible"
    assert {reason.families for reason in found.reasons if reason.strength == "excludes"} >= {("cnn",), ("hybrid",)}


def test_memory_rules_out_what_does_not_fit() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, megabytes=4), make_offered("vit", "vit", 0.80, megabytes=20))
    found = decided(offered, memory_bytes=8e6)
    assert found.family == "cnn"
    assert any("the weights of vit are 20.0 MB" in reason.text for reason in found.reasons)


def test_what_is_in_memory_and_what_is_in_time_has_to_be_one_network() -> None:
    offered = (
        make_offered("cnn", "cnn", 0.75, 9, megabytes=4),
        make_offered("fast", "vit", 0.80, 5, megabytes=20),
        make_offered("small", "vit", 0.80, 50, megabytes=4),
    )
    found = decided(offered, memory_bytes=8e6, max_latency_ms=10.0, **DEVICE)
    assert found.family == "cnn"
    (reason,) = [each for each in found.reasons if each.strength == "excludes" and each.families == ("vit",)]
    assert "no ViT is fast enough: small is predicted at 50.0 ms" in reason.text


def test_a_device_that_runs_only_cnns_decides() -> None:
    offered = (make_offered("cnn", "cnn", 0.75, 9), make_offered("vit", "vit", 0.80))
    found = decided(offered, images=20_000_000, device="coral-edge-tpu", device_kind="accelerator")
    assert (found.family, found.decided_by) == ("cnn", "no other family is possible")


def test_own_runs_on_the_same_images_decide_before_anything_published() -> None:
    runs = (own("cnn", 0.90), own("vit", 0.95))
    found = decided(runs=runs, images=500)
    assert (found.family, found.decided_by) == ("vit", "your own runs, on your images")
    assert sum(reason.basis == "your run" for reason in found.reasons) == 3


@pytest.mark.parametrize(
    "runs",
    [
        (own("cnn", 0.900), own("vit", 0.915)),  # intervals overlap, and both take as long
        (own("vit", 0.95),),  # nothing beside it
        (own("cnn", 0.90), own("vit", 0.95, images="80 others")),  # other images
        (own(None, 0.90), own("vit", 0.95)),  # of an unknown family
    ],
)
def test_own_runs_do_not_decide_where_they_do_not_tell(runs: tuple[OwnRun, ...]) -> None:
    found = decided(runs=runs, images=500)
    assert found.family == "cnn"
    assert "your own runs" not in found.decided_by


def test_own_runs_that_are_too_slow_do_not_decide_for_their_family() -> None:
    runs = (own("cnn", 0.90, ms=5.0), own("vit", 0.95, ms=50.0))
    assert decided(runs=runs, max_latency_ms=20.0, **DEVICE).family == "cnn"


@pytest.mark.parametrize(
    ("known", "topics"),
    [
        ({"images": 500}, {"data size"}),
        ({"images": 2_000_000, "pretraining": "none"}, {"data size"}),
        ({"images": 12_000_000, "pretraining": "none"}, {"data size"}),
        ({"task": "dense"}, {"task"}),
        ({"device_kind": "phone", "device": "apple-a15"}, {"device"}),
        ({"resolution": (2160, 3840), "fine_detail": True}, {"resolution"}),
        ({"shift": True}, {"shift"}),
        ({"explanations": True}, {"explanations"}),
        ({"images": 20_000}, set()),
    ],
)
def test_contradictions_among_the_rules_are_named(known: dict[str, Any], topics: set[str]) -> None:
    found = decided(**known)
    assert {each.topic for each in found.contradictions} == topics
    for contradiction in found.contradictions:
        told = [number for side in contradiction.sides for number in side.reasons]
        assert len(set(told)) == len(told) >= 2
        assert all(found.reasons[number - 1].topic == contradiction.topic for number in told)
        assert contradiction.resolved
