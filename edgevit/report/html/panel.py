"""What the plots of the HTML report share: a place on the page, colours, and a style that leaves the rest to its style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgevit.results.run import Run

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Of Okabe and Ito's colour-blind-safe palette those that are told from a white and from a dark page alike."""


@dataclass(frozen=True)
class Panel:
    """One plot."""

    name: str
    """Of its element on the page."""
    title: str
    description: str
    """What it shows, in words, for people who do not see it."""
    numbers: tuple[int, ...]
    """Ranks of the candidates in it, one for each point; none for plots of layers."""


def runtime_colours(run: Run) -> dict[str, str]:
    """Returns the colour of each runtime of a run; the same in all plots."""
    runtimes = sorted({candidate.backend for candidate in run.candidates})
    return {runtime: COLOURS[index % len(COLOURS)] for index, runtime in enumerate(runtimes)}


def calm(plot: Figure) -> None:
    """Leaves the colours of a plot to the style sheet of the page."""
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    plot.toolbar.logo = None
    plot.xaxis.axis_label_text_font_style = plot.yaxis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font = plot.axis.major_label_text_font = "system-ui, sans-serif"
    plot.axis.axis_label_text_font_size = plot.axis.major_label_text_font_size = "12px"
    plot.axis.minor_tick_line_color = None
    plot.min_border_right = 12
