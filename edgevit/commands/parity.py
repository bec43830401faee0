"""Compares two result sets image by image: the same images by their content or name, never by their order alone unless asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from edgevit.artifacts.decisions import decided
from edgevit.artifacts.output_parity import holds_probabilities, output_parity
from edgevit.artifacts.result_set import ResultSet, read_result_set
from edgevit.commands.compare_accuracy import ImageAnswer, accuracy_change
from edgevit.data.row_file import row_slices
from edgevit.errors import CheckFailed, UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.parity import ComparedSet, MatchedBy, Parity, ResultOrigin
from edgevit.results.proportions import proportion_interval
from edgevit.run.files import file_sha256
from edgevit.run.packages import is_installed
from edgevit.spec.input_file import require_file

_MOST_NAMED = 3
"""Images that a message names."""
_PASS_MISSING = "compare results for the same images, or give --allow-missing to compare those in both"
_MAKE = "make result sets with edgevit eval ARTIFACT --data IMAGES --save-outputs FILE.npz"


@dataclass(frozen=True)
class ParityQuestion:
    """What is compared."""

    first: Path
    """The reference: an ``.npz`` result set, or the JSON document of the ``edgevit eval`` that wrote one."""
    second: Path
    match: MatchedBy | None = None
    """By what images are the same; their content where both sets have its digest, else their names, when None."""
    allow_missing: bool = False
    """Whether images that only one set has are left out."""


@dataclass(frozen=True)
class _Pairs:
    """Rows of the same images in both sets, in the order of the first."""

    by: MatchedBy
    first: list[int]
    second: list[int]
    only_first: list[int]
    only_second: list[int]


def compare_results(asked: ParityQuestion) -> Parity:
    """Compares two result sets on the images that both have.

    Args:
        asked: The two, and how they are matched.

    Raises:
        UsageError: one is no result set, the images cannot be matched or are others, or the outputs are of other classes.
        CheckFailed: outputs are NaN or infinite.
    """
    files = _outputs_file(asked.first), _outputs_file(asked.second)
    if files[0].resolve() == files[1].resolve():
        raise UsageError(f"{asked.first} would be compared with itself", "name two result sets")
    first, second = map(read_result_set, files)
    _check_outputs(asked, first, second)
    pairs = _match(asked, first, second)
    labels = _labels(asked, first, second, pairs)
    wanted, found = _finite(asked.first, first, pairs.first), _finite(asked.second, second, pairs.second)
    names = _unique([first.name(row) for row in pairs.first])
    tops = decided(wanted), decided(found)
    accuracy = accuracy_change(*_sources(first, second), *(_answers(names, labels, each) for each in tops))
    same, differences = int((tops[0] == tops[1]).sum()), output_parity(found, wanted)
    return Parity(
        first=_compared(asked.first, first, [second.name(row) for row in pairs.only_second]),
        second=_compared(asked.second, second, [first.name(row) for row in pairs.only_first]),
        matched_by=pairs.by,
        samples=len(names),
        top1_agreement=same / len(names),
        top1_agreement_interval=proportion_interval(same, len(names)),
        accuracy=accuracy,
        max_abs_diff=differences.max_abs_diff,
        median_abs_diff=differences.median_abs_diff,
        snr_db=differences.snr_db,
        kl_divergence=differences.kl_divergence,
        notes=(*_notes(first, second, pairs), *_notes_on_outputs(found, wanted, accuracy.top1_before is not None)),
    )


def _outputs_file(given: Path) -> Path:
    """The archive of a result set, also where the document of the evaluation that wrote it is given."""
    if given.suffix.lower() != ".json":
        return given
    require_file(given, "result set", _MAKE)
    try:
        saved = json.loads(given.read_bytes())["saved_outputs"]
        path, digest = Path(saved["path"]), str(saved["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{given} names no saved outputs: {error}", _MAKE) from error
    places = [given.parent / path, given.parent / path.name, path]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UsageError(
            f"{given} names {path}, which is not there", "give the .npz itself, or put it beside the document"
        )
    if file_sha256(found) != digest:
        raise UsageError(f"{found} is not the file that {given} names (its sha256 differs)", "evaluate again")
    return found


def _check_outputs(asked: ParityQuestion, first: ResultSet, second: ResultSet) -> None:
    """Refuses outputs that do not mean the same."""
    counts = first.logits.shape[1], second.logits.shape[1]
    if counts[0] != counts[1]:
        raise UsageError(
            f"{asked.first} has {counts[0]} outputs for an image, {asked.second} {counts[1]}",
            "compare models of the same classes"
            + ("; one of them may count a background class" if abs(counts[0] - counts[1]) == 1 else ""),
        )
    classes = [each.origin.classes if each.origin else () for each in (first, second)]
    if not all(classes) or classes[0] == classes[1]:
        return
    place = next(place for place, (one, other) in enumerate(zip(*classes, strict=True)) if one != other)
    order = " in another order" if sorted(classes[0]) == sorted(classes[1]) else ""
    raise UsageError(
        f"the two have other classes{order}: output {place} is {classes[0][place]!r} in {asked.first},"
        f" {classes[1][place]!r} in {asked.second}",
        "compare models whose classes are in the same order",
    )


def _match(asked: ParityQuestion, first: ResultSet, second: ResultSet) -> _Pairs:
    by = asked.match or _usual(asked, first, second)
    given = (asked.first, first), (asked.second, second)
    keys = [_keys(path, results, by) for path, results in given]
    rows = {key: row for row, key in enumerate(keys[1])}
    both = [(row, rows[key]) for row, key in enumerate(keys[0]) if key in rows]
    here = set(keys[0])
    pairs = _Pairs(
        by,
        [row for row, _ in both],
        [row for _, row in both],
        only_first=[row for row, key in enumerate(keys[0]) if key not in rows],
        only_second=[row for row, key in enumerate(keys[1]) if key not in here],
    )
    if not both:
        alike = by == "content" and set(first.names or ()) & set(second.names or ())
        raise UsageError(
            f"{asked.first} and {asked.second} have no image in common, by {by}",
            f"{len(alike)} names are the same: --match name compares images of one name whose contents differ"
            if alike
            else "compare results for the same images",
        )
    missing = _missing(asked.second, first, pairs.only_first) + _missing(asked.first, second, pairs.only_second)
    if missing and not asked.allow_missing:
        raise UsageError("; ".join(missing), _PASS_MISSING)
    return pairs


def _usual(asked: ParityQuestion, first: ResultSet, second: ResultSet) -> MatchedBy:
    if first.sha256 and second.sha256:
        return "content"
    if first.names and second.names:
        return "name"
    raise UsageError(
        f"nothing tells which image of {asked.first} is which of {asked.second}: one has names, the other digests or neither",
        "write both with edgevit eval --save-outputs, or give --match position if their order is the same",
    )


def _keys(path: Path, results: ResultSet, by: MatchedBy) -> Sequence[object]:
    """What tells an image of a set from all others of it."""
    if by == "position":
        return range(len(results))
    if by == "name":
        if results.names is None:
            raise UsageError(f"{path} has no names of its images", "leave out --match name")
        twice = next((name for name, count in Counter(results.names).items() if count > 1), None)
        if twice is not None:
            raise UsageError(f"{path} has two images of the name {twice!r}", "match them by --match content")
        return results.names
    if results.sha256 is None:
        raise UsageError(f"{path} has no digests of its images", "leave out --match content")
    keys: list[object] = [None] * len(results)
    copies: Counter[str] = Counter()
    for row in sorted(range(len(results)), key=lambda row: (results.name(row), row)):  # copies pair by their names
        digest = results.sha256[row]
        keys[row] = (digest, copies[digest])
        copies[digest] += 1
    return keys


def _missing(where: Path, results: ResultSet, rows: list[int]) -> list[str]:
    """A sentence on the images of a set that another file lacks; none where it has them all."""
    if not rows:
        return []
    named = ", ".join(results.name(row) for row in rows[:_MOST_NAMED])
    more = f" and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    return [f"{where} lacks {len(rows)} of {len(results)} images: {named}{more}"]


def _labels(asked: ParityQuestion, first: ResultSet, second: ResultSet, pairs: _Pairs) -> np.ndarray | None:
    """int64 [pairs], by either set; None where neither has labels."""
    both = [
        None if results.labels is None else results.labels[rows]
        for results, rows in ((first, pairs.first), (second, pairs.second))
    ]
    one, other = both
    if one is None or other is None:
        return other if one is None else one
    differing = np.flatnonzero(one != other)
    if len(differing):
        row = int(differing[0])
        raise UsageError(
            f"the labels of {len(differing)} of {len(one)} images differ: {first.name(pairs.first[row])} is {one[row]} in"
            f" {asked.first}, {other[row]} in {asked.second}",
            "evaluate both on one data set, with the same --class-offset",
        )
    return one


def _finite(path: Path, results: ResultSet, rows: list[int]) -> np.ndarray:
    """Outputs of these images; fails where one is NaN or infinite, for then nothing can be said of it."""
    logits = results.logits[rows]
    for part in row_slices(logits):
        broken = np.flatnonzero(~np.isfinite(logits[part]).all(axis=1))
        if len(broken):
            image = results.name(rows[part.start + int(broken[0])])
            raise CheckFailed(f"{path}: the outputs for {image} hold NaN or infinity", "evaluate that file again")
    return logits


def _unique(names: list[str]) -> list[str]:
    """Names with the place behind those that several images have."""
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} (image {place})" for place, name in enumerate(names)]


def _answers(names: list[str], labels: np.ndarray | None, top1: np.ndarray) -> tuple[ImageAnswer, ...]:
    wanted: list[int | None] = [None] * len(names) if labels is None else labels.tolist()
    return tuple(ImageAnswer(*each) for each in zip(names, wanted, top1.tolist(), strict=True))


def _sources(*sets: ResultSet) -> tuple[str]:
    return (" and ".join(dict.fromkeys(each.origin.images for each in sets if each.origin)) or "both",)


def _compared(given: Path, results: ResultSet, missing: list[str]) -> ComparedSet:
    return ComparedSet(str(given), len(results), results.logits.shape[1], tuple(missing), results.origin)


def _notes(first: ResultSet, second: ResultSet, pairs: _Pairs) -> Iterator[str]:
    if pairs.by != "content" and first.sha256 and second.sha256:
        others = sum(first.sha256[a] != second.sha256[b] for a, b in zip(pairs.first, pairs.second, strict=True))
        if others:
            yield f"{others} of {len(pairs.first)} images have another content in B, and are matched by {pairs.by}"
    if pairs.by == "position":
        yield "images are matched by their order alone, as asked"
    if pairs.only_first or pairs.only_second:
        left_out = len(pairs.only_first) + len(pairs.only_second)
        yield f"{left_out} images that only one set has are left out"
    silent = [name for name, each in (("A", first), ("B", second)) if each.origin is None]
    if silent:
        yield f"{' and '.join(silent)} says not which file and preprocessing it is of, so that is not compared"
    if first.origin and second.origin:
        yield from _notes_on_origins(first.origin, second.origin)


def _notes_on_origins(first: ResultOrigin, second: ResultOrigin) -> Iterator[str]:
    if bool(first.classes) != bool(second.classes):
        silent = "A" if second.classes else "B"
        yield f"{silent} does not name its classes, so that their order is not checked"
    if first.artifact_sha256 != second.artifact_sha256:
        yield f"the files differ: {first.artifact} and {second.artifact}"
    for field in fields(Preprocessing):
        one, other = (getattr(each.preprocessing, field.name) for each in (first, second))
        if one != other:
            yield f"the preprocessing differs: {field.name} {_text(one)} in A, {_text(other)} in B"
    for name in ("runtime", "delegate", "precision", "host"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            yield f"the {name} differs: {one} in A, {other} in B"


def _notes_on_outputs(found: np.ndarray, wanted: np.ndarray, has_labels: bool) -> Iterator[str]:
    probabilities = [holds_probabilities(each) for each in (wanted, found)]
    if probabilities[0] != probabilities[1]:
        one, other = ("A", "B") if probabilities[0] else ("B", "A")
        yield f"{one} holds probabilities and {other} logits: the class of each image compares, differences do not"
    if has_labels and not is_installed("scipy"):
        yield "no p-value: SciPy is not installed; pip install 'edgevit[compress]'"


def _text(value: object) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)
