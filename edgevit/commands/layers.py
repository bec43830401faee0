"""Where the time of one artifact goes, layer by layer: predicted for a device, or measured on this host; and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.bench import profile_file
from edgevit.commands.file_errors import blaming_file
from edgevit.commands.profile import artifact_of, predict_for_file, question_of
from edgevit.devices.device import load_device
from edgevit.devices.layer_times import predict_layers, roofs_of
from edgevit.devices.predict import MeasuredFile, PredictDevicesJob, measured_graphs
from edgevit.errors import UsageError
from edgevit.results.layer_times import LayerTimes, Roofs
from edgevit.results.measurement import HOST, Prediction
from edgevit.results.op_times import OpTimes
from edgevit.run.packages import is_installed
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec

LAYERS, ROOFLINE = "layers.png", "roofline.png"
"""Names of the pictures in their folder."""


@dataclass(frozen=True)
class PredictedLayers:
    """A prediction with its layers."""

    prediction: Prediction
    layers: LayerTimes | None
    """None where no latency is predicted."""


def predict_target_layers(
    target: str,
    device: str,
    weights: Path | None,
    export: str | None,
    progress: Progress,
    anchors: tuple[MeasuredFile, ...] = (),
) -> PredictedLayers:
    """Predicts the time of each layer on a device.

    Args:
        target: As for :func:`edgevit.commands.profile.artifact_of`, and so the others.
        device: Name of a device.
        weights: Of the model.
        export: Backend or format that a model is exported to.
        progress: Progress callback.
        anchors: Artifacts that were measured on the device.

    Raises:
        UsageError: as :func:`edgevit.commands.profile.artifact_of` and :func:`edgevit.commands.profile.question_of`.
    """
    found = load_device(device)
    with child_runner(progress) as children, artifact_of(target, weights, export, children) as artifact:
        question = question_of(artifact, (found,), anchors)
        with blaming_file(artifact):
            return children.run(f"predict {target}", Task(layers_for_file, question, PredictedLayers))


def layers_for_file(job: PredictDevicesJob) -> PredictedLayers:
    """Predicts the layers of an artifact for the only device, see :func:`edgevit.commands.profile.predict_for_file`.

    Raises:
        UsageError: what a device is said to run does not run here.
    """
    (prediction,) = predict_for_file(job).predictions
    if prediction.latency_ms is None:
        return PredictedLayers(prediction, None)
    graph = get_backend(job.backend).read_graph(job.artifact)
    return PredictedLayers(prediction, predict_layers(graph, job.devices[0], measured_graphs(job)))


def measure_file_layers(
    artifact: Path, precision: str, settings: MeasureSpec, device: str | None, progress: Progress
) -> LayerTimes:
    """Measures the time of each layer on this host, see :func:`edgevit.commands.bench.profile_file`.

    Args:
        artifact: The file.
        precision: "f32", "bf16" or "fastest".
        settings: Threads, and the time limit.
        device: Name or file of this machine, whose processor's peak rates are the roofs; None where there is none.
        progress: Progress callback.

    Raises:
        UsageError: there is no such file or device, or the device has no processor with known rates, or the file cannot
            be profiled.
    """
    roofs = None if device is None else _processor(device)
    found = profile_file(artifact, precision, settings, progress)
    return of_op_times(found, backend_of_file(artifact).title, roofs)


def of_op_times(found: OpTimes, runtime: str, roofs: Roofs | None) -> LayerTimes:
    """Returns the layers that a profiler found.

    Args:
        found: What it found.
        runtime: Name of the runtime, for people.
        roofs: Of this host, where they are known.
    """
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    return LayerTimes(
        device=HOST,
        unit=f"{runtime}, {threads}, {found.precision}",
        source="measured",
        p50_ms=found.p50_ms,
        fastest_ms=found.fastest_ms,
        basis=found.profiler,
        layers=found.layers,
        roofs=roofs,
    )


def check_pictures(folder: Path | None) -> None:
    """Refuses to draw where nothing can be drawn, before anything is measured.

    Raises:
        UsageError: matplotlib is not installed, or there is a file in the place of the folder.
    """
    if folder is None:
        return
    if not is_installed("matplotlib"):
        raise UsageError("--plot needs matplotlib, which is not installed", "pip install 'edgevit[report]'")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--plot {folder} is a file", "give a folder; the pictures have names of their own")


def draw(name: str, found: LayerTimes, folder: Path) -> tuple[Path, ...]:
    """Draws the layers, and a roofline where any of them has a rate.

    Args:
        name: Of the artifact, for people.
        found: Its layers.
        folder: For the pictures; made where it is missing, and pictures of the same name are replaced.

    Returns:
        The files written.
    """
    from edgevit.report.plots.layers import draw_layer_times
    from edgevit.report.plots.roofline import can_draw_roofline, draw_roofline

    draw_layer_times(name, found, folder / LAYERS)
    if not can_draw_roofline(found):
        return (folder / LAYERS,)
    draw_roofline(name, found, folder / ROOFLINE)
    return folder / LAYERS, folder / ROOFLINE


def _processor(name: str) -> Roofs:
    device = load_device(name)
    roofs = next((found for unit in device.units if unit.kind == "cpu" and (found := roofs_of(device, unit))), None)
    if roofs is None:
        raise UsageError(
            f"--device {name}: no peak rate of its processor is known", "leave it out, or give a file that has one"
        )
    return roofs
