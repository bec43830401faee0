"""The front of accuracy and latency that token reduction reaches, in one run: ``make bench-tokens``.

For every runtime, ``edgevit compress`` makes ViT-Tiny by every method, schedule and baseline of token reduction, and
quantizes the most promising ones; all are evaluated on all images. Then each artifact is timed alternately with the
dense float32 one of its runtime, in a fresh process, one thread; the ratio is that of warm runs. The output is a table,
a picture and the goals. Without a data folder a few plans are run on the bundled digits.

    python -m benchmarks.tokens [--data DIR] [--out DIR] [--runtime NAME] [--plans PLANS] [--form FORM] [--redraw]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from benchmarks.front_plot import Panel, Point, Region, draw_panels
from benchmarks.models import Case, default_data, digits, real
from benchmarks.ratios import compared, finished_run
from edgevit import units
from edgevit.backends import get_backend
from edgevit.cli.terminal import print_line, print_message, print_table
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.paired import PairedLatency
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.run.files import write_atomically
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.token_plan import AUTO, FORMS, RESIZINGS, ResizePlan, parse_plans

RUNTIMES = ("litert", "openvino", "onnxruntime")
PLANS = "tome:0.8,squeeze:4=148,6=98,evit:0.8,evit_fused:0.8,tome:13,squeeze:4=103,7=63,resolution:208,patch:18,auto"
DIGITS_PLANS = "evit:0.7,evit_fused:0.7,tome:0.8,squeeze:0.7,resolution:28,patch:3,auto"
PROMISING = ("tome:0.8", "squeeze:4=148,6=98")
"""Plans to quantize, besides what "auto" finds; the others are made in float32 alone, which takes half of the time."""
REWRITTEN = "dense, rewritten"
"""The plan of a row of a dense float32 file that int8 starts from."""
MAX_DROP = 2.0
SEARCHED_MAX_DROP = 1.5
"""For "auto", which uses all of the drop allowed."""
MAX_MINUTES = 1.0
"""For the repair of one quantized candidate; more would be spent on candidates that reach no goal."""

Kind = Literal["float32", "int8", "other"]


@dataclass(frozen=True)
class Goal:
    """What is asked of one kind of artifact in one runtime."""

    kind: Kind
    speed_up: float
    """Over the dense float32 artifact."""
    max_drop: float

    def __str__(self) -> str:
        return f"{self.kind} ≥ {self.speed_up:g} × at ≤ {self.max_drop:.1f} pt"


_FLOAT_GOALS = (Goal("float32", 1.25, 1.0), Goal("float32", 1.5, 2.0))
GOALS = {
    "litert": (*_FLOAT_GOALS, Goal("int8", 3.0, 1.5)),
    "openvino": (*_FLOAT_GOALS, Goal("int8", 3.3, 1.5)),
    "onnxruntime": (*_FLOAT_GOALS, Goal("int8", 2.5, 1.5)),
}
"""Of ViT-Tiny on ImageNet."""


@dataclass(frozen=True)
class Row:
    """One artifact."""

    runtime: str
    plan: str
    method: str
    searched: bool
    """Whether "auto" found the plan for this runtime."""
    form: str
    """Export form of its token selection."""
    other_form: str
    """The form that was not continued, and its speed-up."""
    kind: Kind
    numerics: str
    gmacs: float | None
    """Of the float program."""
    top1: float | None
    drop_points: float | None
    """Against the dense float32 model in PyTorch."""
    delegate: str
    status: str
    note: str = ""
    dense_ms: float | None = None
    ms: float | None = None

    @property
    def speed_up(self) -> float | None:
        """Over the dense float32 artifact of the same runtime."""
        return self.dense_ms / self.ms if self.dense_ms and self.ms else None


@dataclass(frozen=True)
class Findings:
    """All that the table and the picture show."""

    model: str
    cpu: str
    top1: float
    """Of the dense float32 model in PyTorch."""
    samples: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Plans that one run makes."""

    name: str
    plans: str
    scheme: str
    form: str
    """Export form of token selection: one of the forms, or "auto" for the faster of both."""
    max_drop: float
    """See :class:`edgevit.spec.spec.BudgetSpec`."""


def main() -> None:
    """Makes, measures, prints and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with imagenet_val, weights …")
    parser.add_argument("--out", type=Path, help="folder; finished runs in it are not made again")
    parser.add_argument("--runtime", choices=RUNTIMES, help="one runtime")
    parser.add_argument("--plans", help="instead of those listed in this file, such as evit:0.8,squeeze:4=148,6=98")
    parser.add_argument("--form", choices=("auto", *FORMS), default="auto", help="one form takes half of the time")
    parser.add_argument("--redraw", action="store_true", help="table and picture of what was measured in --out")
    arguments = parser.parse_args()
    if arguments.redraw and arguments.out is None:
        parser.error("--redraw needs --out")
    out = arguments.out or Path("runs") / f"bench-tokens-{time.strftime('%Y%m%d-%H%M%S')}"
    if not arguments.redraw:
        if arguments.data is None:
            print_message("no data folder: only the bundled digits are run (--data DIR, or EDGEVIT_DATA)")
        case = next(real(arguments.data)) if arguments.data else digits()
        plans = arguments.plans or (PLANS if arguments.data else DIGITS_PLANS)
        _measure(
            case, groups(plans, arguments.form), RUNTIMES if arguments.runtime is None else (arguments.runtime,), out
        )
    _show(TypeAdapter(Findings).validate_json((out / "rows.json").read_bytes()), out)


def groups(plans: str, form: str = "auto") -> tuple[Group, ...]:
    """Returns the plans grouped by whether they are quantized too or stay in float32."""
    names = [str(plan) for plan in parse_plans(plans)]
    quantized = [name for name in names if name in PROMISING]
    floats = [name for name in names if name not in (*quantized, AUTO)]
    return (
        Group("int8", ",".join(quantized) or "none", "auto", form, MAX_DROP),
        *([Group("searched", AUTO, "auto", form, SEARCHED_MAX_DROP)] if AUTO in names else ()),
        *([Group("float32", ",".join(floats), "fp32", form, MAX_DROP)] if floats else ()),
    )


def _measure(case: Case, parts: tuple[Group, ...], runtimes: tuple[str, ...], out: Path) -> None:
    """Makes all artifacts first, then measures all of them, and writes ``rows.json`` after each."""
    folders = [out / "-".join(runtimes) / part.name for part in parts]
    runs = [_made(case, part, runtimes, folder) for part, folder in zip(parts, folders, strict=True)]
    baseline = runs[0].baseline
    assert baseline.top1 is not None, "images of benchmarks have labels"
    notes = tuple(dict.fromkeys(note for run in runs for note in _search_notes(run)))
    findings = Findings(case.name, runs[0].host.cpu, baseline.top1, baseline.samples, (), notes)
    for runtime in runtimes:
        for run, folder in zip(runs, folders, strict=True):
            for row in _rows(runtime, run, folder, with_dense=run is runs[0]):
                findings = replace(findings, rows=(*findings.rows, row))
                write_atomically(out / "rows.json", TypeAdapter(Findings).dump_json(findings, indent=1))


def _made(case: Case, part: Group, runtimes: tuple[str, ...], folder: Path) -> Run:
    """One run for all runtimes, so that what PyTorch does for a plan is done once."""
    picks = any(not isinstance(plan, ResizePlan) for plan in parse_plans(part.plans))
    document = {
        **case.document,
        "passes": {"tokens": part.plans, "form": part.form if picks else "auto"},
        "export": {"backends": runtimes, "schemes": [part.scheme]},
        "budget": {"max_drop": part.max_drop},
        "quantize": {"max_minutes": MAX_MINUTES},
        "measure": {"min_seconds": 0.2},  # latencies are measured again, in rounds
    }
    print_message(f"{case.name}, {', '.join(runtimes)}, {part.scheme}: {part.plans} …")
    begin = time.monotonic()
    run = finished_run(resolve_spec(None, None, document), folder)
    print_message(f"{folder}: {(time.monotonic() - begin) / 60:.1f} minutes")
    return run


def _search_notes(run: Run) -> Iterator[str]:
    for search in run.token_searches:
        yield f"auto for {search.backend}: {search.plan or search.note}, {len(search.tried)} plans tried"
    yield from (note for note in run.notes if "token plan" in note)


def _rows(runtime: str, run: Run, folder: Path, *, with_dense: bool) -> Iterator[Row]:
    """One row for every artifact, except those of a form that was not continued, measured against the dense one."""
    candidates = [candidate for candidate in run.candidates if candidate.backend == runtime]
    dense = candidates[0]
    if dense.artifact is None:
        raise RuntimeError(f"{dense.id} failed: {dense.reasons}")
    chosen, dropped = _forms(candidates)
    for candidate in chosen:
        if not candidate.passes and not with_dense:
            continue
        row = _row(run, candidate, dropped)
        if candidate.artifact is None or candidate.status == "failed":
            yield row
            continue
        print_message(f"{candidate.id}: timed with {dense.id} …")
        artifact, precision = folder / candidate.artifact.path, SCHEMES[candidate.scheme].precision
        yield _timed(row, dense, folder, artifact, precision)
        if candidate is dense:
            for path in _rewritten(runtime, folder):
                steps = path.parent.name.removeprefix("dense-").replace("-", " ")
                plain = replace(row, plan=REWRITTEN, top1=None, drop_points=None, gmacs=None, delegate="–")
                yield _timed(replace(plain, note=f"what int8 starts from: {steps}"), dense, folder, path, "f32")


def _timed(row: Row, dense: Candidate, folder: Path, artifact: Path, precision: str) -> Row:
    try:
        found: PairedLatency = compared(dense, folder, artifact, precision)
    except (CandidateFailed, UsageError) as error:
        return replace(row, status="failed", note=error.message)
    return replace(row, dense_ms=found.first_ms, ms=found.second_ms)


def _rewritten(runtime: str, folder: Path) -> list[Path]:
    """Dense float32 files that were rewritten for int8; their speed-up is not due to fewer tokens."""
    return sorted((folder / "work" / "prepared" / runtime).glob(f"dense-*/model{get_backend(runtime).suffix}"))


def _forms(candidates: list[Candidate]) -> tuple[list[Candidate], dict[str, Candidate]]:
    """Candidates of one runtime without those of slower forms, and by plan the float candidates so left out."""
    left: dict[str, Candidate] = {}
    floats = [candidate for candidate in candidates if candidate.scheme == "fp32"]
    for plan, alternatives in groupby(floats, _plan):
        _, *others = sorted(alternatives, key=lambda candidate: -(candidate.speed_up or 0.0))
        parents = {candidate.parent for candidate in candidates}
        left.update((plan, other) for other in others if other.id not in parents)
    slower = {_slug(candidate) for candidate in left.values()}
    return [candidate for candidate in candidates if _slug(candidate) not in slower], left


def _row(run: Run, candidate: Candidate, dropped: dict[str, Candidate]) -> Row:
    plan, scheme = _plan(candidate), SCHEMES[candidate.scheme]
    in_float = candidate.artifact.float_layer_count if candidate.artifact else 0
    accuracy, measured = candidate.accuracy, candidate.measurement()
    macs = candidate.passes[-1].macs_after if candidate.passes else run.baseline.macs
    return Row(
        runtime=candidate.backend,
        plan=plan,
        method=plan.partition(":")[0],
        searched=any((plan, candidate.backend) == (search.plan, search.backend) for search in run.token_searches),
        form=_form(candidate),
        other_form=_other_form(dropped.get(plan)),
        kind="float32" if candidate.scheme == "fp32" else "int8" if scheme.is_int8 else "other",
        numerics="float32"
        if candidate.scheme == "fp32"
        else candidate.scheme + (f", {in_float} in float" * (in_float > 0)),
        gmacs=macs / 1e9,
        top1=accuracy.top1 if accuracy else None,
        drop_points=accuracy.drop_points if accuracy else None,
        delegate=measured.conditions.delegate if measured else "–",
        status=candidate.status,
        note="; ".join(candidate.reasons),
    )


def _plan(candidate: Candidate) -> str:
    return candidate.passes[-1].settings if candidate.passes else "dense"


def _slug(candidate: Candidate) -> str:
    return candidate.id.rpartition("/")[2]


def _form(candidate: Candidate) -> str:
    if not candidate.passes or _plan(candidate).partition(":")[0] in RESIZINGS:
        return "–"
    return _slug(candidate).rpartition("-")[2]


def _other_form(candidate: Candidate | None) -> str:
    if candidate is None:
        return "–"
    speed_up = candidate.speed_up
    return f"{_form(candidate)} {'failed' if speed_up is None else f'{speed_up:.2f} ×'}"


def front(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Returns the Pareto front: rows that no other row beats in accuracy without being slower, by increasing speed."""
    found: list[Row] = []
    for row in sorted(_measured(rows), key=lambda row: (-(row.speed_up or 0.0), -(row.top1 or 0.0))):
        if not found or (row.top1 or 0.0) > (found[-1].top1 or 0.0):
            found.append(row)
    return tuple(reversed(found))


def _measured(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.speed_up is not None and row.top1 is not None]


def _show(findings: Findings, out: Path) -> None:
    titles = (
        "runtime", "plan", "method", "form", "other form", "numerics", "GMACs", "top-1", "change", "dense ms", "ms", "ratio",
        "provider / delegate", "front", "status", "note",
    )  # fmt: skip
    rows = [row for runtime in RUNTIMES for row in _ordered(findings, runtime)]
    print_table(titles, [_cells(row, findings) for row in rows], numeric=range(6, 12))
    print_line()
    print_line(
        f"{findings.model}: dense float32 in PyTorch has {100 * findings.top1:.2f} % top-1 on {findings.samples} images, of"
        f" which each is {100 / findings.samples:.2f} points; {findings.cpu}, 1 thread. Ratio: over the dense float32"
        " artifact of the same runtime. Front: of all artifacts of a runtime, or of its float32 or int8 ones alone."
    )
    for note in findings.notes:
        print_line(note)
    if findings.model == "vit_tiny_patch16_224":
        _print_goals(findings)
    panels = tuple(_panel(findings, runtime) for runtime in RUNTIMES if _measured(_of(findings, runtime)))
    if panels:
        title = f"{findings.model}: token reduction on {findings.cpu}, 1 thread, {findings.samples} images"
        draw_panels(panels, 100 * findings.top1, title, out / "tokens.png")
        print_message(f"picture: {out / 'tokens.png'}")


def _of(findings: Findings, runtime: str, kind: Kind | None = None) -> list[Row]:
    return [row for row in findings.rows if row.runtime == runtime and kind in (None, row.kind)]


def _ordered(findings: Findings, runtime: str) -> list[Row]:
    """Float rows, then the others, each by rising speed; those not measured last."""
    return sorted(
        _of(findings, runtime),
        key=lambda row: (("float32", "int8", "other").index(row.kind), row.speed_up or float("inf")),
    )


def _cells(row: Row, findings: Findings) -> tuple[str, ...]:
    return (
        row.runtime,
        _name(row),
        row.method,
        row.form,
        row.other_form,
        row.numerics,
        _cell(row.gmacs, "{:.3f}"),
        _cell(row.top1, "{:.2%}"),
        units.accuracy_change(row.drop_points, 2),
        _cell(row.dense_ms, "{:.3f}"),
        _cell(row.ms, "{:.3f}"),
        _cell(row.speed_up, "{:.2f}"),
        row.delegate,
        _front_cell(row, findings),
        row.status,
        row.note,
    )


def _front_cell(row: Row, findings: Findings) -> str:
    if row in front(_of(findings, row.runtime)):
        return "all"
    return row.kind if row in front(_of(findings, row.runtime, row.kind)) else "–"


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _print_goals(findings: Findings) -> None:
    """Prints for every goal which plans reach it, fastest first, or which comes nearest."""
    rows = []
    for runtime in RUNTIMES:
        for goal in GOALS[runtime]:
            fitting = _within(findings, runtime, goal)
            reached = [row for row in fitting if (row.speed_up or 0.0) >= goal.speed_up]
            verdict = f"reached by {len(reached)}" if reached else "missed"
            best = "; ".join(map(_brief, reached or fitting[:1])) or "nothing was measured within the drop"
            if _of(findings, runtime):
                rows.append((runtime, str(goal), verdict, best))
    print_line()
    print_table(("runtime", "goal", "verdict", "plans, fastest first; the nearest one where missed"), rows)


def _within(findings: Findings, runtime: str, goal: Goal) -> list[Row]:
    """Usable rows within the drop of a goal, fastest first."""
    rows = [
        row
        for row in _measured(_of(findings, runtime, goal.kind))
        if row.status == "ok" and row.drop_points is not None and row.drop_points <= goal.max_drop + 1e-9
    ]
    return sorted(rows, key=lambda row: -(row.speed_up or 0.0))


def _name(row: Row) -> str:
    return row.plan + (" (auto)" if row.searched else "")


def _brief(row: Row) -> str:
    form = "" if row.form == "–" else f" {row.form}"
    return f"{_name(row)}{form} {row.speed_up:.2f} × at {units.accuracy_change(row.drop_points, 2)}"


def _panel(findings: Findings, runtime: str) -> Panel:
    rows = _of(findings, runtime)
    fronts = front(rows), front(_of(findings, runtime, "float32"))
    labelled = {row for each in fronts for row in each}
    named = [row for row in _measured(rows) if row.plan == "dense" or row.searched]
    labelled.update({(row.plan, row.kind): row for row in sorted(named, key=lambda row: row.speed_up or 0.0)}.values())
    points = {row: _point(row, named=row in labelled) for row in _measured(rows)}
    goals = GOALS[runtime] if findings.model == "vit_tiny_patch16_224" else ()
    marks = tuple(
        ("dense float32, rewritten", row.speed_up) for row in rows if row.plan == REWRITTEN
        and row.speed_up is not None
    )  # fmt: skip
    return Panel(
        title=get_backend(runtime).title,
        points=tuple(points.values()),
        fronts=tuple(tuple(points[row] for row in each) for each in fronts),
        regions=tuple(Region(str(goal), goal.speed_up, goal.max_drop, goal.kind == "int8") for goal in goals),
        marks=marks,
    )


def _point(row: Row, *, named: bool) -> Point:
    assert row.speed_up is not None
    assert row.top1 is not None
    method = AUTO if row.searched else row.method
    return Point(_name(row), named, method, row.kind != "float32", row.speed_up, 100 * row.top1)


if __name__ == "__main__":
    main()
