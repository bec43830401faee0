"""The picture of fine-tuning: how far the answers are from the dense model's, by the number of views."""

from __future__ import annotations

import io
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.finetune import Finetune, FinetunePoint
from edgevit.results.run import Run
from edgevit.run.files import write_atomically

# Okabe and Ito's colour-blind-safe palette; the marker carries the same information.
_LOOKS = (("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#D55E00", "P"))


def can_draw_finetunes(run: Run) -> bool:
    """Returns whether a run has something to draw."""
    return bool(run.finetunes)


@draws_plain_text
def draw_finetunes(run: Run, path: Path) -> None:
    """Draws a line for each fine-tuning as PNG, atomically; the step that was taken is marked.

    Args:
        run: With at least one.
        path: File to write.

    Raises:
        UsageError: there is none.
    """
    if not can_draw_finetunes(run):
        raise UsageError("nothing to draw: the run tuned nothing", "give --finetune quick, full or auto")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    trainings: dict[tuple[FinetunePoint, ...], list[Finetune]] = {}
    for finetune in run.finetunes:  # in float one for all runtimes
        trainings.setdefault(finetune.curve, []).append(finetune)
    for number, (curve, tuned) in enumerate(trainings.items()):
        colour, marker = _LOOKS[number % len(_LOOKS)]
        views = [point.images_seen for point in curve]
        axes.plot(views, [p.divergence for p in curve], color=colour, marker=marker, ms=4, label=_label(tuned))
        seen = tuned[0].images_seen
        taken = [p.divergence for p in curve if p.images_seen == seen]
        axes.plot([seen] * len(taken), taken, marker="o", ms=11, mfc="none", mec=colour, mew=1.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("views of images")
    axes.set_ylabel("KL divergence from the model that is learned from (nats)")
    axes.set_title(
        "Fine-tuning as trained, on the images kept apart; a ring marks the step taken",
        loc="left",
        fontsize=10,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())


def _label(tuned: list[Finetune]) -> str:
    """Names what one training tuned."""
    simulated = ", int8 simulated" if tuned[0].simulated else ""
    names = ",\n".join(finetune.untuned or finetune.variant for finetune in tuned)
    return f"{names}, {tuned[0].rung}{simulated}"
