"""What ``edgevit compress`` is compared with: the same files made, scored and timed straight from the libraries.

One process, one step after the other, without rewrites, repair or isolation: a float32 and an int8 file for each of
ONNX Runtime, OpenVINO and LiteRT, PyTorch's reference, the top-1 and the difference from the reference of each file, and
its latency. Images are decoded once, and the reference runs in batches. It prints one JSON document.

    python -m benchmarks.plain_script vit_tiny_patch16_224 --weights FILE --images DIR --calibration DIR --out DIR
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

CALIBRATION_IMAGES = 128
BATCH = 32
"""Images that PyTorch gets at a time."""
WARMUP_RUNS = 10
MIN_RUNS, MIN_SECONDS = 50, 2.0

Model = Callable[[np.ndarray], np.ndarray]
"""Takes an image float32 [1, 3, h, w], gives logits float32 [1, classes]."""


@dataclass(frozen=True)
class Scored:
    """One file."""

    name: str
    top1: float
    difference: float
    """Largest difference of its logits from PyTorch's, relative to the largest logit."""
    agreement: float
    """Share of the images that get PyTorch's class."""
    p50_ms: float


@dataclass(frozen=True)
class Outcome:
    """What the script found, and the seconds that each part took."""

    model: str
    images: int
    top1: float
    """Of PyTorch."""
    files: tuple[Scored, ...]
    seconds: dict[str, float] = field(default_factory=dict)


class Clock:
    """Adds up the seconds of each part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what runs inside."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


def main() -> None:
    """Runs the whole script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name in timm")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors")
    parser.add_argument("--images", type=Path, required=True, help="folder with labels.csv and images/")
    parser.add_argument("--calibration", type=Path, required=True, help="folder with images/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--static", nargs="*", default=["openvino"], help="runtimes whose int8 is static, not dynamic")
    arguments = parser.parse_args()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)  # what libraries print
        answer.write(json.dumps(asdict(plain_script(arguments))) + "\n")


def plain_script(arguments: argparse.Namespace) -> Outcome:
    """Makes, scores and times six files; see the arguments of :func:`main`."""
    clock = Clock()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with clock.part("load"):
        model, transform = _load(arguments.model, arguments.weights)
    with clock.part("images"):
        with (arguments.images / "labels.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        labels = np.array([int(row["class_index"]) for row in rows])
        images = _decode([arguments.images / "images" / row["file"] for row in rows], transform)
        calibration = _decode(sorted((arguments.calibration / "images").iterdir())[:CALIBRATION_IMAGES], transform)
    with clock.part("convert"):
        files = _convert(model, calibration, arguments.out, set(arguments.static))
    with clock.part("reference"):
        reference = _reference(model, images)
    scored = []
    for name, path in files.items():
        with clock.part("score"):
            run = _SESSIONS[name.partition(" ")[0]](path)
            logits = np.concatenate([run(image[None]) for image in images])
        with clock.part("time"):
            p50_ms = _latency(run, images[:1])
        scored.append(
            Scored(
                name,
                float((logits.argmax(axis=1) == labels).mean()),
                float(np.abs(logits - reference).max() / np.abs(reference).max()),
                float((logits.argmax(axis=1) == reference.argmax(axis=1)).mean()),
                p50_ms,
            )
        )
    top1 = float((reference.argmax(axis=1) == labels).mean())
    return Outcome(arguments.model, len(images), top1, tuple(scored), clock.seconds)


def _load(name: str, weights: Path) -> tuple[Any, Any]:
    """The model in eval mode, and the transform of its images, without a crop."""
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()  # the registry's torchvision beside a torch for processors cannot be imported otherwise
    import timm
    from safetensors.torch import load_file
    from timm.data import create_transform, resolve_data_config

    model = timm.create_model(name)
    model.load_state_dict(load_file(weights))
    config = {**resolve_data_config({}, model=model), "crop_pct": 1.0}
    return model.eval().requires_grad_(False), create_transform(**config)


def _decode(paths: list[Path], transform: Any) -> np.ndarray:
    """Images float32 [n, 3, h, w]."""
    from PIL import Image

    return np.stack([np.asarray(transform(Image.open(path).convert("RGB"))) for path in paths])


def _reference(model: Any, images: np.ndarray) -> np.ndarray:
    """PyTorch's logits, float32 [n, classes]."""
    import torch

    with torch.inference_mode():
        batches = (model(torch.from_numpy(images[at : at + BATCH])).numpy() for at in range(0, len(images), BATCH))
        return np.concatenate(list(batches))


def _convert(model: Any, calibration: np.ndarray, out: Path, static: set[str]) -> dict[str, Path]:
    """A float32 and an int8 file for each runtime, by the name of the runtime and of the numbers."""
    import torch

    example = torch.from_numpy(calibration[:1])
    files: dict[str, Path] = {}
    for runtime, (export, quantize_dynamic, quantize_static) in _CONVERTERS.items():
        quantize = quantize_static if runtime in static else quantize_dynamic
        files[f"{runtime} float32"] = export(model, example, out)
        files[f"{runtime} int8"] = quantize(files[f"{runtime} float32"], calibration, out)
    return files


def _export_onnx(model: Any, example: Any, out: Path) -> Path:
    import torch

    path = out / "float32.onnx"
    exported = torch.onnx.export(
        model, (example,), dynamo=True, opset_version=18, input_names=["input"], output_names=["logits"], verbose=False
    )
    assert exported is not None
    exported.save(path, external_data=False)
    return path


def _quantize_onnx_dynamic(path: Path, calibration: np.ndarray, out: Path) -> Path:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(path)
    del model.graph.value_info[:]  # the quantizer transposes weights and then finds their shapes untrue
    quantize_dynamic(
        model, out / "int8.onnx", op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8
    )
    return out / "int8.onnx"


def _quantize_onnx_static(path: Path, calibration: np.ndarray, out: Path) -> Path:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter([{"input": image[None]} for image in calibration])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._feeds, None)

    prepared = out / "prepared.onnx"
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, out / "int8.onnx", Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return out / "int8.onnx"


def _open_onnx(path: Path) -> Model:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"input": image})[0]


def _export_openvino(model: Any, example: Any, out: Path) -> Path:
    import openvino as ov
    import torch

    path = out / "float32.xml"
    converted = ov.convert_model(torch.export.export(model, (example,)), example_input=example)
    converted.reshape(list(example.shape))
    ov.save_model(converted, path, compress_to_fp16=False)
    return path


def _quantize_openvino(path: Path, calibration: np.ndarray, out: Path) -> Path:
    import nncf
    import openvino as ov

    model = ov.Core().read_model(path)
    transformer = any(op.get_type_name() in ("Softmax", "ScaledDotProductAttention") for op in model.get_ops())
    quantized = nncf.quantize(
        model,
        nncf.Dataset([image[None] for image in calibration]),
        subset_size=len(calibration),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None,
    )
    ov.save_model(quantized, out / "int8.xml")
    return out / "int8.xml"


def _open_openvino(path: Path) -> Model:
    import openvino as ov

    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    if path.stem == "float32":
        config["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = ov.Core().compile_model(path, "CPU", config)
    request = compiled.create_infer_request()
    return lambda image: np.array(request.infer({0: image})[0])


def _export_litert(model: Any, example: Any, out: Path) -> Path:
    import litert_torch

    path = out / "float32.tflite"
    litert_torch.convert(model, (example,)).export(str(path))
    return path


def _quantize_litert_dynamic(path: Path, calibration: np.ndarray, out: Path) -> Path:
    from ai_edge_quantizer import quantizer, recipe

    worker = quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32())
    (out / "int8.tflite").write_bytes(worker.quantize().quantized_model)
    return out / "int8.tflite"


def _quantize_litert_static(path: Path, calibration: np.ndarray, out: Path) -> Path:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    worker = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
    signature, names = next(iter(Interpreter(model_path=str(path)).get_signature_list().items()))
    statistics = worker.calibrate({signature: [{names["inputs"][0]: image[None]} for image in calibration]})
    (out / "int8.tflite").write_bytes(worker.quantize(statistics).quantized_model)
    return out / "int8.tflite"


def _open_litert(path: Path) -> Model:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(image: np.ndarray) -> np.ndarray:
        if given["dtype"] is np.int8:
            scale, zero_point = given["quantization"]
            image = np.rint(image / scale + zero_point).clip(-128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        logits: np.ndarray = interpreter.get_tensor(found["index"])
        if found["dtype"] is np.int8:
            scale, zero_point = found["quantization"]
            logits = (logits.astype(np.float32) - zero_point) * scale
        return logits

    return run


def _latency(run: Model, image: np.ndarray) -> float:
    """Median in ms of one thread, batch 1."""
    for _ in range(WARMUP_RUNS):
        run(image)
    samples: list[float] = []
    while len(samples) < MIN_RUNS or sum(samples) < 1000 * MIN_SECONDS:
        begin = time.perf_counter()
        run(image)
        samples.append(1000 * (time.perf_counter() - begin))
    return float(np.median(samples))


_SESSIONS = {"onnxruntime": _open_onnx, "openvino": _open_openvino, "litert": _open_litert}
_CONVERTERS = {
    "onnxruntime": (_export_onnx, _quantize_onnx_dynamic, _quantize_onnx_static),
    "openvino": (_export_openvino, _quantize_openvino, _quantize_openvino),
    "litert": (_export_litert, _quantize_litert_dynamic, _quantize_litert_static),
}
"""How each runtime's files are made: export, dynamic int8, static int8."""


if __name__ == "__main__":
    main()
