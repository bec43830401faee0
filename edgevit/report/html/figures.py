"""All interactive plots of the HTML report, as one Bokeh document."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from edgevit.report.evidence import Evidence
from edgevit.report.front import devices_of
from edgevit.report.html.front_figures import draw_measured, draw_measured_on, draw_predicted
from edgevit.report.html.layer_figures import draw_layer_times, draw_sensitivity
from edgevit.report.html.panel import Panel
from edgevit.results.run import Run


@dataclass(frozen=True)
class Figures:
    """All plots of a page, and the Bokeh document that draws them."""

    fronts: tuple[Panel, ...]
    sensitivities: tuple[Panel, ...]
    layer_times: tuple[Panel, ...]
    document: dict[str, Any]
    """As JSON; its roots are named as the panels."""


def draw_figures(run: Run, evidence: Evidence) -> Figures:
    """Draws all plots of a page.

    Args:
        run: The run.
        evidence: What is known of its layers.
    """
    from bokeh.document import Document

    boards = chain.from_iterable(draw_measured_on(run, board.name) for board in run.boards)
    devices = chain.from_iterable(draw_predicted(run, device) for device in devices_of(run))
    fronts = [*draw_measured(run), *boards, *devices]
    sensitivities = [
        draw_sensitivity(number, each) for number, each in enumerate(evidence.sensitivities) if each.layers
    ]
    times = [draw_layer_times(number, each) for number, each in enumerate(evidence.layer_times) if each.times.layers]
    drawn = [*fronts, *sensitivities, *times]
    document = Document()
    for panel, plot in drawn:
        plot.name = panel.name
        document.add_root(plot)
    first, second, third = (tuple(panel for panel, _ in group) for group in (fronts, sensitivities, times))
    return Figures(first, second, third, _renumbered(document.to_json(deferred=False)))


def _renumbered(document: dict[str, Any]) -> dict[str, Any]:
    """Gives the models of a Bokeh document ids that do not depend on what was drawn before, so that equal runs give equal pages."""
    numbers: dict[str, str] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: numbers.setdefault(each, f"p{len(numbers)}") if key == "id" else walk(each)
                for key, each in value.items()
            }
        return [walk(each) for each in value] if isinstance(value, list | tuple) else value

    found: dict[str, Any] = walk(document)
    return found
