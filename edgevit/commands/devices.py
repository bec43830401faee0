"""Fitting the cost model to published measurements, and what its predictions are worth."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgevit.devices.anchor_fit import try_anchors
from edgevit.devices.coefficients import SHIPPED, load_cost_model, save_cost_model
from edgevit.devices.committed import Committed, Worth, figures, worth
from edgevit.devices.cost_model import predict_rows
from edgevit.devices.cross_validation import (
    FEW_FOLDS,
    FOLDS,
    CrossValidation,
    LeftOut,
    cross_validate,
    group_names,
    row_prediction,
)
from edgevit.devices.evidence import CARRIED, Row, read_rows
from edgevit.devices.evidence_basis import basis
from edgevit.devices.fit import fit_cost_model, left_out_errors, mapped
from edgevit.devices.graph_table import Features, capture_features, read_graphs
from edgevit.devices.least_squares import left_out_least_squares
from edgevit.devices.validation import AnchoredScore, RowPrediction, Score, Unmapped, anchored_score, score
from edgevit.errors import UsageError
from edgevit.results.document import to_json
from edgevit.run.files import write_atomically

Progress = Callable[[str, int, int], None]
"""Called with what is done and the numbers of steps done and of all."""


COMMITTED = SHIPPED.with_name("validation.json")
"""A :class:`Committed`: what predictions of the carried table were worth at the last fit."""


@dataclass(frozen=True)
class Validation:
    """Predictions of the rows of a table, and how far off they are."""

    left_out: str
    """What the fit did not see of a row, besides its latency."""
    scores: tuple[Score, ...]
    """Of all rows, then of each device and unit, most rows first."""
    predictions: tuple[RowPrediction, ...]
    unmapped: tuple[Unmapped, ...]
    """Rows with a latency that could not be predicted."""
    anchored: tuple[AnchoredScore, ...] = ()
    """With anchors, where a device was left out."""

    @property
    def mapped_share(self) -> float:
        """Share of the rows with a latency that are predicted, 0..1."""
        return len(self.predictions) / max(1, len(self.predictions) + len(self.unmapped))


def fit_devices(progress: Progress, folder: Path) -> Validation:
    """Fits the cost model to the carried table, and writes it and what its predictions are worth.

    Args:
        progress: Progress callback.
        folder: For ``coefficients.npz`` and ``validation.json``; made where there is none.

    Returns:
        The validation, with graphs left out.

    Raises:
        UsageError: ``folder`` cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}", "give another --out") from error
    carried = _carried_table()
    outcome = fit_cost_model(carried.rows, carried.graphs, progress)
    made = {
        left_out: outcome.left_out[left_out]
        if left_out in outcome.left_out
        else _cross_validate(carried, left_out, FOLDS, progress)
        for left_out in _JUDGED
    }
    checks = {"graph": _check(carried, "graph")}
    found = {left_out: _judged(carried, left_out, each, checks.get(left_out, ())) for left_out, each in made.items()}
    quick = figures(carried_worth(FEW_FOLDS, progress))
    save_cost_model(folder / SHIPPED.name, outcome.model)
    write_atomically(folder / COMMITTED.name, to_json(Committed(_worth(found), quick)))
    return found["graph"]


def validate_carried(left_out: LeftOut, progress: Progress) -> Validation:
    """Predicts each row of the carried table with a fit that did not see what is left out with it.

    Args:
        left_out: What is left out.
        progress: Progress callback.
    """
    carried = _carried_table()
    made = _cross_validate(carried, left_out, FOLDS, progress)
    return _judged(carried, left_out, made, _check(carried, left_out))


def carried_worth(folds: Mapping[LeftOut, int], progress: Progress) -> Worth:
    """Returns what predictions of the carried table are worth.

    Args:
        folds: Numbers of folds.
        progress: Progress callback.
    """
    carried = _carried_table()
    made = {left_out: _cross_validate(carried, left_out, folds, progress) for left_out in _JUDGED}
    return _worth({left_out: _judged(carried, left_out, each, ()) for left_out, each in made.items()})


_WORDS: Mapping[LeftOut, str] = {
    "graph": "the graph of the row",
    "graph on device": "the graph of the row on its device",
    "device": "the device of the row",
    "graph and session": "the graph of the row, nor what was measured together with it",
}
_JUDGED: tuple[LeftOut, ...] = ("graph", "graph on device", "device")


def _worth(found: Mapping[LeftOut, Validation]) -> Worth:
    return worth({left_out: made.scores for left_out, made in found.items()}, found["device"].anchored)


@dataclass(frozen=True)
class _Carried:
    graphs: Mapping[str, Features]
    rows: tuple[Row, ...]
    """Those with a graph, without duplicates."""
    unmapped: tuple[Unmapped, ...]


def _carried_table() -> _Carried:
    graphs, table = read_graphs(), read_rows(CARRIED)
    unmapped = tuple(Unmapped(row.id, _reason(row)) for row in table if row.graph not in graphs)
    return _Carried(graphs, mapped(table, graphs), unmapped)


def _cross_validate(
    carried: _Carried, left_out: LeftOut, folds: Mapping[LeftOut, int], progress: Progress
) -> CrossValidation:
    advance = partial(progress, f"leave {left_out} out")
    return cross_validate(carried.rows, carried.graphs, left_out, folds[left_out], advance)


def _check(carried: _Carried, left_out: LeftOut) -> list[float]:
    """Returns the latencies in ms that least squares predicts."""
    names = group_names(carried.rows, carried.graphs, left_out)
    return [math.exp(value) for value in left_out_least_squares(carried.rows, carried.graphs, names)]


def _judged(carried: _Carried, left_out: LeftOut, made: CrossValidation, least_squares: Sequence[float]) -> Validation:
    rows, graphs = carried.rows, carried.graphs
    found = _validation(_WORDS[left_out], rows, made.predicted, carried.unmapped, least_squares)
    if left_out != "device":
        return found
    by_id = {row.id: row for row in rows}
    tried = try_anchors(left_out_errors(rows, graphs, made, "not measured"))
    scores = (anchored_score(count, by_id, predicted) for count, predicted in tried.items())
    return replace(found, anchored=tuple(scores))


def validate_table(path: Path, progress: Progress) -> Validation:
    """Predicts each row of a table without reading its latency.

    Rows that the carried table has too are predicted without their graph; for the others, the shipped coefficients are
    used. Graphs of networks that are not carried are captured from timm.

    Args:
        path: CSV with the columns of the carried table.
        progress: Progress callback.

    Raises:
        UsageError: the table cannot be read, or none of its rows can be predicted.
    """
    table = read_rows(path)
    graphs, reasons = _graphs_of(table, progress)
    rows = [row for row in table if row.graph in graphs]
    unmapped = [Unmapped(row.id, reasons[row.graph]) for row in table if row.graph not in graphs]
    if not rows:
        raise UsageError(f"none of the {len(table)} rows of {path} can be predicted", "see edgevit devices validate")
    carried = mapped(read_rows(CARRIED), graphs)
    known = {_content(row): at for at, row in enumerate(carried)}
    refitted: Sequence[RowPrediction] = ()
    if any(_content(row) in known for row in rows):
        refitted = cross_validate(carried, graphs, "graph", FOLDS["graph"], partial(progress, "fit")).predicted
    model = load_cost_model()
    log_ms = predict_rows(model, rows, graphs)
    predicted = []
    for row, value in zip(rows, log_ms, strict=True):
        at = known.get(_content(row))
        if at is not None:
            other = refitted[at]
            predicted.append(RowPrediction(row.id, other.p50, other.low, other.high, other.basis))
        else:
            found = basis(model, row.configuration)
            half = found.widening * model.intervals.half_width(found.regime, row.configuration)
            predicted.append(row_prediction(row.id, float(value), half, found.words))
    return _validation("the row, or its graph where the carried table has the row", rows, predicted, unmapped, ())


def _content(row: Row) -> tuple[object, ...]:
    return row.graph, row.configuration, row.latency_ms, row.source


def _graphs_of(rows: Sequence[Row], progress: Progress) -> tuple[Mapping[str, Features], Mapping[str, str]]:
    """Returns the features of every graph that can be had, and for the others the reason why not."""
    graphs, reasons = read_graphs(), {}
    missing = {row.graph: row for row in rows if row.graph not in graphs}
    for done, (name, row) in enumerate(missing.items()):
        try:
            graphs[name] = capture_features(row.model, row.size)
        except ImportError as error:
            reasons[name] = f"its graph is not carried, and cannot be captured here: {error}"
        except (UsageError, RuntimeError, ValueError, TypeError, AssertionError) as error:
            reasons[name] = f"no graph: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        progress("capture", done + 1, len(missing))
    return graphs, reasons


def _reason(row: Row) -> str:
    return f"no definition of {row.model.removeprefix('*')}"


def _validation(
    left_out: str,
    rows: Sequence[Row],
    predicted: Sequence[RowPrediction],
    unmapped: Sequence[Unmapped],
    least_squares: Sequence[float],
) -> Validation:
    checks = list(least_squares) or [math.nan] * len(rows)
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        members[(row.configuration.device, row.configuration.unit)].append(at)
    chosen = [(("all", "all"), list(range(len(rows)))), *sorted(members.items(), key=lambda item: -len(item[1]))]
    scores = tuple(
        score(device, unit, [(rows[at], predicted[at]) for at in ats], [checks[at] for at in ats])
        for (device, unit), ats in chosen
    )
    return Validation(left_out, scores, tuple(predicted), tuple(unmapped))
