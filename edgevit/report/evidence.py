"""What other commands found of a run's model and files, read from their JSON documents to be shown in its report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgevit import units
from edgevit.errors import UsageError
from edgevit.results.document import from_json
from edgevit.results.explanation import Explanation
from edgevit.results.layer_times import LayerTimes
from edgevit.results.sensitivity import SensitivityReport
from edgevit.spec.input_file import file_problem

_HINT = (
    "give sensitivity.json of `edgevit sensitivity`, or what `edgevit explain --json`, or `profile` or `bench`"
    " with `--layers --json` printed"
)
_TOKENS = "the patches that are kept or merged after each site of the token plan, and where the dense model attends"
_PLACES = "the places that spoke for the class, by Grad-CAM"
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PICTURE_BYTES = 1_000_000
"""All pictures of a page together; it has to stay small enough to be sent."""
_Document = TypeVar("_Document")


@dataclass(frozen=True)
class Picture:
    """A picture that ``edgevit explain`` drew."""

    title: str
    """What it is of, such as the name of the image."""
    png: bytes
    answers: tuple[str, ...] = ()
    """What each model takes the image for."""
    what: str = _TOKENS
    """That is shown beside the image."""


@dataclass(frozen=True)
class ArtifactLayers:
    """Time of the layers of an artifact."""

    artifact: str
    """Its name, as the document has it; "" where it has none."""
    times: LayerTimes


@dataclass(frozen=True)
class Evidence:
    """What is known beside the run."""

    sensitivities: tuple[SensitivityReport, ...] = ()
    layer_times: tuple[ArtifactLayers, ...] = ()
    pictures: tuple[Picture, ...] = ()
    left_out: int = 0
    """Pictures that would have made the page too large."""


def load_evidence(files: Iterable[Path]) -> Evidence:
    """Reads documents of ``edgevit sensitivity``, ``explain`` and ``profile``; what each is, its keys tell.

    Args:
        files: JSON documents; pictures lie beside the document that names them, or where it says.

    Raises:
        UsageError: a file is missing, or none of these documents, or a picture of it is missing or no PNG.
    """
    sensitivities: list[SensitivityReport] = []
    times: list[ArtifactLayers] = []
    pictures: list[Picture] = []
    for file in files:
        content = _read(file)
        document = _document(file, content)
        keys = document.keys()
        if {"recipe", "layers", "scheme"} <= keys:
            sensitivities.append(_parse(SensitivityReport, file, content))
        elif {"layers", "basis", "source"} <= keys:
            name = document.get("artifact", document.get("target"))
            times.append(ArtifactLayers(name if isinstance(name, str) else "", _parse(LayerTimes, file, content)))
        elif "attention_distance" in keys:
            pictures += _pictures(file, _parse(Explanation, file, content))
        else:
            raise UsageError(f"{file}: not a document that a report shows", _HINT)
    shown, size = [], 0
    for picture in pictures:
        size += len(picture.png)
        shown += [picture] if size <= _MOST_PICTURE_BYTES else []
    return Evidence(tuple(sensitivities), tuple(times), tuple(shown), len(pictures) - len(shown))


def _read(file: Path) -> bytes:
    problem = file_problem(file)
    if problem:
        raise UsageError(f"cannot read {file}: {problem}", _HINT)
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}", _HINT) from error


def _document(file: Path, content: bytes) -> dict[str, Any]:
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON: {error}", _HINT) from error
    return document if isinstance(document, dict) else {}


def _parse(kind: type[_Document], file: Path, content: bytes) -> _Document:
    try:
        return from_json(kind, content)
    except ValueError as error:
        raise UsageError(
            f"{file}: {error}", "it was edited, or is of another version of edgevit; make it again"
        ) from error


def _pictures(file: Path, found: Explanation) -> list[Picture]:
    shown = _TOKENS if found.method == "attention" else _PLACES
    return [
        Picture(
            each.image,
            _png(file, each.picture),
            tuple(f"{answer.model}: {answer.label}, {units.percent(answer.probability)}" for answer in each.answers),
            shown,
        )
        for each in found.images
    ]


def _png(file: Path, name: str) -> bytes:
    """Reads a picture; nothing but a PNG, for a document from outside may name any file."""
    beside = file.parent / Path(name).name
    content = _read(beside if beside.is_file() else Path(name))
    if not content.startswith(_PNG):
        raise UsageError(f"{file}: {name} is no PNG picture", "run `edgevit explain` again")
    return content
