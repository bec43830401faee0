"""How a file is fed and what its outputs are called: by the contract that it carries, the run it lies in, or the user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgevit.backends import backend_of_file
from edgevit.data.tiles import tiles_of
from edgevit.errors import UsageError
from edgevit.results.artifact import Artifact, Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.results.contract import Contract
from edgevit.results.run import Run, find_run
from edgevit.run.artifact_files import is_as_made
from edgevit.spec.spec import PreprocessingOverrides


@dataclass(frozen=True)
class Usage:
    """How a file is used."""

    preprocessing: Preprocessing
    """What is done to an image before it is fed; of a file that normalizes by itself, nothing to its pixels. The input size is
    the file's own, wherever a session tells it."""
    contract: Contract | None
    """That the file carries."""
    notes: tuple[str, ...] = ()
    """What the user gave in place of what the contract says."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Name of the class of each output; none where the file does not name them."""
        return self.contract.classes if self.contract else ()


@dataclass(frozen=True)
class RecordedFile:
    """A file that a run made."""

    folder: Path
    """Of the run."""
    run: Run
    candidate: Candidate
    artifact: Artifact
    """Of the candidate."""


def usage_of(artifact: Path, overrides: PreprocessingOverrides) -> Usage:
    """Returns how a file is used: by its contract, else by the run that it lies in; each value replaced by the user's.

    Args:
        artifact: The file.
        overrides: What the user gave; the input size is not among it, for it is the file's own.

    Raises:
        UsageError: no backend reads the file, its contract is damaged, or it carries none, is not part of a run or not as the
            run made it, and the user gave no mean or standard deviation; or gave one for a file that normalizes by itself.
    """
    contract = backend_of_file(artifact).read_contract(artifact)
    if contract is not None:
        given = _given(overrides, contract.preprocessing)
        if contract.embeds_preprocessing:
            _refuse_normalization(artifact, given)
        return Usage(replace(contract.fed, **given), contract, _overridden(contract.preprocessing, given))
    place = artifact.resolve()
    found = next((each for folder in place.parents for each in _recorded(folder, place)), None)
    if found is not None and is_as_made(found.folder, found.artifact):
        stated = found.artifact.preprocessing
        return Usage(replace(stated, **_given(overrides, stated)), None)
    given = {**_AS_IT_IS, **_named(overrides)} if overrides.input == "array" else _named(overrides)
    missing = [f"--{key}" for key in ("mean", "std") if key not in given]
    if missing:
        reason = (
            f"{artifact} carries no contract and is not part of a run"
            if found is None
            else f"{artifact} is not the file that the run in {found.folder} made (its sha256 differs)"
        )
        raise UsageError(
            f"{reason}, so edgevit cannot know how its images are normalized",
            f"give {' and '.join(missing)}; for pixels in -1..1 that is --mean 0.5 --std 0.5; of a file that takes arrays as they"
            " are, --input array",
        )
    return Usage(Preprocessing(input_size=(1, 1), **given), None)


def _refuse_normalization(artifact: Path, given: dict[str, object]) -> None:
    asked = [f"--{key}" for key in ("mean", "std") if key in given]
    if asked:
        raise UsageError(
            f"{artifact} takes pixels and normalizes them by itself, so {' and '.join(asked)} cannot be replaced",
            f"leave out {' and '.join(asked)}",
        )


_AS_IT_IS: dict[str, Any] = {"mean": (0.0,), "std": (1.0,)}
"""Normalization that changes nothing."""


def _named(overrides: PreprocessingOverrides) -> dict[str, Any]:
    """What the user gave, but for what a file has itself."""
    given = overrides.model_dump(exclude_none=True, exclude={"input_size", "channels", "tiles"})
    tiles = tiles_of(overrides.tiles)
    return given if tiles is None else {**given, "tiles": tiles}


def _given(overrides: PreprocessingOverrides, stated: Preprocessing) -> dict[str, Any]:
    """What the user gave in place of what is stated, with a mean and standard deviation for each channel."""
    given = _named(overrides)
    resizing = [f"--{key.replace('_', '-')}" for key in ("interpolation", "crop_pct", "crop_mode") if key in given]
    if resizing and given.get("input", stated.input) == "array":
        raise UsageError(f"{', '.join(resizing)}: no effect on arrays, which are taken as they are", "leave it out")
    spread = {key: given[key] * stated.channels for key in ("mean", "std") if len(given.get(key, ())) == 1}
    return {**given, **spread}


def _overridden(stated: Preprocessing, given: dict[str, object]) -> tuple[str, ...]:
    """A sentence on what the user gave in place of what the file states; none where nothing differs."""
    changed = [f"{key} {_text(value)} (not {_text(getattr(stated, key))})" for key, value in given.items()
               if value != getattr(stated, key)]  # fmt: skip
    return (f"as given, in place of what the file states: {', '.join(changed)}",) if changed else ()


def _text(value: object) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)


def candidate_of_file(artifact: Path) -> RecordedFile | None:
    """Returns what the run that a file lies in knows of it; None where it lies in none, or is not as the run made it.

    Raises:
        UsageError: a folder above has a ``run.json`` that cannot be read.
    """
    place = artifact.resolve()
    found = next((each for folder in place.parents for each in _recorded(folder, place)), None)
    return found if found is not None and is_as_made(found.folder, found.artifact) else None


def _recorded(folder: Path, place: Path) -> Iterator[RecordedFile]:
    """Yields what the run in a folder, if it is one, knows of the file at a place."""
    run = find_run(folder)
    for candidate in run.candidates if run else ():
        if candidate.artifact and (folder / candidate.artifact.path).resolve() == place:
            assert run is not None  # it has the candidate
            yield RecordedFile(folder, run, candidate, candidate.artifact)
