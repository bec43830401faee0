"""Errors carry what to do next, and the exit code they end a command with."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from edgevit.errors import (
    CandidateFailed,
    CheckFailed,
    DiskFull,
    EdgevitError,
    ExitCode,
    UsageError,
    closest,
    first_line,
    unknown_name,
)


def test_the_numbers_that_ci_relies_on() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "CHECK_FAILED": 1,
        "USAGE": 2,
        "BUG": 3,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("kind", "code"), [(EdgevitError, 2), (UsageError, 2), (DiskFull, 2), (CheckFailed, 1), (CandidateFailed, 1)]
)
def test_exit_code_of_an_error(kind: type[EdgevitError], code: int) -> None:
    error = kind("what is wrong", "what to do")
    assert (error.exit_code, str(error), error.hint) == (code, "what is wrong", "what to do")


def test_closest_ignores_case_and_keeps_the_spelling() -> None:
    assert closest("OPENVIN", ["OpenVINO", "litert"]) == ["OpenVINO"]
    assert closest("zzz", ["OpenVINO", "litert"]) == []


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    error = unknown_name("backend", "onx", ["onnx", "tflite"])
    assert error.message == "unknown backend: 'onx'"
    assert error.hint == "did you mean onnx?; known: onnx, tflite"


def test_a_long_list_is_only_counted() -> None:
    assert unknown_name("model", "#", [f"m{n}" for n in range(31)]).hint == "31 are known"
    assert unknown_name("model", "#", ["a"], next_step="see `edgevit models`").hint == "see `edgevit models`"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one line"), "one line"),
        (ValueError("\n  \n  first \nsecond"), "first"),
        (ValueError(), "ValueError"),
        (KeyError("\n"), r"'\n'"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_the_first_line_of_an_error(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_every_usage_error_says_what_to_do_next() -> None:
    """Each call of UsageError in the package has a hint, and none an empty one."""
    without = []
    for path in (Path(__file__).parents[1] / "edgevit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UsageError"):
                continue
            hints = [*node.args[1:], *(word.value for word in node.keywords if word.arg == "hint")]
            if not hints or (isinstance(hints[0], ast.Constant) and not hints[0].value):
                without.append(f"{path.name}:{node.lineno}")
    assert without == []
