"""A finished candidate in one line: accuracy, latency, size, or why it cannot be used."""

from __future__ import annotations

from dataclasses import replace

from edgevit.pipeline.candidate_line import candidate_line
from edgevit.results.candidate import Accuracy
from tests.factories import make_candidate


def test_what_it_reached() -> None:
    candidate = make_candidate("litert/dynamic_wi8_afp32/dense", p50_ms=11.5, top1=0.817, speed_up=2.234)
    assert candidate_line(candidate) == (
        "litert/dynamic_wi8_afp32/dense: top-1 81.7 % (-1.0 pt), first measured 11.5 ms, 2.23 × the float parent's speed, 6.0 MB"
    )


def test_why_it_is_rejected_follows_what_it_reached() -> None:
    candidate = make_candidate("litert/fp32/dense", p50_ms=None, status="rejected", reasons=("too large", "too slow"))
    assert candidate_line(candidate).endswith("22.9 MB; rejected: too large; too slow")


def test_what_failed_has_nothing_but_the_reason() -> None:
    failed = make_candidate("litert/fp32/dense", p50_ms=None, status="failed", reasons=("export: killed",))
    assert candidate_line(replace(failed, artifact=None, accuracy=None)) == "litert/fp32/dense: failed: export: killed"


def test_without_labels_agreement_stands_for_accuracy() -> None:
    candidate = replace(
        make_candidate("litert/fp32/dense", p50_ms=3.0), accuracy=Accuracy(None, None, 16, None, 0.9375)
    )
    assert candidate_line(candidate) == "litert/fp32/dense: agreement 93.8 %, first measured 3.00 ms, 22.9 MB"


def test_what_was_only_made_says_its_size() -> None:
    candidate = replace(make_candidate("litert/fp32/dense", p50_ms=None), accuracy=None)
    assert candidate_line(candidate) == "litert/fp32/dense: 22.9 MB"
