"""Files of an ONNX model: itself, and those beside it that hold its weights, which must lie in its folder. Needs no package.

Which fields of a message lead to tensors, by their numbers in ``onnx.proto``, is in ``_INNER``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from edgevit.backends.onnxruntime.wire import fields
from edgevit.errors import UsageError

_Kind = Literal["model", "training", "graph", "function", "node", "attribute", "sparse", "tensor"]
_INNER: dict[_Kind, dict[int, _Kind]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_ENTRIES, _DATA_LOCATION, _EXTERNAL = 13, 14, 1
"""Of a tensor: ``external_data``, ``data_location``, and the value of that for data in another file."""


def files_of(path: Path) -> tuple[Path, ...]:
    """Returns the file and those that hold its external data, each once.

    Raises:
        UsageError: the file is no ONNX model, or external data is missing or not in its folder.
    """
    return (path, *external_files(path))


def external_files(path: Path) -> tuple[Path, ...]:
    """Returns the files of an ONNX file that hold weights, besides itself, each once.

    Args:
        path: Main file, as given; its companions lie beside it, not beside what it may link to.

    Raises:
        UsageError: the file is damaged, or names a file that is absolute, leaves its folder, or is missing.
    """
    try:
        places = dict.fromkeys(_locations(memoryview(path.read_bytes())))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "give a file that can be read") from error
    except (IndexError, ValueError) as error:
        raise UsageError(f"{path} is not an ONNX file: {error}", "give a file that `onnx.load` reads") from error
    return tuple(_checked(place, path) for place in places)


def _checked(place: str, path: Path) -> Path:
    leaves = PurePosixPath(place).is_absolute() or PureWindowsPath(place).drive or PureWindowsPath(place).root
    if not place or leaves or ".." in PureWindowsPath(place).parts:
        raise UsageError(
            f"{path} keeps weights in {place!r}, outside its own folder, which edgevit does not read",
            "save it again with all files in one folder: onnx.save(model, file, save_as_external_data=True)",
        )
    file = path.parent / place
    if not file.is_file():
        raise UsageError(
            f"{path} keeps its weights in {place}, which is not beside it",
            "copy that file too, or export the model into a single file",
        )
    return file


def _locations(model: memoryview) -> Iterator[str]:
    """Yields the place of each tensor that lies in another file, wherever in the model it stands."""
    pending: list[tuple[_Kind, memoryview]] = [("model", model)]
    while pending:
        kind, message = pending.pop()
        if kind == "tensor":
            yield from _location(message)
            continue
        inner = _INNER[kind]
        pending.extend(
            (inner[number], part)
            for number, part in fields(message)
            if number in inner and isinstance(part, memoryview)
        )


def _location(tensor: memoryview) -> Iterator[str]:
    """Yields where a tensor lies, "" where it does not say it; nothing of one that lies in the model."""
    entries, is_external = {}, False
    for number, content in fields(tensor):
        if number == _DATA_LOCATION:
            is_external = content == _EXTERNAL
        elif number == _ENTRIES and isinstance(content, memoryview):
            entry = {key: bytes(text).decode() for key, text in fields(content) if isinstance(text, memoryview)}
            entries[entry.get(1, "")] = entry.get(2, "")
    if is_external or "location" in entries:
        yield entries.get("location", "")
