"""Whatever a library raises about a file names the file; errors of edgevit and of the installation pass as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.backends import get_backend
from edgevit.backends.guard import GuardedSession, blaming
from edgevit.errors import CandidateFailed, UsageError
from edgevit.results.artifact import TensorSpec


class OwnError(Exception):
    """Of a runtime."""


@pytest.mark.parametrize(
    "raised", [OwnError("no kernel\nat line 7"), KeyError("x"), RecursionError("deep"), OSError("disk")]
)
def test_any_error_becomes_one_that_names_the_file(raised: Exception) -> None:
    with (
        pytest.raises(UsageError, match="ONNX Runtime cannot run m.onnx: ") as caught,
        blaming("ONNX Runtime cannot run m.onnx"),
    ):
        raise raised
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_too_little_memory_is_said() -> None:
    with pytest.raises(UsageError, match="m.onnx: it takes more memory than there is"), blaming("cannot run m.onnx"):
        raise MemoryError


@pytest.mark.parametrize("error", [UsageError("mine"), CandidateFailed("mine"), ModuleNotFoundError("openvino")])
def test_errors_that_are_not_the_files_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, blaming("cannot run m.onnx"):
        raise error
    assert caught.value is error


class Failing:
    """A session whose runtime gives up on the second run."""

    inputs = outputs = (TensorSpec("x", (1,), "float32", ""),)
    runtime_version, precision, delegate = "1", "f32", "none"
    threads = 1
    runs = 0

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        self.runs += 1
        if self.runs > 1:
            raise OwnError("shape mismatch")
        return feeds


def test_a_run_that_fails_names_the_file() -> None:
    session = GuardedSession(Failing(), "ONNX Runtime", Path("m.onnx"))
    assert session.run((np.ones(1),))[0].tolist() == [1.0]
    with pytest.raises(UsageError, match="ONNX Runtime cannot run m.onnx: shape mismatch"):
        session.run((np.ones(1),))
    assert (session.inputs, session.precision) == (Failing.inputs, "f32")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "litert"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4096, b"<net name='x' version='11'/>", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64]
)
def test_what_is_no_model_is_refused_by_name(backend: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / f"broken{get_backend(backend).suffix}"
    file.write_bytes(content)
    for read in (get_backend(backend).read_graph, lambda path: get_backend(backend).open_session(path, 1, "f32")):
        with pytest.raises(UsageError, match="broken"):
            read(file)
