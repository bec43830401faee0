"""Each runtime's own quantizer, called as its documentation shows, with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.data.prepared import PreparedImages


@dataclass(frozen=True)
class LibraryJob:
    """A float32 artifact to quantize."""

    runtime: str
    name: str
    parent: Path
    calibration: PreparedImages
    folder: Path


@dataclass(frozen=True)
class LibraryArtifact:
    """A quantized artifact."""

    path: Path
    """Its main file."""


def make_default(job: LibraryJob) -> LibraryArtifact:
    """Quantizes, in a child process; the result of an earlier run of the benchmark is reused."""
    job.folder.mkdir(parents=True, exist_ok=True)
    path = job.folder / job.parent.name
    if not path.exists():
        DEFAULTS[job.runtime][job.name](job.parent, job.calibration.array(), path)
    return LibraryArtifact(path)


def _onnxruntime_dynamic(parent: Path, images: np.ndarray, path: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(parent, path)


def _onnxruntime_static(parent: Path, images: np.ndarray, path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter([{"input": image[None]} for image in images])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._feeds, None)

    prepared = path.with_name("prepared.onnx")
    quant_pre_process(parent, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, path, Reader())
    prepared.unlink()


def _nncf(parent: Path, images: np.ndarray, path: Path) -> None:
    import nncf
    import openvino as ov

    quantized = nncf.quantize(ov.Core().read_model(parent), nncf.Dataset([image[None] for image in images]))
    ov.save_model(quantized, path)


def _litert_dynamic(parent: Path, images: np.ndarray, path: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe

    worker = quantizer.Quantizer(str(parent), recipe.dynamic_wi8_afp32())
    path.write_bytes(worker.quantize().quantized_model)


def _litert_static(parent: Path, images: np.ndarray, path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    worker = quantizer.Quantizer(str(parent), recipe.static_wi8_ai8())
    signature, names = next(iter(Interpreter(model_path=str(parent)).get_signature_list().items()))
    statistics = worker.calibrate({signature: [{names["inputs"][0]: image[None]} for image in images]})
    path.write_bytes(worker.quantize(statistics).quantized_model)


DEFAULTS: dict[str, dict[str, Callable[[Path, np.ndarray, Path], None]]] = {
    "onnxruntime": {"quantize_dynamic()": _onnxruntime_dynamic, "quantize_static()": _onnxruntime_static},
    "openvino": {"nncf.quantize()": _nncf},
    "litert": {"dynamic_wi8_afp32()": _litert_dynamic, "static_wi8_ai8()": _litert_static},
}
"""By runtime and the function's name."""
