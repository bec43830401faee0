"""What an archive of a captured program may hold: plain tensors, and calls of PyTorch's own operators.

torch.export unpickles objects that an archive holds, takes the names of functions from it and evaluates its symbolic
expressions. A run folder may have been written by anybody, so all of that is refused before it is loaded.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgevit.errors import UsageError, first_line

_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|models/(?P<model>\w+)\.json"
    r"|data/(?:weights|constants)/(?:(?P<config>\w+_config\.json)|\w+)|data/sample_inputs/\w+\.pt"
)
"""Names of what torch.export writes, below the one folder of an archive."""
_PAYLOAD = re.compile(r"(?:weight|tensor)_\d+")
"""Names of files of plain tensors; those of pickled objects begin otherwise."""
_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims|torchvision)\.(?:__[a-z]+__|_?[A-Za-z]\w*)\.(?!_)\w+"
    r"|torch\.ops\.higher_order\.(?!_)\w+|_operator\.(?:getitem|add|sub|mul|floordiv|mod|neg|eq|ne|lt|le|gt|ge)"
)


def check_archive(path: Path) -> None:
    """Refuses an archive that loading or running would carry out anything but PyTorch's operators.

    Args:
        path: ``.pt2`` file.

    Raises:
        UsageError: says what it holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            complaint = next(_complaints(archive), None)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, RecursionError) as error:
        complaint = f"it cannot be read: {first_line(error)}"
    if complaint:
        raise UsageError(
            f"{path} is not a program that edgevit captured: {complaint}",
            "do not continue runs of people you do not trust; choose another --out",
        )


def _complaints(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yields what an archive may not hold."""
    names = archive.namelist()
    if len(set(names)) < len(names):
        yield "it holds two files of one name"
    if len({name.partition("/")[0] for name in names}) != 1:
        yield "it holds more than one folder"
    if not any(name.endswith("/archive_format") for name in names):
        yield "it is of an old format, which holds pickled objects"
    for name in names:
        known = _MEMBER.fullmatch(name.partition("/")[2])
        if known is None:
            yield f"it holds {name}"
        elif known["config"]:
            yield from _pickled(json.loads(archive.read(name)))
        elif known["model"]:
            yield from _foreign(json.loads(archive.read(name)))


def _pickled(config: dict[str, Any]) -> Iterator[str]:
    for name, entry in config["config"].items():
        if entry["use_pickle"] is not False or not _PAYLOAD.fullmatch(entry["path_name"]):
            yield f"{name} is a pickled object"


def _foreign(part: Any) -> Iterator[str]:
    """Yields calls of anything but operators, and expressions, in a graph or a part of it."""
    if isinstance(part, list):
        for each in part:
            yield from _foreign(each)
    elif isinstance(part, dict):
        if isinstance(part.get("target"), str) and not _OPERATOR.fullmatch(part["target"]):
            yield f"it calls {part['target']}"
        if "expr_str" in part:
            yield f"it holds the expression {part['expr_str']}"
        for each in part.values():
            yield from _foreign(each)
