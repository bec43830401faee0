"""Accuracy in full: intervals, calibration error, and the classes that changed."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.accuracy import accuracy_section
from edgevit.report.details import details
from edgevit.results.candidate import ChangedClass
from edgevit.results.measurement import Interval
from edgevit.results.run import Run
from tests.factories import make_realistic_run, make_run, make_timed_run


def a_run(changed: tuple[ChangedClass, ...] | None = None) -> Run:
    run = make_timed_run()
    baseline = replace(run.baseline, top1_interval=Interval(0.8, 0.851), ece=0.0123, top1_file="top1/original.csv")
    if changed is not None:
        (accuracy,) = (c.accuracy for c in run.candidates if c.id == run.selected)
        assert accuracy is not None
        new = replace(accuracy, changed_classes=changed)
        run = replace(
            run, candidates=tuple(replace(c, accuracy=new) if c.id == run.selected else c for c in run.candidates)
        )
    return replace(run, baseline=baseline)


def test_each_candidate_beside_the_original() -> None:
    section = accuracy_section(a_run())
    assert "| original, PyTorch | 82.7 % | 80.0 to 85.1 % | 96.0 % | – | – | 0.012 | – |" in section
    assert (
        "| openvino/static_wi8_ai8 | 82.2 % | 79.5 to 84.6 % | 96.0 % | -0.5 pt | -1.4 to +0.4 pt | 0.031 | 97.0 % |"
        in section
    )
    assert section in details(a_run())


def test_the_classes_that_changed_are_counted_in_images() -> None:
    assert "| openvino/static_wi8_ai8 | 7: 4 → 2 of 4 |" in accuracy_section(a_run())
    assert "Classes that changed" not in accuracy_section(a_run(()))
    many = tuple(ChangedClass(n, 10, 0.7, 0.3) for n in range(7))
    assert "4: 7 → 3 of 10 … |" in accuracy_section(a_run(many))


def test_the_files_with_each_answer_are_named() -> None:
    assert "is in `top1/original.csv`, `top1/openvino/static_wi8_ai8.csv`." in accuracy_section(a_run())
    assert "The answer to each image" not in accuracy_section(make_run())


def test_without_labels_there_is_no_section() -> None:
    assert accuracy_section(make_realistic_run(labels=False)) == ""
