"""The learning curve of a distillation: loss, and accuracy on the images kept apart, by epoch."""

from __future__ import annotations

import io
from pathlib import Path

from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.results.distillation import DistillReport
from edgevit.run.files import write_atomically

# Okabe and Ito's colour-blind-safe palette; line styles carry the same information.
_TRAINED, _KEPT, _TOP1 = "#0072B2", "#E69F00", "#009E73"


@draws_plain_text
def draw_distillation(report: DistillReport, path: Path) -> None:
    """Draws the curve as PNG, atomically; the step whose weights were taken is marked.

    Args:
        report: Of the distillation.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curve = report.curve
    epochs = [point.epoch for point in curve]
    top1 = [(point.epoch, 100 * point.kept_top1) for point in curve if point.kept_top1 is not None]
    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    losses, *others = figure.subplots(1, 1 + bool(top1), squeeze=False)[0]
    trained = [(point.epoch, point.loss) for point in curve if point.loss is not None]
    losses.plot(*zip(*trained, strict=True), color=_TRAINED, label="training loss") if trained else None
    what = "cross entropy" if top1 else "KL divergence from the teacher"
    losses.plot(epochs, [p.kept_loss for p in curve], color=_KEPT, ls="--", label=f"{what}, images kept apart")
    losses.set_ylabel("loss")
    losses.set_ylim(bottom=0)
    for axes in others:
        axes.plot(*zip(*top1, strict=True), color=_TOP1, marker=".", label="top-1, images kept apart")
        if report.evaluation:
            after = 100 * report.evaluation.after.top1
            axes.axhline(after, color="black", lw=1, ls=":", label="top-1 of the weights taken, images of --data")
        axes.set_ylabel("top-1 (%)")
    taken = next((point.epoch for point in curve if point.step == report.best_step), None)
    for axes in (losses, *others):
        if taken is not None:
            axes.axvline(taken, color="grey", lw=1, label="weights taken")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)
    taught_by = f"from {report.teacher}" if report.teacher else "from labels"
    figure.suptitle(f"{report.student}, trained {taught_by}", fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())
