"""Files ranked by the ratios of the same rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.results.comparison import compare
from edgevit.results.measurement import Interval, RoundLatency

A, B, C = Path("a.onnx"), Path("b.onnx"), Path("c.tflite")


def latency(*bursts_ms: float, batch: int = 1, unstable: str = "") -> RoundLatency:
    return RoundLatency(
        bursts_ms[0], Interval(min(bursts_ms), max(bursts_ms)), bursts_ms, unstable=unstable, batch=batch
    )


def test_the_fastest_comes_first_and_the_first_file_is_what_others_are_compared_with() -> None:
    found = compare([(A, latency(10.0, 10.0, 10.0)), (B, latency(5.0, 5.0, 5.0)), (C, latency(20.0, 20.0, 20.0))], 1)
    assert [(file.artifact, file.speed_up, file.tied) for file in found.files] == [
        (B, 2.0, True),
        (A, 1.0, False),
        (C, 0.5, False),
    ]


def test_rounds_decide_and_not_two_medians() -> None:
    """The second file is slower by its median, and faster in most rounds."""
    found = compare([(A, latency(10.0, 12.0, 14.0)), (B, latency(9.0, 11.0, 18.0))], 1)
    assert [file.artifact for file in found.files] == [B, A]


def test_files_that_win_in_turn_are_tied() -> None:
    found = compare([(A, latency(10.0, 11.0, 10.0)), (B, latency(11.0, 10.0, 10.0))], 1)
    assert [file.tied for file in found.files] == [True, True]


def test_one_file_under_two_names_is_two_files() -> None:
    found = compare([(A, latency(10.0, 10.0)), (A, latency(10.0, 10.0))], 1)
    assert [(file.speed_up, file.tied) for file in found.files] == [(1.0, True), (1.0, True)]


def test_files_of_different_batches_are_compared_by_the_image() -> None:
    found = compare([(A, latency(10.0, 10.0)), (B, latency(40.0, 40.0, batch=8))], 1)
    assert found.files[0].artifact == B
    assert found.files[0].speed_up == pytest.approx(2.0)
    assert found.files[0].latency.images_per_second == pytest.approx(200.0)


def test_unstable_files_are_known() -> None:
    found = compare([(A, latency(10.0)), (B, latency(5.0, unstable="steal time 12 % in 4 of 6 bursts"))], 1)
    assert [file.artifact for file in found.unstable] == [B]
