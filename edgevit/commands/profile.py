"""Predictions for one artifact file, or for a model that is exported for it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.artifacts.make import ExportJob, MadeArtifact, export_float
from edgevit.backends import Backend, all_backends, backend_of_file, check_makers, check_size, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.devices.device import Device, load_device
from edgevit.devices.predict import MeasuredFile, PredictDevicesJob, Predictions, predict_for_devices
from edgevit.errors import UsageError
from edgevit.measure.bench import noise_call
from edgevit.results.measurement import Prediction
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.input_file import expand_user, require_file
from edgevit.spec.spec import ModelSpec
from edgevit.spec.toml_files import validate


def parse_anchor(text: str) -> MeasuredFile:
    """Reads what --anchor takes, such as "resnet50.tflite=12.3ms".

    Raises:
        UsageError: it is none, its latency is not positive, or there is no such file.
    """
    name, _, latency = text.rpartition("=")
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s)", latency.strip())
    if not name or found is None or float(found.group(1)) <= 0:
        raise UsageError(f"--anchor {text!r} is not FILE=LATENCY", "such as --anchor resnet50.tflite=12.3ms")
    file = require_file(expand_user(name), "anchor", "give an artifact that was measured on the device")
    return MeasuredFile(file.absolute(), float(found.group(1)) * (1000 if found.group(2) == "s" else 1))


def predict_for_target(
    target: str,
    devices: tuple[str, ...],
    weights: Path | None,
    export: str | None,
    progress: Progress,
    anchors: tuple[MeasuredFile, ...] = (),
) -> tuple[Prediction, ...]:
    """Predicts latency and memory on devices.

    Args:
        target: An artifact file, or the name of a model.
        devices: Names of devices.
        weights: Of the model; random when None and it is not bundled, for latency does not depend on them.
        export: Backend or format that a model is exported to; TFLite when None.
        progress: Progress callback.
        anchors: Artifacts that were measured on the device, in the format that is predicted.

    Raises:
        UsageError: unknown device or model, or a file that cannot be read, or that its runtime does not run here;
            anchors for several devices, or in another format.
    """
    found = tuple(map(load_device, devices))
    if anchors and len(found) > 1:
        raise UsageError("--anchor is a measurement on one device", "give one --device")
    with child_runner(progress) as children, artifact_of(target, weights, export, children) as artifact:
        question = question_of(artifact, found, anchors)
        with blaming_file(artifact):
            return children.run(f"predict {target}", Task(predict_for_file, question, Predictions)).predictions


@contextmanager
def artifact_of(target: str, weights: Path | None, export: str | None, children: ChildRunner) -> Iterator[Path]:
    """Gives the artifact file that a target names, or makes one of a model, which is gone afterwards.

    Args:
        target: An artifact file, or the name of a model.
        weights: Of the model; random when None and it is not bundled.
        export: Backend or format that a model is exported to; TFLite when None.
        children: Runs the export.

    Raises:
        UsageError: there is no such file, model or backend, or an option does not go with the target.
    """
    if Path(target).suffix.lower() in {backend.suffix for backend in all_backends()}:
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
        job = ExportJob(backend.name, _captured(target, weights, backend, folder), folder / "artifact")
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


def _captured(name: str, weights: Path | None, backend: Backend, folder: Path) -> Path:
    from edgevit.model.bundled import BUNDLED_MODELS
    from edgevit.model.program.capture import capture, save_program
    from edgevit.pipeline.model_inputs import open_model

    random_weights = weights is None and name not in BUNDLED_MODELS
    model = open_model(
        validate(ModelSpec, {"name": name, "weights": weights, "random_weights": random_weights}, "command line"),
        seed=0,
    )
    check_size(backend, model.params)
    path = folder / "model.pt2"
    save_program(capture(model.module, model.preprocessing.input_size, model.preprocessing.channels), path)
    return path
