"""Predictions for artifact files, and for models: from the graph that is captured of them, or of what they are exported to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevit.artifacts.make import ExportJob, MadeArtifact, export_float
from edgevit.backends import Backend, all_backends, backend_of_file, check_makers, check_size, get_backend
from edgevit.commands.anchors import read_anchors
from edgevit.commands.file_errors import blaming_file
from edgevit.devices.device import Device, load_device
from edgevit.devices.predict import (
    MeasuredFile,
    PredictDevicesJob,
    PredictGraphJob,
    Predictions,
    predict_captured,
    predict_for_devices,
)
from edgevit.errors import UsageError
from edgevit.measure.bench import noise_call
from edgevit.results.profiled import Profiled
from edgevit.run.packages import is_installed
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import ModelSpec
from edgevit.spec.toml_files import validate

CURVE = "curve.png"
"""Name of the picture in its folder."""


@dataclass(frozen=True)
class Asked:
    """What is to be predicted."""

    targets: tuple[str, ...]
    """Artifact files, and names of models."""
    weights: Path | None = None
    """Of the only model; random when None and it is not bundled, for latency does not depend on them."""
    export: str | None = None
    """Backend or format that models are exported to; when None they are priced from the graphs captured of them."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Height and width of the images of models; their own when empty."""


def profile_targets(
    asked: Asked, devices: tuple[str, ...], anchors: Sequence[str], progress: Progress
) -> tuple[Profiled, ...]:
    """Predicts latency and memory on devices, of each target and, of models, at each input size.

    Args:
        asked: What is to be predicted.
        devices: Names of devices.
        anchors: What was measured on the only device, see :func:`edgevit.commands.anchors.read_anchors`.
        progress: Progress callback.

    Raises:
        UsageError: an unknown device or model, a size that a model does not take, or a file that cannot be read, or that
            its runtime does not run here; an option that does not go with the targets; anchors that do not.
    """
    found = tuple(map(load_device, devices))
    _check(asked)
    measured = read_anchors(anchors, found)
    _check_formats(asked, measured)
    with child_runner(progress) as children:
        return tuple(
            _profile_file(target, asked, size, found, measured, children)
            if is_file(target) or asked.export
            else _profile_captured(target, asked.weights, size, found, measured, children)
            for target in asked.targets
            for size in asked.sizes or (None,)
        )


def is_file(target: str) -> bool:
    """Returns whether a target names an artifact file, rather than a model."""
    return Path(target).suffix.lower() in {backend.suffix for backend in all_backends()}


def _check(asked: Asked) -> None:
    """Refuses options that do not go with the targets, before anything is loaded."""
    files = [target for target in asked.targets if is_file(target)]
    given = {"--weights": asked.weights, "--export": asked.export, "--input-size": asked.sizes}
    for option in (name for name, value in given.items() if value and files):
        raise UsageError(f"{option} is for a model, not for an artifact such as {files[0]}", f"leave out {option}")
    if asked.weights and len(asked.targets) > 1:
        raise UsageError("--weights is for one model", "latency does not depend on weights: leave it out")
    twice = next((target for target in asked.targets if asked.targets.count(target) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice", "give it once")


def _check_formats(asked: Asked, anchors: tuple[MeasuredFile, ...]) -> None:
    """Refuses an anchor in a format that none of the targets has; models that are not exported have none yet."""
    if not all(is_file(target) or asked.export for target in asked.targets):
        return
    suffixes = {
        Path(target).suffix.lower() if is_file(target) else get_backend(asked.export or "").suffix
        for target in asked.targets
    }
    for anchor in anchors:
        if anchor.file.suffix.lower() not in suffixes:
            raise UsageError(
                f"--anchor {anchor.file.name} is not of the format that is predicted",
                f"give a {' or '.join(sorted(suffixes))} file",
            )


def _profile_file(
    target: str,
    asked: Asked,
    size: tuple[int, int] | None,
    devices: tuple[Device, ...],
    anchors: tuple[MeasuredFile, ...],
    children: ChildRunner,
) -> Profiled:
    with artifact_of(target, asked.weights, asked.export, children, size) as artifact:
        suffix = artifact.suffix.lower()
        question = question_of(artifact, devices, tuple(a for a in anchors if a.file.suffix.lower() == suffix))
        with blaming_file(artifact):
            found = children.run(f"predict {target}", Task(predict_for_file, question, Predictions))
    return Profiled(target, "file", size, found.macs, found.predictions)


def _profile_captured(
    target: str,
    weights: Path | None,
    size: tuple[int, int] | None,
    devices: tuple[Device, ...],
    anchors: tuple[MeasuredFile, ...],
    children: ChildRunner,
) -> Profiled:
    from edgevit.commands.model_graph import model_graph

    children.progress.stage(f"capture {target}", 0, 1)
    graph, takes = model_graph(_model_spec(target, weights, size))
    children.progress.stage(f"capture {target}", 1, 1)
    job = PredictGraphJob(graph, devices, anchors)
    found = children.run(f"predict {target}", Task(predict_captured, job, Predictions))
    return Profiled(target, "captured", takes, found.macs, found.predictions)


@contextmanager
def artifact_of(
    target: str,
    weights: Path | None,
    export: str | None,
    children: ChildRunner,
    size: tuple[int, int] | None = None,
) -> Iterator[Path]:
    """Gives the artifact file that a target names, or makes one of a model, which is gone afterwards.

    Args:
        target: An artifact file, or the name of a model.
        weights: Of the model; random when None and it is not bundled.
        export: Backend or format that a model is exported to; TFLite when None.
        children: Runs the export.
        size: Height and width of the images of a model; its own when None.

    Raises:
        UsageError: there is no such file, model or backend, or an option does not go with the target.
    """
    if is_file(target):
        if weights or export is not None:
            given = "--weights" if weights else "--export"
            raise UsageError(f"{given} is for a model, not for an artifact", f"leave out {given}")
        backend_of_file(Path(target).absolute())
        yield Path(target).absolute()
        return
    backend = get_backend(export or "tflite")
    check_makers(backend)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job = ExportJob(
            backend.name, _program(_model_spec(target, weights, size), backend, folder), folder / "artifact"
        )
        yield children.run(f"export {target}", Task(export_float, job, MadeArtifact)).main


def question_of(artifact: Path, devices: tuple[Device, ...], anchors: tuple[MeasuredFile, ...]) -> PredictDevicesJob:
    """Returns what is to be predicted.

    Args:
        artifact: The file.
        devices: To predict for.
        anchors: Artifacts that were measured on the only device.

    Raises:
        UsageError: an anchor is in another format.
    """
    backend = backend_of_file(artifact)
    for anchor in anchors:
        if anchor.file.suffix.lower() != backend.suffix:
            raise UsageError(
                f"--anchor {anchor.file.name} is not of the format that is predicted",
                f"give a {backend.suffix} file",
            )
    return PredictDevicesJob(backend.name, artifact, devices, anchors)


def predict_for_file(job: PredictDevicesJob) -> Predictions:
    """Predicts for an artifact; one that a device is said to run has to run here too, as one inference shows.

    Raises:
        UsageError: it cannot: what its runtime does not run here, it does not run on a device.
    """
    found = predict_for_devices(job)
    if not any(prediction.supported for prediction in found.predictions):
        return found
    session = get_backend(job.backend).open_session(job.artifact, threads=1, precision="f32")
    noise_call(session)()
    return found


def _model_spec(name: str, weights: Path | None, size: tuple[int, int] | None) -> ModelSpec:
    from edgevit.model.names import has_own_weights

    random_weights = weights is None and not has_own_weights(name)
    preprocessing = {"input_size": list(size)} if size else {}
    document = {"name": name, "weights": weights, "random_weights": random_weights, "preprocessing": preprocessing}
    return validate(ModelSpec, document, "command line")


def _program(spec: ModelSpec, backend: Backend, folder: Path) -> Path:
    """Captures a model for its export."""
    from edgevit.model.program.capture import capture, save_program
    from edgevit.pipeline.model_inputs import open_model

    model = open_model(spec, seed=0)
    check_size(backend, model.params)
    path = folder / "model.pt2"
    save_program(capture(model.module, model.preprocessing.input_size, model.preprocessing.channels), path)
    return path


def check_picture(folder: Path, points: int) -> None:
    """Refuses to draw where nothing can be drawn, before anything is predicted.

    Args:
        folder: For the picture.
        points: Targets times sizes.

    Raises:
        UsageError: matplotlib is not installed, there is a file in the place of the folder, or there is one point alone.
    """
    if points < 2:
        raise UsageError(
            "--plot is for --layers, or for several targets or sizes",
            "add --layers, --input-size 160,224,384, or a second target",
        )
    if not is_installed("matplotlib"):
        raise UsageError("--plot needs matplotlib, which is not installed", "pip install 'edgevit[report]'")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--plot {folder} is a file", "give a folder; the picture has a name of its own")


def draw(profiles: Sequence[Profiled], folder: Path) -> Path:
    """Draws latency, memory and MACs.

    Args:
        profiles: Several targets or sizes.
        folder: For the picture; made where it is missing.

    Returns:
        The file written.
    """
    from edgevit.report.plots.profile_curve import draw_profiles

    draw_profiles(profiles, folder / CURVE)
    return folder / CURVE
