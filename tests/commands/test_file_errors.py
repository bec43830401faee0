"""A file on which a runtime crashes is bad input, and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.commands.file_errors import blaming_file
from edgevit.errors import CandidateFailed, ExitCode, UsageError


def test_a_crash_is_an_error_of_usage_with_the_file() -> None:
    with (
        pytest.raises(UsageError, match="a.onnx: bench: crashed with signal 11") as caught,
        blaming_file(Path("a.onnx")),
    ):
        raise CandidateFailed("bench: crashed with signal 11")
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint


def test_other_errors_pass() -> None:
    with pytest.raises(UsageError, match="^mine$"), blaming_file(Path("a.onnx")):
        raise UsageError("mine")
