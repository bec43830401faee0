"""Shows what a distillation brought."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli.terminal import print_line

if TYPE_CHECKING:
    from edgevit.results.distillation import DistillReport, TopOne


def print_distillation(report: DistillReport, folder: Path) -> None:
    """Prints what was trained, the accuracy before and after, and the command that compresses it.

    Args:
        report: What was found.
        folder: That holds the weights.
    """
    taught_by = report.teacher or "labels alone"
    if report.teacher and report.images.labels:
        taught_by += " and labels"
    print_line(
        f"{report.student}: trained on {taught_by}, {units.count(report.images.images)} images of {report.images.source},"
        f" {report.steps} steps on {report.device} in {units.seconds(report.seconds)}"
    )
    best = next(point for point in report.curve if point.step == report.best_step)
    on_kept = "KL divergence" if best.kept_top1 is None else "cross entropy"
    top1 = "" if best.kept_top1 is None else f"top-1 {units.percent(best.kept_top1)}, "
    print_line(
        f"weights of step {best.step}: {top1}{on_kept} {best.kept_loss:.3f} on {report.images.kept} images kept apart"
    )
    found = report.evaluation
    if found:
        teacher = f", teacher {_top_one(found.teacher)}" if found.teacher else ""
        change = 100 * (found.after.top1 - found.before.top1)
        print_line(
            f"top-1 on {found.images} other images: {_top_one(found.before)} before, {_top_one(found.after)} after"
            f" ({change:+.1f} pt, {found.gain.low:+.1f} to {found.gain.high:+.1f}){teacher}"
        )
    for note in report.notes:
        print_line(f"note: {note}")
    print_line(f"written: {folder}")
    if report.spec["distill"]["token"]:
        print_line(
            f"compress it: the weights have a distillation token, which {report.student} lacks; `edgevit compress` with the same"
            " [distill] trains and compresses in one run"
        )
    else:
        print_line(f"compress it: {compress_command(report, folder)}")


def compress_command(report: DistillReport, folder: Path) -> str:
    """Returns the command that compresses a trained model.

    Args:
        report: What was found.
        folder: That holds the weights.
    """
    spec = report.spec
    model, data, tokens = spec["model"], spec["data"]["evaluation"], spec["passes"]["tokens"]
    words = ["edgevit", "compress", str(model["name"]), "--weights", str(folder / report.weights)]
    words += ["--set", f"model.num_classes={model['num_classes']}"] if model["num_classes"] else []
    words += ["--data", str(data)] if data else []
    words += ["--tokens", str(tokens)] if tokens != "none" else []
    return shlex.join(words)


def _top_one(found: TopOne) -> str:
    interval = found.interval
    return f"{units.percent(found.top1)} ({units.percent(interval.low)} to {units.percent(interval.high)})"
