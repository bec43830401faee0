"""Causes told apart, from recorded transcripts and from what Android prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.measure.boards.benchmark_failures import explain_benchmark_failure

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "benchmark_model"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "tf24_nnapi_failed",
            "the NNAPI delegate cannot run the file: NN API returned error ANEURALNETWORKS_OP_FAILED",
        ),
        (
            "xnnpack_failed_prepare",
            "cannot prepare node 57 (BATCH_MATMUL): tensorflow/lite/kernels/batch_matmul.cc:353",
        ),
    ],
)
def test_recorded(name: str, words: str) -> None:
    text = (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")
    assert words in explain_benchmark_failure(1, text).message


@pytest.mark.parametrize(
    ("returncode", "text", "words"),
    [
        (126, "./benchmark_model: not executable: 64-bit ELF file", "another architecture"),
        (1, 'CANNOT LINK EXECUTABLE "./b": library "libQnn.so" not found: needed by main', "cannot be linked"),
        (1, "ERROR: Didn't find op for builtin opcode 'GELU' version '2'. An older version", "no GELU of version 2"),
        (1, "ERROR: Encountered unresolved custom op: FlexErf.", "no op FlexErf"),
        (1, "ERROR: Failed to load model /data/local/tmp/x", "cannot load the file"),
        (139, "INFO: STARTING!\nSegmentation fault", "crashed on the phone (SIGSEGV)"),
        (134, "Aborted", "crashed on the phone (SIGABRT)"),
        (137, "Killed", "most likely for lack of memory"),
        (126, "sh: ./benchmark_model: can't execute: Permission denied", "does not permit it"),
        (1, "", "it said nothing"),
        (1, "INFO: STARTING!\nsomething odd", "something odd"),
    ],
)
def test_told_apart(returncode: int, text: str, words: str) -> None:
    found = explain_benchmark_failure(returncode, text)
    assert words in found.message
    assert found.hint
