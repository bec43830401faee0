"""Predictions for a file, or for a model that is exported for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.backends import get_backend
from edgevit.commands import probes
from edgevit.commands.profile import parse_anchor, predict_for_target
from edgevit.devices.predict import MeasuredFile
from edgevit.errors import UsageError
from edgevit.run.progress import Silent


def test_a_file_is_predicted_for_each_device_in_order() -> None:
    pytest.importorskip("onnx")
    devices = ("raspberry-pi-5", "raspberry-pi-4b")
    found = predict_for_target(str(probes.probe_path(".onnx")), devices, None, None, Silent())
    assert tuple(prediction.device for prediction in found) == devices
    assert all(prediction.latency_ms for prediction in found)


def test_a_custom_op_is_unsupported_and_gets_no_number(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Mystery", ["input"], ["logits"], domain="no.such")],
        "mystery",
        [helper.make_tensor_value_info("input", kind, [1, 4])],
        [helper.make_tensor_value_info("logits", kind, [1, 4])],
    )
    path = tmp_path / "mystery.onnx"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("no.such", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    (found,) = predict_for_target(str(path), ("raspberry-pi-5",), None, None, Silent())
    assert found.latency_ms is None
    assert found.unsupported_ops == ("Mystery, which is none of the runtime's own ops (1 x)",)


def test_what_the_runtime_refuses_has_no_prediction(tmp_path: Path) -> None:
    """An op of ONNX that ONNX Runtime has no kernel for in these numbers."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.BFLOAT16
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["input"], ["logits"])],
        "refused",
        [helper.make_tensor_value_info("input", kind, [1, 4])],
        [helper.make_tensor_value_info("logits", kind, [1, 4])],
    )
    path = tmp_path / "refused.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(UsageError, match="ONNX Runtime cannot"):
        predict_for_target(str(path), ("raspberry-pi-5",), None, None, Silent())


def test_an_open_image_size_is_unsupported_and_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Relu", ["image"], ["out"])],
        "open",
        [helper.make_tensor_value_info("image", kind, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("out", kind, [1, 3, "height", "width"])],
    )
    path = tmp_path / "open.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    (found,) = predict_for_target(str(path), ("raspberry-pi-5",), None, None, Silent())
    assert found.unsupported_ops == ("the open shape of image",)


def test_wrong_input_is_refused_before_anything_is_exported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="raspberry-pi-6"):
        predict_for_target("digits_vit", ("raspberry-pi-6",), None, None, Silent())
    with pytest.raises(UsageError, match="--weights is for a model"):
        predict_for_target("m.onnx", ("raspberry-pi-5",), tmp_path / "w.safetensors", None, Silent())
    with pytest.raises(UsageError, match="no such file"):
        predict_for_target(str(tmp_path / "m.onnx"), ("raspberry-pi-5",), None, None, Silent())


def test_a_model_over_the_limit_of_a_format_is_refused_before_it_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(get_backend("tflite"), most_bytes=100_000)
    monkeypatch.setattr("edgevit.commands.profile.get_backend", lambda name: small)
    with pytest.raises(UsageError, match="of float32 weights, and one file of LiteRT holds at most"):
        predict_for_target("digits_vit", ("raspberry-pi-5",), None, None, Silent())


def test_an_anchor_sets_the_scale() -> None:
    pytest.importorskip("onnx")
    probe = probes.probe_path(".onnx")
    (before,) = predict_for_target(str(probe), ("raspberry-pi-4b",), None, None, Silent())
    assert before.latency_ms is not None
    twice = MeasuredFile(probe, 2 * before.latency_ms.p50)
    (after,) = predict_for_target(str(probe), ("raspberry-pi-4b",), None, None, Silent(), (twice, twice, twice))
    assert after.latency_ms is not None
    assert after.latency_ms.p50 / before.latency_ms.p50 == pytest.approx(2 ** (3 / 3.5))
    assert after.basis.endswith("scaled by 3 measurements of yours")


@pytest.mark.parametrize(("text", "ms"), [("{}=12.3ms", 12.3), ("{}=2s", 2000), ("{}=.5ms", 0.5)])
def test_what_an_anchor_is(text: str, ms: float, tmp_path: Path) -> None:
    file = tmp_path / "a=b.tflite"
    file.write_bytes(b"")
    assert parse_anchor(text.format(file)) == MeasuredFile(file, ms)


@pytest.mark.parametrize("text", ["model.tflite", "model.tflite=12", "model.tflite=-1ms", "=3ms", "model.tflite=0ms"])
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(UsageError, match="not FILE=LATENCY"):
        parse_anchor(text)


def test_an_anchor_has_to_exist_and_be_for_what_is_predicted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.tflite"):
        parse_anchor(f"{tmp_path / 'none.tflite'}=3ms")
    anchors = (MeasuredFile(tmp_path / "a.tflite", 3),)
    with pytest.raises(UsageError, match="one device"):
        predict_for_target("model.onnx", ("raspberry-pi-5", "raspberry-pi-4b"), None, None, Silent(), anchors)
    with pytest.raises(UsageError, match="not of the format"):
        predict_for_target(str(probes.probe_path(".onnx")), ("raspberry-pi-5",), None, None, Silent(), anchors)
