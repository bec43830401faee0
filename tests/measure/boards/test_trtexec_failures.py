"""Causes told apart, from recorded transcripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.measure.boards.trtexec_failures import FailureCause, explain_failure, unsupported_precision

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "trtexec"


def transcript(name: str) -> str:
    return (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("trt86_parser", "parser", "Tile /Tile: [graph.cpp::symbolicExecute::539] Error Code 4"),
        ("trt80_unsupported_op", "unsupported_op", "lacks the op Round"),
        ("trt103_out_of_memory", "out_of_memory", "15485 MB were asked for at once"),
        ("trt8_int32_bias", "quantization", "at 476_DequantizeLinear: it dequantizes int32"),
        ("trt10_zero_point", "quantization", "zero points are not 0"),
        ("trt8_no_kernel", "no_kernel", "no kernel for {ForeignNode[(Unnamed Layer* 56) [Constant].../MatMul]}"),
        ("trt86_no_int8", "no_int8", "multiplies no int8"),
        ("trt7_no_gpu", "no_gpu", "CUDA initialization failure with error 35"),
    ],
)
def test_cause(name: str, cause: FailureCause, words: str) -> None:
    found = explain_failure(1, transcript(name))
    assert found.cause == cause
    assert words in found.message
    assert found.hint


@pytest.mark.parametrize(
    ("returncode", "text", "cause", "words"),
    [
        (127, "bash: trtexec: command not found", "no_program", "no trtexec"),
        (137, "[I] Start parsing", "out_of_memory", "ran out of memory"),
        (-9, "", "out_of_memory", "ran out of memory"),
        (-11, "[I] Start parsing", "killed", "signal 11"),
        (139, "[I] Start parsing", "killed", "signal 11"),
        (
            1,
            "[E] Unknown option: --exportTimes /tmp/x\n&&&& FAILED TensorRT.trtexec",
            "unknown_option",
            "--exportTimes",
        ),
        (1, "[E] Something else went wrong\n[E] Engine set up failed", "other", "Something else went wrong"),
        (1, "", "other", "it said nothing"),
    ],
)
def test_cause_without_a_transcript(returncode: int, text: str, cause: FailureCause, words: str) -> None:
    found = explain_failure(returncode, text)
    assert (found.cause, words in found.message) == (cause, True)


def test_precision_that_is_only_warned_of() -> None:
    slow = transcript("trt8_slow_fp16")
    found = unsupported_precision(slow, "fp16")
    assert found is not None
    assert found.cause == "no_fp16"
    assert unsupported_precision(slow, "fp32") is None
    int8 = "[W] [TRT] Int8 support requested on hardware without native Int8 support, performance will be negatively affected."
    warned = unsupported_precision(int8, "int8")
    assert warned is not None
    assert warned.cause == "no_int8"
    assert unsupported_precision(int8, "fp16") is None
