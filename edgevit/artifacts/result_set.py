"""Result sets: the outputs of a classifier for images, each with what tells which image it is, in an ``.npz`` archive.

Its arrays: "logits" float [n, outputs], and "names" [n], "sha256" [n] (of each image's content, in hex), or both; perhaps "labels" int [n],
the output that each image should have, and "origin", a JSON document (:class:`edgevit.results.parity.ResultOrigin`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.data.image_arrays import BROKEN_ARRAY
from edgevit.errors import UsageError, first_line
from edgevit.results.document import from_json, to_json
from edgevit.results.parity import ResultOrigin
from edgevit.run.files import whole_file
from edgevit.spec.input_file import require_file

_DIGEST = re.compile("[0-9a-f]{64}")
_FORM = (
    'write it with edgevit eval --save-outputs, or numpy.savez(file, logits=..., names=...): "logits" float [n, outputs], with'
    ' "names" or "sha256" of the images'
)


@dataclass(frozen=True)
class ResultSet:
    """Outputs for images."""

    logits: np.ndarray
    """float [n, outputs], n >= 1, all finite."""
    names: tuple[str, ...] | None
    """Of the images in their source, such as paths relative to it."""
    sha256: tuple[str, ...] | None
    """Digest of each image's content, in hex."""
    labels: np.ndarray | None
    """int64 [n]: the output that each image should have; None where there are none."""
    origin: ResultOrigin | None

    def __len__(self) -> int:
        return len(self.logits)

    def name(self, row: int) -> str:
        """Returns what to call an image: its name, else its digest, else its row."""
        named = self.names or self.sha256
        return named[row] if named else f"row {row}"


def write_result_set(path: Path, results: ResultSet) -> None:
    """Writes a result set, whole or not at all; equal ones give equal bytes.

    Args:
        path: ``.npz``; a file of that name is replaced.
        results: To write.

    Raises:
        DiskFull: there is no space left.
    """
    arrays: dict[str, np.ndarray] = {"logits": results.logits}
    for name, texts in (("names", results.names), ("sha256", results.sha256)):
        if texts is not None:
            arrays[name] = np.array(texts, np.str_)
    if results.labels is not None:
        arrays["labels"] = results.labels
    if results.origin is not None:
        arrays["origin"] = np.array(to_json(results.origin).decode())
    with whole_file(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_result_set(path: Path) -> ResultSet:
    """Reads a result set.

    Args:
        path: ``.npz``, not necessarily of edgevit.

    Raises:
        UsageError: it is missing, damaged, or its arrays are not those of a result set.
    """
    require_file(path, "result set", _FORM)
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
    except BROKEN_ARRAY as error:
        raise UsageError(f"{path} is no result set: {first_line(error)}", _FORM) from error
    if "logits" not in held:
        raise UsageError(f'{path} has no array "logits"; it has {", ".join(sorted(held)) or "no array"}', _FORM)
    logits = held["logits"]
    if logits.ndim != 2 or logits.dtype.kind != "f" or 0 in logits.shape:
        raise UsageError(f'{path}: "logits" is {logits.dtype} {list(logits.shape)}, not float [n, outputs]', _FORM)
    return ResultSet(
        logits=logits,
        names=_texts(path, held, "names", len(logits)),
        sha256=_digests(path, _texts(path, held, "sha256", len(logits))),
        labels=_labels(path, held, logits),
        origin=_origin(path, held),
    )


def _texts(path: Path, held: dict[str, np.ndarray], name: str, count: int) -> tuple[str, ...] | None:
    if name not in held:
        return None
    array = held[name]
    if array.dtype.kind != "U" or array.shape != (count,):
        raise UsageError(f'{path}: "{name}" is {array.dtype} {list(array.shape)}, not {count} texts', _FORM)
    return tuple(map(str, array))


def _digests(path: Path, digests: tuple[str, ...] | None) -> tuple[str, ...] | None:
    wrong = next((each for each in digests or () if not _DIGEST.fullmatch(each)), None)
    if wrong is not None:
        raise UsageError(f'{path}: "sha256" holds {wrong!r}, which is no SHA-256 digest in lower-case hex', _FORM)
    return digests


def _labels(path: Path, held: dict[str, np.ndarray], logits: np.ndarray) -> np.ndarray | None:
    if "labels" not in held:
        return None
    labels, classes = held["labels"], max(2, logits.shape[1])
    if labels.dtype.kind not in "iu" or labels.shape != (len(logits),):
        raise UsageError(f'{path}: "labels" is {labels.dtype} {list(labels.shape)}, not {len(logits)} integers', _FORM)
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(f'{path}: "labels" are {labels.min()} to {labels.max()}, outside the {classes} classes', _FORM)
    return labels.astype(np.int64)


def _origin(path: Path, held: dict[str, np.ndarray]) -> ResultOrigin | None:
    if "origin" not in held:
        return None
    try:
        return from_json(ResultOrigin, str(held["origin"]).encode())
    except ValueError as error:
        raise UsageError(f'{path}: its "origin" is damaged: {error}', "write it again, or leave it out") from error
