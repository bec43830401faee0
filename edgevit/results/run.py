"""A run and its ``run.json``: all results of one ``edgevit compress``.

Latencies are in milliseconds, memory is in bytes, accuracy is a fraction in 0..1, drops are in percentage points.
Reading or judging a run needs no torch, numpy or runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from edgevit.errors import UsageError
from edgevit.results.board import BoardRecord
from edgevit.results.candidate import Candidate, SetAccuracy
from edgevit.results.document import LATER, from_json, to_json
from edgevit.results.finetune import Finetune
from edgevit.results.measurement import HOST, Host, Interval, LatencyMs
from edgevit.results.metric import MetricScore
from edgevit.results.predicted_order import PredictedOrder
from edgevit.results.token_search import TokenSearch
from edgevit.spec.input_file import file_problem
from edgevit.spec.schemes import SCHEMES

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class Baseline:
    """The original float model, run by PyTorch."""

    top1: float | None
    top5: float | None
    samples: int
    params: int
    macs: int
    latency_ms: LatencyMs | None
    top1_interval: Annotated[Interval | None, LATER] = None
    """Wilson interval of ``top1``, as fractions; None where there are no labels."""
    ece: Annotated[float | None, LATER] = None
    """Expected calibration error, 0..1; None where there are no labels."""
    top1_file: Annotated[str | None, LATER] = None
    """CSV file, relative to the run folder, with the label and the top-1 class of each image."""
    metric: Annotated[MetricScore | None, LATER] = None
    """By the metric that the spec names; None where it names none, or top-1."""
    other_sets: Annotated[tuple[SetAccuracy, ...], LATER] = ()
    """On the further evaluation sets of the spec, in their order."""


@dataclass(frozen=True)
class Stage:
    """One finished stage of the main path."""

    name: str
    seconds: float
    status: Literal["done", "failed"]


@dataclass(frozen=True)
class CalibrationRecord:
    """The images that calibrated the quantizers."""

    source: str
    ids: tuple[str, ...]
    sha256: str
    """Of the sorted sha256 digests of the images."""
    seed: int
    """Seed of the sampling among the images of the source."""
    images_sha256: Annotated[tuple[str, ...], LATER] = ()
    """sha256 of every image as stored, sorted, so not in the order of ``ids``; empty in runs of an earlier version."""
    count: Annotated[int | None, LATER] = None
    """Number of images; None in runs of an earlier version."""
    warnings: Annotated[tuple[str, ...], LATER] = ()
    """Reasons to doubt the calibration, see :mod:`edgevit.data.calibration_warnings`."""


@dataclass(frozen=True)
class EvaluationRecord:
    """The images that accuracy was taken on."""

    source: str
    classes: dict[str, int]
    """Output of each class that the source names, such as by a class folder; empty where it has labels alone."""
    class_offset: int | None = None
    """Output of class 0, as the user gave it."""
    notes: tuple[str, ...] = ()
    """What of the source was left out, and what else has to be known."""


@dataclass(frozen=True)
class Run:
    """One run, as in its ``run.json``."""

    edgevit_version: str
    created_at: str
    """UTC, ISO 8601."""
    seed: int
    spec: dict[str, Any]
    """The resolved spec, as JSON; files under ``inputs/`` are in the folder of the run."""
    spec_sha256: str
    host: Host
    tool_versions: dict[str, str]
    baseline: Baseline
    candidates: tuple[Candidate, ...]
    selected: str | None
    """Id of the candidate chosen for the first board or device of the run, or, without any, for this host."""
    stages: tuple[Stage, ...]
    calibration: CalibrationRecord | None = None
    notes: tuple[str, ...] = field(default=())
    token_searches: tuple[TokenSearch, ...] = ()
    """With ``--tokens auto``: one per backend, and a second, more conservative one where int8 exceeded the remaining
    accuracy budget."""
    selected_for: Annotated[dict[str, str | None], LATER] = field(default_factory=dict)
    """Id of the candidate chosen for each board and then each device of the run, in the order in which they were given, or for
    "host" where there are none; None where nothing usable runs there. Empty in runs of an earlier version."""
    tied: Annotated[dict[str, tuple[str, ...]], LATER] = field(default_factory=dict)
    """Ids of the candidates that cannot be told from the chosen one in speed, by device as in ``selected_for``."""
    order: Annotated[dict[str, PredictedOrder], LATER] = field(default_factory=dict)
    """How sure the order of the usable candidates is, by device on which one of them runs; empty without devices, and in
    runs of an earlier version."""
    boards: Annotated[tuple[BoardRecord, ...], LATER] = ()
    """Boards that usable candidates were measured on, in the order in which they were given."""
    evaluation: Annotated[EvaluationRecord | None, LATER] = None
    """None without evaluation images, and in runs of an earlier version."""
    other_evaluations: Annotated[tuple[EvaluationRecord, ...], LATER] = ()
    """The further images that candidates were scored on, which did not choose."""
    finetunes: Annotated[tuple[Finetune, ...], LATER] = ()
    """With ``--finetune``: what it brought to each variant that was tuned."""
    schema_version: Literal[1] = SCHEMA_VERSION
    folder: Annotated[Path | None, Field(exclude=True), LATER] = field(default=None, compare=False)
    """Where its files are; known of a run that was carried out or loaded here, and not in ``run.json``."""

    def at(self, folder: Path) -> Run:
        """Returns the run with the place of its files.

        Args:
            folder: Of the run.
        """
        candidates = tuple(
            replace(each, file=folder / each.artifact.path if each.artifact else None) for each in self.candidates
        )
        return replace(self, folder=folder, candidates=candidates)

    def __repr__(self) -> str:
        usable = sum(candidate.status == "ok" for candidate in self.candidates)
        return f"<Run: {usable} of {len(self.candidates)} candidates usable, chosen: {self.selected}>"

    def to_rows(self) -> list[dict[str, Any]]:
        """Returns a row for each candidate, for a table or ``pandas.DataFrame``.

        Latencies are in milliseconds, sizes in bytes, accuracies fractions; None where something is not known. What
        candidates are judged by is in ``metric``, its value and what is lost of it in ``metric_value`` and ``metric_drop``.
        """
        return [_row(candidate, candidate.id == self.selected) for candidate in self.candidates]

    def candidate(self, candidate_id: str) -> Candidate:
        """Returns the candidate with that id.

        Raises:
            KeyError: there is none.
        """
        for candidate in self.candidates:
            if candidate.id == candidate_id:
                return candidate
        raise KeyError(candidate_id)

    @property
    def chosen(self) -> Candidate | None:
        """The selected candidate, or None."""
        return self.candidate(self.selected) if self.selected else None

    @property
    def not_stable(self) -> tuple[str, ...]:
        """Ids of the candidates whose latency is not to be relied on, as the machine was too noisy, or changed meanwhile."""
        return tuple(candidate.id for candidate in self.candidates if candidate.not_stable)

    @property
    def is_quick(self) -> bool:
        """Whether it is a first look: on few images, without repair and token plans."""
        return bool(self.spec.get("quick"))

    def is_measured_on(self, device: str) -> bool:
        """Returns whether candidates were measured on a device: this host ("host"), or a board; else they were predicted for it."""
        return device == HOST or any(board.name == device for board in self.boards)

    def probability_fastest(self, device: str) -> float | None:
        """Returns the probability, 0..1, that the candidate chosen for a device is the fastest there; None where it is not known."""
        order, name = self.order.get(device), self.choices.get(device)
        return order.fastest.get(name) if order and name else None

    @property
    def choices(self) -> dict[str, str | None]:
        """``selected_for``; in runs of an earlier version the one choice, which was for this host."""
        return self.selected_for or {HOST: self.selected}


def _row(candidate: Candidate, chosen: bool) -> dict[str, Any]:
    accuracy, artifact = candidate.accuracy, candidate.artifact
    judged = accuracy and accuracy.judged
    return {
        "id": candidate.id,
        "backend": candidate.backend,
        "scheme": candidate.scheme,
        "status": candidate.status,
        "chosen": chosen,
        "top1": accuracy and accuracy.top1,
        "drop_points": accuracy and accuracy.drop_points,
        "agreement": accuracy and accuracy.agreement,
        "metric": judged and judged.name,
        "metric_value": judged and judged.value,
        "metric_drop": judged and judged.drop,
        "p50_ms": candidate.p50_ms,
        "size_bytes": artifact and artifact.size_bytes,
        "file": str(candidate.file) if candidate.file else None,
        "reasons": "; ".join(candidate.reasons),
    }


def run_to_json(run: Run) -> bytes:
    """Returns ``run`` as an indented JSON document, see :func:`edgevit.results.document.to_json`."""
    return to_json(run)


def run_json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``run.json``."""
    return TypeAdapter(Run).json_schema(mode="serialization")


def load_run(path: Path | str) -> Run:
    """Loads a run from its folder or from its ``run.json``.

    Raises:
        UsageError: the file is missing, not JSON, of another schema version, or not a run.
    """
    given = Path(path)
    file = given / "run.json" if given.is_dir() else given
    hint = "give the folder that `edgevit compress --out DIR` wrote, or its run.json"
    problem = file_problem(file)
    if problem:
        raise UsageError(f"cannot read a run at {file}: {problem}", hint)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read a run at {file}: {error.strerror or error}", hint) from error
    try:
        run = from_json(Run, content, _id_faults)
    except ValueError as error:
        raise UsageError(
            f"{file} is not a run of schema version {SCHEMA_VERSION}: {error}",
            "the file was cut, edited, or written by another version of edgevit; run `edgevit compress` again",
        ) from error
    return run.at(file.parent)


def _id_faults(document: Any) -> Iterator[tuple[str, str]]:
    """Yields ids that are not one candidate's, and schemes that are not known.

    What is of another type than it should be is told by those who read it, and passed over.
    """
    run = document if isinstance(document, dict) else {}
    listed = run.get("candidates")
    candidates = [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []
    ids = [each.get("id") for each in candidates]
    for index, candidate in enumerate(candidates):
        if isinstance(ids[index], str) and ids[index] in ids[:index]:
            yield f"candidates.{index}.id", f"two have the id {ids[index]!r}"
        if isinstance(candidate.get("scheme"), str) and candidate["scheme"] not in SCHEMES:
            yield f"candidates.{index}.scheme", f"{candidate['scheme']!r} is not a scheme of this version"
    named = {"selected": run.get("selected")}
    named |= {f"selected_for.{device}": each for device, each in _table(run, "selected_for").items()}
    for device, group in _table(run, "tied").items():
        named |= {f"tied.{device}.{index}": each for index, each in enumerate(group if isinstance(group, list) else ())}
    yield from (
        (key, f"{each!r} is no candidate of the run")
        for key, each in named.items()
        if isinstance(each, str) and each not in ids
    )


def _table(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def find_run(folder: Path) -> Run | None:
    """Loads the run of a run folder, or returns None where it has no ``run.json``.

    Raises:
        UsageError: ``run.json`` is not a run of this schema version.
    """
    is_ours = all((folder / name).is_file() for name in ("begin.json", "run.json"))
    return load_run(folder) if is_ours else None
