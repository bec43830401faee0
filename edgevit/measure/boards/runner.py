"""The program that runs on a board: those of edgevit's own modules that measuring needs, as one zip file that Python executes.

Equal modules make equal bytes, so that the file's sha256 names it on every board.
"""

from __future__ import annotations

import ast
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgevit.backends import backend_names

_PACKAGE = Path(__file__).parents[2]
_MAIN = """\
import sys

sys.modules["pydantic"] = None  # every board does without it, also one that has it
from edgevit.measure.boards.runner_main import main

main(sys.argv[1:])
"""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Time of every file in it."""
TASKS = (
    "edgevit.artifacts.ports",
    "edgevit.artifacts.run_rows",
    "edgevit.devices.calibration.quiet",
    "edgevit.devices.calibration.timing",
    "edgevit.measure.bench",
    "edgevit.measure.boards.probe",
    "edgevit.measure.boards.program",
    "edgevit.measure.burst",
    "edgevit.measure.sustained",
    "edgevit.measure.turns",
)
"""Modules whose functions boards carry out; what they import at their top, and so on, is sent with them."""
WRITERS = tuple(f"edgevit.devices.calibration.write_{name}" for name in ("onnx", "openvino", "tflite"))
"""Modules that write the networks of a calibration, each for one runtime and with packages of that."""


@dataclass(frozen=True)
class Runner:
    """The zip file."""

    content: bytes
    sha256: str


def build_runner() -> Runner:
    """Builds the program for boards, once in a process; may be called by several threads at once."""
    with _one_at_a_time:  # Python 3.11 parses one source at a time
        return _built()


def pack(modules: Iterable[str]) -> Runner:
    """Packs modules; their files are not compressed, for each compression library makes bytes of its own.

    Args:
        modules: Full names of edgevit's.
    """
    files = {f"{_place(name)}": _path(name).read_bytes() for name in modules}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted({**files, "__main__.py": _MAIN.encode()}.items()):
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content)
    return Runner(stream.getvalue(), hashlib.sha256(stream.getvalue()).hexdigest())


@cache
def _built() -> Runner:
    return pack(runner_modules())


_one_at_a_time = threading.Lock()


def runner_modules() -> tuple[str, ...]:
    """Returns the full names of edgevit's modules that it holds, sorted."""
    parts = [f"edgevit.backends.{name}.{part}" for name in backend_names() for part in ("files", "graph", "session")]
    found: set[str] = set()
    left = ["edgevit.measure.boards.runner_main", *TASKS, *WRITERS, *parts]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            parts = name.split(".")
            left += [".".join(parts[:end]) for end in range(1, len(parts))]
            left += [each for each in imported(_path(name).read_text(encoding="utf-8")) if _is_module(each)]
    return tuple(sorted(found))


def imported(source: str) -> Iterator[str]:
    """Yields what a module imports when it is imported itself, by full names; not what stands in functions or under ``TYPE_CHECKING``."""
    yield from _imported(ast.parse(source).body)


def _imported(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for each in statements:
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            yield str(each.module)
            yield from (f"{each.module}.{alias.name}" for alias in each.names)
        elif isinstance(each, ast.Try):
            yield from _imported(
                [*each.body, *each.orelse, *(line for handler in each.handlers for line in handler.body)]
            )
        elif isinstance(each, ast.If) and "TYPE_CHECKING" not in ast.unparse(each.test):
            yield from _imported([*each.body, *each.orelse])


def _is_module(name: str) -> bool:
    return name.split(".")[0] == _PACKAGE.name and _path(name).is_file()


def _path(module: str) -> Path:
    place = _PACKAGE.parent.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _place(module: str) -> str:
    return _path(module).relative_to(_PACKAGE.parent).as_posix()
