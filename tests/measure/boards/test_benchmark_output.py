"""Transcripts of benchmark_model, of several versions and delegates."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.measure.boards.benchmark_output import Replaced, RunStats, parse_benchmark

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "benchmark_model"
MIB = 1024 * 1024


def transcript(name: str) -> str:
    return (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")


def test_older_versions_tell_no_percentiles() -> None:
    found = parse_benchmark(transcript("tf24_cpu"))
    assert found.stats == RunStats(runs=50, min_ms=247.067, mean_ms=249.684, median_ms=None)
    assert (found.init_ms, found.first_run_ms) == (16.242, 360.262)
    assert found.growth_bytes == round(138.809 * MIB)
    assert (found.peak_bytes, found.partitions, found.replaced, found.version) == (None, {}, (), "")


def test_newer_versions_tell_the_median() -> None:
    found = parse_benchmark(transcript("tf220_xnnpack_partial"))
    assert found.stats == RunStats(runs=50, min_ms=898.007, mean_ms=899.641, median_ms=899.281)
    assert found.warmup_runs == 1
    assert found.partitions == {"XNNPACK": 1}


def test_nnapi_that_took_all() -> None:
    found = parse_benchmark(transcript("tf215_nnapi_full"))
    assert found.version == "2.15.0"
    assert found.stats is not None
    assert (found.stats.runs, found.stats.mean_ms) == (520, pytest.approx(1.88574))
    assert found.partitions == {"NNAPI": 1}
    assert found.replaced == (Replaced("TfLiteNnapiDelegate", 31, 31),)
    assert found.accelerators == ("synap-npu", "nnapi-reference")
    assert found.first_run_ms == 637.079


def test_vendor_delegate() -> None:
    found = parse_benchmark(transcript("tf215_external_full"))
    assert found.partitions == {"EXTERNAL": 1}
    assert found.replaced == (Replaced("Vx Delegate", 31, 31),)
    assert found.warmup_runs == 277


def test_two_delegates_of_which_one_took_nothing() -> None:
    found = parse_benchmark(transcript("gpu_full_nnapi_none"))
    assert found.partitions == {"GPU": 1, "NNAPI": 0}
    assert found.stats is not None
    assert found.stats.median_ms == 307.968


def test_ops_left_to_the_processor_are_counted() -> None:
    assert parse_benchmark(transcript("gpu_partial")).replaced == (Replaced("TfLiteGpuDelegateV2", 97, 297),)


def test_profile_is_no_measurement() -> None:
    """Its own count line is not one of the timed runs."""
    assert parse_benchmark(transcript("tf24_op_profile")).stats is None


@pytest.mark.parametrize("name", ["tf24_nnapi_failed", "xnnpack_failed_prepare"])
def test_failed_runs_have_no_times(name: str) -> None:
    found = parse_benchmark(transcript(name))
    assert (found.stats, found.init_ms) == (None, None)


def test_peak_memory() -> None:
    found = parse_benchmark(transcript("peak_memory"))
    assert (found.peak_bytes, found.growth_bytes) == (round(25.0508 * MIB), round(20.543 * MIB))


def test_runs_that_all_took_the_same_time() -> None:
    text = "count=50(all same) curr=70\nInference timings in us: Init: 1, First inference: 2, Warmup (avg): 3, Inference (avg): 70"
    assert parse_benchmark(text).stats == RunStats(50, 0.07, 0.07, None)
