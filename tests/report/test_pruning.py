"""Whether the report says that pruning was worth it, or was not."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.pruning import pruning_of_run, pruning_of_search
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Candidate
from edgevit.results.search import SearchPoint
from tests.factories import make_candidate, make_run, make_search, make_search_point


def _made(variant: str, top1: float, p50_ms: float, *passes: tuple[str, str], backend: str = "litert") -> Candidate:
    records = tuple(PassRecord(name, settings, 2, 1) for name, settings in passes)
    return replace(make_candidate(f"{backend}/fp32/{variant}", top1=top1, p50_ms=p50_ms), passes=records)


PRUNED = _made("mlp-0.25-full", 0.82, 9.0, ("prune", "mlp=0.25"), ("finetune", "full"))
SMALLER = _made("resolution-26", 0.821, 8.9, ("resize", "resolution:26"))


def test_a_smaller_image_without_training_that_is_as_fast_and_loses_less_is_named() -> None:
    slow = _made("resolution-28", 0.827, 9.1, ("resize", "resolution:28"))
    (line,) = pruning_of_run(make_run(make_candidate(), PRUNED, SMALLER, slow))
    assert "does not beat resolution:26 fp32 (change -0.60, 8.90 ms), which needs no training" in line
    assert "mlp=0.25 tuned full fp32 (change -0.70, 9.00 ms)" in line


def test_pruning_that_loses_less_is_told() -> None:
    worse = replace(SMALLER, accuracy=_made("x", 0.81, 9.0).accuracy)
    (line,) = pruning_of_run(make_run(PRUNED, worse))
    assert "beats the best plan without training that is as fast, resolution:26" in line


def test_what_was_trained_or_is_slower_or_of_another_runtime_is_no_rival() -> None:
    tuned = replace(SMALLER, passes=(*SMALLER.passes, PassRecord("finetune", "quick", 2, 2)))
    slower = _made("resolution-28", 0.827, 9.1, ("resize", "resolution:28"))
    elsewhere = _made("resolution-26", 0.827, 5.0, ("resize", "resolution:26"), backend="openvino")
    (line,) = pruning_of_run(make_run(PRUNED, tuned, slower, elsewhere))
    assert "no plan without training is as fast" in line


def test_nothing_is_said_where_nothing_was_pruned_or_all_of_it_rejected() -> None:
    assert pruning_of_run(make_run(make_candidate(), SMALLER)) == ()
    assert pruning_of_run(make_run(replace(PRUNED, status="rejected"), SMALLER)) == ()


def test_a_search_says_the_same_of_its_points_within_the_drop_allowed() -> None:
    def point(drop: float, ms: float, **settings: str) -> SearchPoint:
        made = make_search_point(drop=drop, ms=ms)
        return replace(made, settings=replace(made.settings, **settings))

    found = make_search(point(0.8, 5.0, prune="mlp=0.25"), point(0.5, 4.0, tokens="resolution:26"), point(9.0, 1.0))
    (line,) = pruning_of_search(found, found.models[0].name)
    assert "does not beat" in line and "resolution" in line
    beyond = make_search(point(9.0, 5.0, prune="mlp=0.25"))
    assert pruning_of_search(beyond, beyond.models[0].name) == ()
