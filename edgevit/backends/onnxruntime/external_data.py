"""Files beside an ONNX file that hold its weights. They must lie in its folder: anything else is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError

from edgevit.errors import UsageError


def external_files(path: Path) -> tuple[Path, ...]:
    """Returns the files of an ONNX file that hold weights, besides itself, each once.

    Args:
        path: Main file, as given; its companions lie beside it, not beside what it may link to.

    Raises:
        UsageError: the file is damaged, or names a file that is absolute, leaves its folder, or is missing.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, OSError, RecursionError) as error:
        raise UsageError(f"{path} is not an ONNX file: {error}", "give a file that `onnx.load` reads") from error
    return checked_files(model, path)


def checked_files(model: onnx.ModelProto, path: Path) -> tuple[Path, ...]:
    """Returns what :func:`external_files` does, of a file that was read already."""
    places = dict.fromkeys(place for place in _locations(model))
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


def _locations(message: object) -> Iterator[str]:
    """Yields the place of each tensor that lies in another file, wherever in the model it stands."""
    pending = [message]
    while pending:
        part = pending.pop()
        if isinstance(part, onnx.TensorProto):
            entries = {entry.key: entry.value for entry in part.external_data}
            if part.data_location == onnx.TensorProto.EXTERNAL or "location" in entries:
                yield entries.get("location", "")
            continue
        for field, value in part.ListFields():  # type: ignore[attr-defined]
            if field.message_type is not None:
                pending.extend([value] if _is_single(field) else value)


def _is_single(field: object) -> bool:
    repeated = getattr(field, "is_repeated", None)
    return not repeated if repeated is not None else field.label != field.LABEL_REPEATED  # type: ignore[attr-defined]
