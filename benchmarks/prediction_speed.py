"""Time of a prediction: one artifact for one device, and for all that are shipped; part of ``make bench``.

After the imports and one prediction for another artifact, so that the coefficients are read: what a program pays for each
further artifact. The bundled transformer is exported to ONNX, and its file is read anew each time.

    python -m benchmarks.prediction_speed [--export FORMAT] [--repeats N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edgevit.artifacts.make import ExportJob, export_float
from edgevit.backends import get_backend
from edgevit.cli.terminal import print_table
from edgevit.devices.device import load_device
from edgevit.devices.predict import PredictDevicesJob, predict_for_devices
from edgevit.model.load import load_model
from edgevit.model.program.capture import capture, save_program
from edgevit.spec.spec import ModelSpec
from edgevit.spec.toml_files import names

MODEL = "digits_vit"
LIMIT_ONE_S, LIMIT_ALL_S = 0.5, 3.0


def main() -> None:
    """Prints a table of what is predicted, how long it takes, and the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export", default="onnx", help="format of the artifact")
    parser.add_argument("--repeats", type=int, default=5, help="times that each is repeated; the median is shown")
    arguments = parser.parse_args()
    devices = tuple(map(load_device, names("devices")))
    with tempfile.TemporaryDirectory() as folder:
        artifact = _export(arguments.export, Path(folder))
        backend = get_backend(arguments.export).name
        one, every = (PredictDevicesJob(backend, artifact, chosen) for chosen in (devices[:1], devices))
        begin = time.perf_counter()
        predict_for_devices(one)
        first = time.perf_counter() - begin
        rows = [
            ("the first, with reading the coefficients", "1", f"{first:.2f} s", f"{LIMIT_ONE_S} s"),
            ("a further one", "1", f"{_median(one, arguments.repeats):.2f} s", f"{LIMIT_ONE_S} s"),
            ("a further one", str(len(devices)), f"{_median(every, arguments.repeats):.2f} s", f"{LIMIT_ALL_S} s"),
        ]
    print_table(("prediction", "devices", f"time for {MODEL}, {arguments.export}", "limit"), rows, numeric=(1, 2, 3))


def _median(job: PredictDevicesJob, repeats: int) -> float:
    return statistics.median(_seconds(lambda: predict_for_devices(job)) for _ in range(repeats))


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _export(export: str, folder: Path) -> Path:
    model = load_model(ModelSpec(name=MODEL))
    save_program(capture(model.module, model.preprocessing.input_size), folder / "model.pt2")
    return export_float(ExportJob(get_backend(export).name, folder / "model.pt2", folder / "artifact")).main


if __name__ == "__main__":
    main()
