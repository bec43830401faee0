"""Predictions for one artifact file, or for a model that is exported for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgevit.artifacts.make import ExportJob, export_float
from edgevit.backends import all_backends, backend_of_file, get_backend
from edgevit.devices.device import load_device
from edgevit.devices.predict import PredictDevicesJob, predict_for_devices
from edgevit.errors import UsageError
from edgevit.results.measurement import Prediction
from edgevit.run.child_process import isolated
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec, ModelSpec


def predict_for_target(
    target: str, devices: tuple[str, ...], weights: Path | None, export: str, progress: Progress
) -> tuple[Prediction, ...]:
    """Predicts latency and memory on devices.

    Args:
        target: An artifact file, or the name of a model.
        devices: Names of devices.
        weights: Of the model; random when None and it is not bundled, for latency does not depend on them.
        export: Backend or format that a model is exported to.
        progress: Hears what is going on.

    Raises:
        UsageError: unknown device or model, or a file that cannot be read.
    """
    for name in devices:
        load_device(name)
    timeout = MeasureSpec().timeout_seconds
    with tempfile.TemporaryDirectory() as temporary:
        folder, log = Path(temporary), Path(temporary, "predict.log")
        if Path(target).suffix in {backend.suffix for backend in all_backends()}:
            if weights:
                raise UsageError("--weights is for a model, not for an artifact")
            artifact = Path(target).resolve()
            backend = backend_of_file(artifact)
        else:
            backend = get_backend(export)
            progress.stage(f"export {target}", 0, 1)
            job = ExportJob(backend.name, _captured(target, weights, folder), folder / "artifact")
            artifact = isolated(export_float, job, timeout_seconds=timeout, log=log).main
            progress.stage(f"export {target}", 1, 1)
        question = PredictDevicesJob(backend.name, artifact, devices)
        return isolated(predict_for_devices, question, timeout_seconds=timeout, log=log).predictions


def _captured(name: str, weights: Path | None, folder: Path) -> Path:
    from edgevit.model.bundled import BUNDLED_MODELS
    from edgevit.model.load import load_model
    from edgevit.model.program.capture import capture, save_program

    random_weights = weights is None and name not in BUNDLED_MODELS
    model = load_model(ModelSpec(name=name, weights=weights, random_weights=random_weights))
    path = folder / "model.pt2"
    save_program(capture(model.module, model.preprocessing.input_size), path)
    return path
