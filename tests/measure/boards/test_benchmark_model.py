"""The command line of benchmark_model, and rounds of it on a fake phone."""

from __future__ import annotations

from statistics import median

import pytest

from edgevit.errors import CandidateFailed
from edgevit.measure.boards.adb import Adb
from edgevit.measure.boards.benchmark_model import (
    PhoneJob,
    PhonePrecision,
    command,
    measure_rounds_on_phone,
    measurement_of,
    precision_of,
    run_once,
)
from edgevit.measure.boards.delegation import parse_delegate
from edgevit.measure.boards.phone import FOLDER, use_phone
from edgevit.results.document import from_json, to_json
from edgevit.results.measurement import Measurement
from tests.measure.boards.phones import SERIAL, FakePhone

PROGRAM = f"{FOLDER}/{'0' * 64}-benchmark_model"


def make_job(delegate: str = "cpu", precision: PhonePrecision = "fastest") -> PhoneJob:
    return PhoneJob(PROGRAM, "sha256 000000000000", 4, parse_delegate(delegate), precision, 50, 2.0, 30.0)


def test_command_line() -> None:
    words = command(make_job(), "/data/m.tflite", 9)
    assert words == (
        PROGRAM, "--graph=/data/m.tflite", "--num_threads=4", "--use_xnnpack=true", "--num_runs=6", "--min_secs=0.5",
        "--max_secs=30", "--warmup_runs=1", "--warmup_min_secs=0.5",
    )  # fmt: skip
    assert command(make_job(), "m", 9, watch_memory=True)[-1] == "--report_peak_memory_footprint=true"


@pytest.mark.parametrize(
    ("delegate", "precision", "flags", "computed_in"),
    [
        ("gpu", "fastest", ("--use_gpu=true", "--gpu_precision_loss_allowed=true"), "f16"),
        ("gpu", "f32", ("--use_gpu=true", "--gpu_precision_loss_allowed=false"), "f32"),
        ("nnapi", "f32", ("--use_nnapi=true", "--disable_nnapi_cpu=true", "--nnapi_allow_fp16=false"), "f32"),
        ("cpu", "fastest", ("--use_xnnpack=true",), "f32"),
        (
            "vendor:/vendor/lib64/libQnn.so?backend_type:htp",
            "fastest",
            ("--external_delegate_path=/vendor/lib64/libQnn.so", "--external_delegate_options=backend_type:htp"),
            "as the vendor's delegate chooses",
        ),
    ],
)
def test_delegate_flags(delegate: str, precision: PhonePrecision, flags: tuple[str, ...], computed_in: str) -> None:
    job = make_job(delegate, precision)
    assert command(job, "m", 9)[3 : 3 + len(flags)] == flags
    assert precision_of(job) == computed_in


def test_one_file(phone: FakePhone) -> None:
    phone.runs(
        f"n=$(wc -l < {phone.folder}/arguments.txt); m=$((1000 + n * 10))\n"
        "echo 'INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.'\n"
        'echo "INFO: count=9 first=2000 curr=1 min=900 max=3000 avg=1500 std=1 p5=1 median=1400 p95=2"\n'
        'echo "INFO: count=50 first=1 curr=1 min=$((m - 50)) max=3000 avg=1600 std=1 p5=1 median=$m p95=2000"\n'
        'echo "INFO: Inference timings in us: Init: 5000, First inference: 2000, Warmup (avg): 1500, Inference (avg): 1600"\n'
        'echo "INFO: Memory footprint delta from the start of the tool (MB): init=10 overall=20"\n'
        'case "$*" in *report_peak*) echo "INFO: Overall peak memory footprint (MB) via periodic monitoring: 30";; esac'
    )
    with use_phone(Adb(SERIAL)) as opened:
        job = make_job()
        rounds = measure_rounds_on_phone(opened, job, {"m.tflite": f"{FOLDER}/m.tflite"})["m.tflite"]
        memory = run_once(opened, job, f"{FOLDER}/m.tflite", 9, watch_memory=True)
        found = measurement_of(opened, job, rounds, memory)
    values = [1.0 + 0.01 * place for place in range(1, 10)]
    assert rounds.latency.bursts_ms == pytest.approx(values)
    assert found.latency_ms.p50 == pytest.approx(median(values))
    assert found.latency_ms.min == pytest.approx(values[0] - 0.05)
    assert (found.latency_ms.p90, found.latency_ms.p99, found.samples_ms) == (None, None, ())
    assert (found.load_ms, found.first_run_ms) == (5.0, 2.0)
    assert (found.peak_rss_bytes, found.rss_delta_bytes) == (30 * 2**20, 20 * 2**20)
    assert found.rounds == rounds.latency
    assert found.rounds.interval_ms.low < found.latency_ms.p50 < found.rounds.interval_ms.high
    conditions = found.conditions
    assert (conditions.runs, conditions.warmup_runs, conditions.delegate) == (450, 9, "XNNPACK, 1 partition")
    assert "Google Pixel 7 (Google GS201), Android 14" in conditions.note
    assert "battery 81 %, charging" in conditions.note
    assert "median of 9 processes' medians" in conditions.note
    assert from_json(Measurement, to_json(found)) == found
    assert phone.left == []


def test_older_programs_give_means_and_say_so(phone: FakePhone) -> None:
    phone.prints("tf24_cpu")
    with use_phone(Adb(SERIAL)) as opened:
        job = make_job()
        rounds = measure_rounds_on_phone(opened, job, {"m": "m"})["m"]
        found = measurement_of(opened, job, rounds, run_once(opened, job, "m", 9))
    assert found.latency_ms.p50 == pytest.approx(249.684)
    assert found.peak_rss_bytes is None
    assert "processes' means, for this version tells no percentiles" in found.conditions.note
    assert found.conditions.delegate == "reference kernels"


def test_several_files_take_turns(phone: FakePhone) -> None:
    steps = []
    with use_phone(Adb(SERIAL)) as opened:
        found = measure_rounds_on_phone(
            opened, make_job(), {"a": "a", "b": "b"}, lambda done, total: steps.append((done, total))
        )
    order = [words.split()[0] for words in phone.arguments]
    assert order.count("--graph=a") == order.count("--graph=b") == 9
    assert all(
        {first, second} == {"--graph=a", "--graph=b"} for first, second in zip(order[::2], order[1::2], strict=True)
    )
    assert order[:4] in (
        ["--graph=a", "--graph=b", "--graph=b", "--graph=a"],
        ["--graph=b", "--graph=a", "--graph=a", "--graph=b"],
    )
    assert steps[-1] == (18, 18)
    assert set(found) == {"a", "b"}


def test_heat_makes_it_unstable(phone: FakePhone) -> None:
    phone.fault("hot")
    with use_phone(Adb(SERIAL)) as opened:
        found = measure_rounds_on_phone(opened, make_job(), {"m": "m"})["m"]
    assert found.latency.unstable == "the phone was hot (thermal status severe)"


@pytest.mark.parametrize(
    ("transcripts", "status", "delegate", "words"),
    [
        (("tf24_nnapi_failed",), 1, "nnapi", "m: the NNAPI delegate cannot run the file"),
        (("gpu_full_nnapi_none",), 0, "nnapi", "m: the NNAPI delegate took none of the graph"),
        (("tf24_cpu",), 0, "gpu", "m: benchmark_model does not say that the GPU delegate"),
        (("xnnpack_failed_prepare",), 1, "cpu", "m: LiteRT on the phone cannot prepare node 57"),
        (("gpu_partial",), 139, "gpu", r"m: benchmark_model crashed on the phone \(SIGSEGV\)"),
        ((), 0, "cpu", "m: benchmark_model printed no times"),
    ],
)
def test_failures_name_the_file(
    phone: FakePhone, transcripts: tuple[str, ...], status: int, delegate: str, words: str
) -> None:
    phone.prints(*transcripts, status=status)
    with use_phone(Adb(SERIAL)) as opened, pytest.raises(CandidateFailed, match=words):
        measure_rounds_on_phone(opened, make_job(delegate), {"m": "m"})
    assert phone.left == []
