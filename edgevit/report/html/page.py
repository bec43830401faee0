"""Fills the template of the HTML report.

Every text goes through the template's autoescape; control characters in it are written out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.report.contributions import contributions_section
from edgevit.report.decision import decisions, device_answers, why_none
from edgevit.report.details import details
from edgevit.report.evidence import Evidence
from edgevit.report.front import devices_of, front, levels, points_on
from edgevit.report.html.figures import Figures, draw_figures
from edgevit.report.html.from_markdown import to_html, to_sections
from edgevit.report.html.layers import layer_time_table, quantized_table, sensitivity_table
from edgevit.report.html.panel import runtime_colours
from edgevit.report.plans import plan_of
from edgevit.report.reproduction import compress_command, explain_command, load_lines, script_command
from edgevit.report.setting import headline, legend, notes_of, setting_rows
from edgevit.report.shift import shift_section
from edgevit.report.table import columns, reasons_of, rows_of, speed_up, status_of
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST
from edgevit.results.run import Run

if TYPE_CHECKING:
    from jinja2 import Environment

NEEDS = ("bokeh", "jinja2")
"""Packages of the extra ``report`` that the page is made with."""


@dataclass(frozen=True)
class _Cell:
    text: str
    numeric: bool
    sort: str
    """What its column is sorted by: a number where it has one, else its text."""


@dataclass(frozen=True)
class _Row:
    number: int
    runtime: str
    scheme: str
    plan: str
    status: str
    cells: tuple[_Cell, ...]
    is_chosen: bool


@dataclass(frozen=True)
class _Filter:
    """Values of one property that candidates can be filtered by."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Hash:
    what: str
    sha256: str


def render_page(run: Run, evidence: Evidence) -> str:
    """Returns the report of a run as one HTML page that needs no network and no other file.

    Args:
        run: The run.
        evidence: What is known of its layers and tokens beside it.

    Returns:
        The same page for the same run and evidence.
    """
    figures = draw_figures(run, evidence)
    ranked = rows_of(run)
    rows = _rows(run)
    contributed = contributions_section(run)
    return _environment().get_template("page.html.j2").render(
        title=headline(run),
        run=run,
        colours=runtime_colours(run),
        decisions=decisions(run),
        unchosen=[why_none(run, device) for device, name in run.choices.items() if name is None],
        devices=device_answers(run),
        is_for_host=list(run.choices) == [HOST],
        command=compress_command(run),
        load=load_lines(run.chosen) if run.chosen else "",
        script=script_command(run.chosen) if run.chosen else "",
        notes=notes_of(run),
        setting=setting_rows(run),
        figures=figures,
        levels=[
            (text, kind)
            for level, text, kind in zip(levels(run), ("float baseline", "largest drop allowed"), ("line", "dash"), strict=True)
            if level is not None
        ],
        filters=_filters(rows),
        columns=columns(run),
        rows=rows,
        legend=legend(run),
        rejected=[
            (number, candidate.id, status_of(run, candidate), reasons_of(candidate))
            for number, candidate in enumerate(ranked, 1)
            if candidate.status != "ok" or reasons_of(candidate)
        ],
        contributed=to_html(contributed.partition("\n\n")[2]) if contributed else "",
        shifts=[(at, each.id, to_html(shift_section(each.shift))) for at, each in enumerate(ranked, 1) if each.shift],
        quantized=quantized_table(run),
        sensitivities=list(
            zip([sensitivity_table(each) for each in evidence.sensitivities if each.layers], figures.sensitivities, strict=True)
        ),
        layer_times=list(
            zip(
                [layer_time_table(each.artifact, each.times) for each in evidence.layer_times if each.times.layers],
                figures.layer_times,
                strict=True,
            )
        ),
        pictures=[(each, base64.b64encode(each.png).decode("ascii")) for each in evidence.pictures],
        left_out=evidence.left_out,
        explain=explain_command(run),
        hashes=_hashes(run),
        details=to_sections(details(run)),
        style=_file("page.css"),
        script_of_page=_file("page.js"),
        bokeh=_bokeh(),
        plots=_for_script(_plots(figures)),
    )  # fmt: skip


def _rows(run: Run) -> tuple[_Row, ...]:
    shown, chosen = columns(run), set(run.choices.values())
    everywhere = (HOST, *(board.name for board in run.boards), *devices_of(run))
    best = {point.number for device in everywhere for point in front(points_on(run, device))}
    found = []
    for number, candidate in enumerate(rows_of(run), 1):
        cells = []
        for column in shown:
            text = column.cell(run, candidate)
            if column.title == "status" and number in best:
                text = f"{text}, on the front"
            amount = _AMOUNTS.get(column.title)
            value = amount(run, candidate) if amount else None
            sort = text if amount is None else "" if value is None else repr(float(value))
            cells.append(_Cell(text, column.numeric, sort))
        found.append(
            _Row(
                number,
                candidate.backend,
                candidate.scheme,
                plan_of(candidate),
                candidate.status,
                tuple(cells),
                candidate.id in chosen,
            )
        )
    return tuple(found)


def _judged(candidate: Candidate) -> float | None:
    score = candidate.accuracy.judged if candidate.accuracy else None
    return score.value if score else None


def _change(candidate: Candidate) -> float | None:
    score = candidate.accuracy.judged if candidate.accuracy else None
    return None if score is None or score.drop is None else -score.drop


def _memory(candidate: Candidate) -> float | None:
    measurement = candidate.measurement()
    return measurement.peak_rss_bytes if measurement else None


_AMOUNTS: dict[str, Callable[[Run, Candidate], float | None]] = {
    "rank": lambda run, c: 1 + [each.id for each in rows_of(run)].index(c.id),
    "top-1": lambda _, c: c.accuracy.top1 if c.accuracy else None,
    "change": lambda _, c: _change(c),
    "agreement": lambda _, c: c.verification.top1_agreement if c.verification else None,
    "host p50": lambda _, c: c.p50_ms,
    "host speed-up": speed_up,
    "size": lambda _, c: c.artifact.size_bytes if c.artifact else None,
    "process memory": lambda _, c: _memory(c),
    "int8": lambda _, c: c.artifact.int8_mac_share if c.artifact else None,
    "float layers": lambda _, c: c.artifact.float_layer_count if c.artifact else None,
}
"""By title of a column, what it is sorted by; others are sorted by their text."""


def _filters(rows: Sequence[_Row]) -> tuple[_Filter, ...]:
    named = (
        _Filter("runtime", tuple(dict.fromkeys(row.runtime for row in rows))),
        _Filter("scheme", tuple(dict.fromkeys(row.scheme for row in rows))),
        _Filter("plan", tuple(dict.fromkeys(row.plan for row in rows))),
    )
    return tuple(each for each in named if len(each.values) > 1)


def _hashes(run: Run) -> tuple[_Hash, ...]:
    found = [_Hash("spec", run.spec_sha256)]
    if run.calibration:
        found.append(
            _Hash(
                f"{len(run.calibration.ids)} calibration images from {run.calibration.source}", run.calibration.sha256
            )
        )
    return (*found, *(_Hash(each.artifact.path, each.artifact.sha256) for each in rows_of(run) if each.artifact))


def _plots(figures: Figures) -> dict[str, Any]:
    """What the script of the page draws and filters."""
    panels = (*figures.fronts, *figures.sensitivities, *figures.layer_times)
    return {"document": figures.document, "panels": [panel.name for panel in panels]}


def _for_script(value: Any) -> str:
    """Returns JSON that may stand within a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return units.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, finalize=finalize, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _file(name: str) -> Any:
    """A file of this folder, as it is."""
    from markupsafe import Markup

    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))


@cache
def _bokeh() -> Any:
    """Bokeh's script, as its package has it."""
    from bokeh.resources import Resources
    from markupsafe import Markup

    return Markup("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw))
