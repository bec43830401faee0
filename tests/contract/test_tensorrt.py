"""ONNX int8 that is made for a Jetson keeps to what TensorRT reads, and what does not is refused with the reason.

The rules are those of ``QuantDequantLinearHelper`` in ``onnxOpImporters.cpp`` of onnx/onnx-tensorrt and of NVIDIA's documentation of
explicit quantization: int8 and a zero point of 0; one scale for an activation, and for weights one for each output channel; nothing
but 8 bits or fewer is dequantized, so that biases are float; no operators of another quantization format.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgevit.backends import get_backend  # noqa: E402
from edgevit.commands.float_file import FileQuantization  # noqa: E402
from edgevit.commands.quantize import quantize_file  # noqa: E402
from edgevit.devices.device import load_device  # noqa: E402
from edgevit.devices.op_support import check_support  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.measure.host import host_fingerprint  # noqa: E402
from edgevit.model.load import Model, load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.pipeline.export_inputs import target_of  # noqa: E402
from edgevit.quantization.policy import first_recipe  # noqa: E402
from edgevit.results.op_support import UnitSupport  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402
from edgevit.spec.toml_files import find, names, read_toml  # noqa: E402

ONNX = get_backend("onnxruntime")
ORIN = load_device("jetson-orin-nano")
FOREIGN = {
    "QLinearConv",
    "QLinearMatMul",
    "MatMulInteger",
    "ConvInteger",
    "DynamicQuantizeLinear",
    "QGemm",
    "QAttention",
}


@cache
def model(name: str) -> Model:
    return load_model(ModelSpec(name=name))


def support(path: Path) -> UnitSupport:
    return check_support(ONNX.read_graph(path), ORIN.units[0])


def reasons(path: Path) -> set[str]:
    return {fallback.reason for fallback in support(path).fallbacks}


Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Made:
    @cache
    def make(name: str) -> Path:
        program = capture(model(name).module, model(name).preprocessing.input_size)
        return ONNX.export(program, tmp_path_factory.mktemp(name))

    return make


def images(count: int = 16) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 32, 32)).astype(np.float32)


def recipe_for(name: str, *devices: str) -> Recipe:
    target = target_of(name == "digits_vit", tuple(map(load_device, devices)), host_fingerprint(1))
    return first_recipe(ONNX.policy, "static_wi8_ai8", target)


def broken_rules(path: Path) -> list[str]:
    """What of a file TensorRT's parser would not take, read from its nodes alone."""
    graph = onnx.load(path).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    found = [f"foreign op {node.op_type}" for node in graph.node if node.op_type in FOREIGN]
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        scale, zeros = constants[node.input[1]], constants[node.input[2]]
        weights = node.input[0] in constants or maker.get(node.input[0], node).input[0] in constants
        if zeros.dtype != np.int8 or zeros.any():
            found.append(f"zero point of {node.name}: {zeros.dtype} {zeros.ravel()[:3]}")
        if scale.size != zeros.size or (scale <= 0).any():
            found.append(f"scales of {node.name}")
        if scale.size > 1 and not weights:
            found.append(f"scales of the activation {node.name}")
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            quantized = [maker[name].op_type == "DequantizeLinear" for name in node.input[:2] if name in maker]
            if any(quantized) and not all(quantized):
                found.append(f"only one side of {node.name} is quantized")
    return found


@pytest.mark.parametrize("name", ["digits_cnn", "digits_vit"])
def test_int8_for_a_jetson_is_what_tensorrt_reads(name: str, float_file: Made, tmp_path: Path) -> None:
    recipe = recipe_for(name, "jetson-orin-nano")
    assert recipe.symmetric
    assert "symmetric, for TensorRT" in recipe.summary
    path = ONNX.quantize(float_file(name), recipe, images(), tmp_path)
    assert broken_rules(path) == []
    found = support(path)
    assert (found.runs, found.unsupported_ops, found.partitions) == (True, (), 1)
    assert ONNX.read_graph(path).int8_mac_share > 0.5  # products of two activations stay float in a transformer
    before, after = (ONNX.open_session(file, 1, "f32").run((images(1),))[0] for file in (float_file(name), path))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", ["digits_cnn", "digits_vit"])
def test_int8_for_processors_is_refused(name: str, float_file: Made, tmp_path: Path) -> None:
    """ONNX Runtime's own: unsigned activations, biases in int32."""
    path = ONNX.quantize(float_file(name), recipe_for(name), images(), tmp_path)
    assert broken_rules(path)
    found = support(path)
    assert not found.runs
    assert {"asymmetric", "int32_bias"} <= reasons(path)
    assert any("QuantizeLinear with unsigned integers" in text for text in found.unsupported_ops)
    assert all("jetson-orin" in each.change for each in found.fallbacks)


def test_dynamic_int8_is_refused(float_file: Made, tmp_path: Path) -> None:
    path = ONNX.quantize(float_file("digits_vit"), Recipe("dynamic_wi8_afp32"), images(), tmp_path)
    assert any("MatMulInteger" in text for text in support(path).unsupported_ops)


@pytest.mark.parametrize("name", ["digits_cnn", "digits_vit"])
def test_float_is_taken(name: str, float_file: Made) -> None:
    assert support(float_file(name)).runs


def small(
    folder: Path, *, zero: int = 0, kind: type = np.int8, activation_scales: int = 1, int32_bias: bool = False
) -> Path:
    """One convolution between Q/DQ pairs."""
    weights = np.random.default_rng(1).integers(-127, 128, (4, 3, 1, 1)).astype(np.int8)
    scales, zeros = np.full(activation_scales, 0.1, np.float32), np.full(activation_scales, zero, kind)
    constants = {
        "s": scales if activation_scales > 1 else scales[0], "z": zeros if activation_scales > 1 else zeros[0], "w": weights,
        "ws": np.full(4, 0.01, np.float32), "wz": np.zeros(4, np.int8),
        "b": np.zeros(4, np.int32 if int32_bias else np.float32), "bs": np.full(4, 0.001, np.float32), "bz": np.zeros(4, np.int32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Neg", ["input"], ["n"], name="neg"),
        helper.make_node("QuantizeLinear", ["n", "s", "z"], ["q"], name="q", axis=1),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"], name="dq", axis=1),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="wdq", axis=0),
        *([helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], name="bdq", axis=0)] if int32_bias else []),
        helper.make_node("Conv", ["x", "wd", "bd" if int32_bias else "b"], ["logits"], name="conv"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4, 8, 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "small.onnx"
    )
    return folder / "small.onnx"


def test_a_small_file_is_taken(tmp_path: Path) -> None:
    assert support(small(tmp_path)).runs


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"zero": 3}, "asymmetric", "QuantizeLinear with a zero point other than 0"),
        ({"kind": np.uint8}, "asymmetric", "QuantizeLinear with unsigned integers"),
        (
            {"activation_scales": 3},
            "activation_scales",
            "QuantizeLinear with a scale for each channel of an activation",
        ),
        ({"int32_bias": True}, "int32_bias", "Conv with biases in int32"),
    ],
)
def test_each_rule_has_a_reason(changes: dict[str, object], reason: str, words: str, tmp_path: Path) -> None:
    path = small(tmp_path, **changes)  # type: ignore[arg-type]
    assert reasons(path) == {reason}
    assert any(words in text for text in support(path).unsupported_ops)


def test_a_missing_zero_point_means_unsigned(tmp_path: Path) -> None:
    """So says ONNX; TensorRT would read it as int8, and compute something else."""
    made = onnx.load(small(tmp_path))
    for node in made.graph.node:
        if node.name in ("q", "dq"):
            del node.input[2:]
    onnx.save(made, tmp_path / "small.onnx")
    assert reasons(tmp_path / "small.onnx") == {"asymmetric"}


def test_processors_take_the_same_files_as_before(tmp_path: Path) -> None:
    graph = ONNX.read_graph(small(tmp_path, zero=3, kind=np.uint8, int32_bias=True))
    assert check_support(graph, ORIN.units[1]).runs


def test_every_profile_for_a_jetson_makes_symmetric_files() -> None:
    profiles = [name for name in names("profiles") if name.startswith("jetson-")]
    assert len(profiles) >= 3
    for name in profiles:
        devices = tuple(map(load_device, read_toml(find("profiles", name))["devices"]))
        assert target_of(False, devices, host_fingerprint(1)).symmetric
    assert not target_of(False, (load_device("raspberry-pi-5"),), host_fingerprint(1)).symmetric


def asked(float_file: Path, out: Path, device: str) -> FileQuantization:
    preprocessing = model("digits_cnn").preprocessing
    return FileQuantization(
        artifact=float_file, out=out, calibration="digits:calibration", evaluation="digits", scheme="static_wi8_ai8",
        preprocessing=PreprocessingOverrides(mean=preprocessing.mean, std=preprocessing.std), class_offset=None, max_drop=1.0,
        max_minutes=5.0, threads=1, device=device,
    )  # fmt: skip


def test_quantize_for_a_device(float_file: Made, tmp_path: Path) -> None:
    found = quantize_file(asked(float_file("digits_cnn"), tmp_path / "int8.onnx", "jetson-orin-nano"), Silent())
    assert broken_rules(found.path) == []
    assert support(found.path).runs
    assert found.drop_points is not None
    assert found.drop_points <= 1.0


def test_a_device_that_does_not_read_the_format(float_file: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="coral-edge-tpu does not read onnx files"):
        quantize_file(asked(float_file("digits_cnn"), tmp_path / "int8.onnx", "coral-edge-tpu"), Silent())
