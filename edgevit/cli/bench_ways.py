"""The ways in which ``edgevit bench`` measures one machine: what each finds, as a document and as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit.cli import render_bench

if TYPE_CHECKING:
    from edgevit.measure.machine import Machine
    from edgevit.results.measurement import Measurement
    from edgevit.run.progress import Progress
    from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides


@dataclass(frozen=True)
class Question:
    """What is measured, and how."""

    artifacts: Sequence[Path]
    precision: str
    settings: MeasureSpec
    batch: int | None
    as_json: bool
    """Whether the document will be printed: the digests in it take time."""

    @property
    def artifact(self) -> Path:
        """The one file of a way that takes one."""
        return self.artifacts[0]


@dataclass(frozen=True)
class Outcome:
    """What was found."""

    document: dict[str, Any]
    show: Callable[[], None]
    unstable: str = ""
    """Why it is not to be relied on; "" where it is, or where it is not judged."""
    measurement: Measurement | None = None
    """Of one file, as a run records it."""


Way = Callable[["Machine", Question, "Progress"], Outcome]


def one_file(machine: Machine, asked: Question, progress: Progress) -> Outcome:
    """Measures latency and memory of one file."""
    from edgevit.commands import bench as command

    found = command.measure_file(machine, asked.artifact, asked.precision, asked.settings, asked.batch, progress)
    return _of_measurement(machine, asked, found)


def with_tensorrt(machine: Machine, asked: Question, progress: Progress) -> Outcome:
    """Measures one ONNX file by ``trtexec``."""
    from edgevit.commands.bench_tensorrt import bench_with_tensorrt

    found = bench_with_tensorrt(machine, asked.artifact, asked.precision, asked.settings, progress)
    return _of_measurement(machine, asked, found)


def several_files(machine: Machine, asked: Question, progress: Progress) -> Outcome:
    """Times several files alternately, and ranks them."""
    from edgevit.commands import bench as command
    from edgevit.results.document import to_document

    found = command.compare_files(machine, asked.artifacts, asked.precision, asked.settings, asked.batch, progress)
    return Outcome(
        {"comparison": to_document(found), **_facts(machine, asked, found.threads)},
        partial(render_bench.print_comparison, found, machine.shown),
        "; ".join(f"{file.artifact}: {why}" for file, why in found.not_stable),
    )


def sustained(seconds: float) -> Way:
    """Returns the way that runs one file for long."""
    from edgevit.commands import bench as command
    from edgevit.results.machine_state import not_stable

    def measure(machine: Machine, asked: Question, progress: Progress) -> Outcome:
        found = command.sustain_file(machine, asked.artifact, asked.precision, asked.settings, seconds, progress)
        document = {"artifact": str(asked.artifact), "sustained": render_bench.sustained_document(found)}
        if not machine.is_here:
            document |= command.machine_document(machine, asked.artifacts, found.threads)
        show = partial(render_bench.print_sustained, asked.artifact, found, machine.shown)
        return Outcome(document, show, not_stable(found.unstable, found.machine))

    return measure


def op_times(_: Machine, asked: Question, progress: Progress) -> Outcome:
    """Measures the time of each op of one file."""
    from edgevit.commands import bench as command
    from edgevit.results.document import to_document

    found = command.profile_file(asked.artifact, asked.precision, asked.settings, progress)
    sums = {
        "sum_ms": found.sum_ms,
        "families": [to_document(family) for family in found.families],
        "ops": [to_document(op) for op in found.ops],
    }
    document = {"artifact": str(asked.artifact), "op_times": {**to_document(found), **sums}}
    return Outcome(document, partial(render_bench.print_op_times, asked.artifact, found))


def layers(device: str | None, plot: Path | None, *, wide: bool) -> Way:
    """Returns the way that shows where the time of one file goes, layer by layer.

    Args:
        device: Of this machine, whose peak rates the roofline shows; None where it is not named.
        plot: Folder for pictures; None for none.
        wide: Whether the table has all layers and columns.
    """
    from edgevit.cli import render_layers
    from edgevit.commands.layers import check_pictures, draw, measure_file_layers

    def measure(_: Machine, asked: Question, progress: Progress) -> Outcome:
        check_pictures(plot)
        found = measure_file_layers(asked.artifact, asked.precision, asked.settings, device, progress)
        pictures = draw(asked.artifact.name, found, plot) if plot else ()
        document = {"artifact": str(asked.artifact), **render_layers.layer_times_document(found)}
        return Outcome(document, partial(render_layers.show_measured, asked.artifact, found, pictures, wide=wide))

    return measure


def image_pipeline(images: str, overrides: PreprocessingOverrides) -> Way:
    """Returns the way that times decoding, resizing and the model apart, on images, with what the user gave for tiles."""
    from edgevit.commands.image_pipeline import time_file_pipeline
    from edgevit.results.document import to_document
    from edgevit.results.machine_state import not_stable

    def measure(_: Machine, asked: Question, progress: Progress) -> Outcome:
        found = time_file_pipeline(asked.artifact, asked.precision, asked.settings, images, overrides, progress)
        document = {"artifact": str(asked.artifact), "pipeline": to_document(found)}
        show = partial(render_bench.print_pipeline, asked.artifact, found)
        return Outcome(document, show, not_stable(found.unstable, found.machine))

    return measure


def _of_measurement(machine: Machine, asked: Question, found: Measurement) -> Outcome:
    from edgevit.results.document import to_document
    from edgevit.results.machine_state import not_stable

    return Outcome(
        {
            "artifact": str(asked.artifact),
            "measurement": to_document(found),
            **_facts(machine, asked, found.threads),
        },
        partial(render_bench.print_measurement, asked.artifact, found, machine.shown),
        not_stable(found.conditions.unstable, found.conditions.machine),
        found,
    )


def _facts(machine: Machine, asked: Question, threads: int) -> dict[str, Any]:
    from edgevit.commands import bench as command

    return command.machine_document(machine, asked.artifacts, threads) if asked.as_json else {}
