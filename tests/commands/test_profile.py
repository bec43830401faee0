"""Predictions for a file, or for a model that is exported for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.backends import get_backend
from edgevit.commands import probes
from edgevit.commands.profile import Asked, check_picture, profile_targets
from edgevit.errors import UsageError
from edgevit.results.profiled import Profiled
from edgevit.run.progress import Silent


def predict(target: str, *devices: str, anchors: Sequence[str] = ()) -> Profiled:
    """What is predicted of one target."""
    (found,) = profile_targets(Asked((target,)), devices, anchors, Silent())
    return found


def test_a_file_is_predicted_for_each_device_in_order() -> None:
    pytest.importorskip("onnx")
    devices = ("raspberry-pi-5", "raspberry-pi-4b")
    found = predict(str(probes.probe_path(".onnx")), *devices)
    assert tuple(prediction.device for prediction in found.predictions) == devices
    assert all(prediction.latency_ms for prediction in found.predictions)
    assert (found.graph, found.input_size) == ("file", None)
    assert found.macs == 0, "it adds, and multiplies nothing"


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
    (found,) = predict(str(path), "raspberry-pi-5").predictions
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
        predict(str(path), "raspberry-pi-5")


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
    (found,) = predict(str(path), "raspberry-pi-5").predictions
    assert found.unsupported_ops == ("the open shape of image",)


def test_wrong_input_is_refused_before_anything_is_exported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="raspberry-pi-6"):
        predict("digits_vit", "raspberry-pi-6")
    with pytest.raises(UsageError, match="--weights is for a model"):
        profile_targets(Asked(("m.onnx",), tmp_path / "w.safetensors"), ("raspberry-pi-5",), (), Silent())
    with pytest.raises(UsageError, match="--input-size is for a model, not for an artifact such as m.onnx"):
        profile_targets(Asked(("digits_cnn", "m.onnx"), sizes=((32, 32),)), ("raspberry-pi-5",), (), Silent())
    with pytest.raises(UsageError, match="--weights is for one model"):
        profile_targets(Asked(("a", "b"), tmp_path / "w.safetensors"), ("raspberry-pi-5",), (), Silent())
    with pytest.raises(UsageError, match="given twice"):
        profile_targets(Asked(("digits_cnn", "digits_cnn")), ("raspberry-pi-5",), (), Silent())
    with pytest.raises(UsageError, match="no such file"):
        predict(str(tmp_path / "m.onnx"), "raspberry-pi-5")


def test_a_model_over_the_limit_of_a_format_is_refused_before_it_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(get_backend("tflite"), most_bytes=100_000)
    monkeypatch.setattr("edgevit.commands.profile.get_backend", lambda name: small)
    with pytest.raises(UsageError, match="of float32 weights, and one file of LiteRT holds at most"):
        profile_targets(Asked(("digits_vit",), export="tflite"), ("raspberry-pi-5",), (), Silent())


def test_an_anchor_sets_the_scale() -> None:
    pytest.importorskip("onnx")
    probe = str(probes.probe_path(".onnx"))
    (before,) = predict(probe, "raspberry-pi-4b").predictions
    assert before.latency_ms is not None
    twice = f"{probe}={2 * before.latency_ms.p50:f}ms"
    (after,) = predict(probe, "raspberry-pi-4b", anchors=[twice] * 3).predictions
    assert after.latency_ms is not None
    assert 1.9 < after.latency_ms.p50 / before.latency_ms.p50 < 2
    assert after.latency_ms.high / after.latency_ms.low <= before.latency_ms.high / before.latency_ms.low
    assert after.basis.endswith("scaled by 3 measurements of yours")


def test_an_anchor_has_to_be_for_what_is_predicted(tmp_path: Path) -> None:
    probe = str(probes.probe_path(".onnx"))
    (tmp_path / "a.tflite").write_bytes(b"")
    anchors = [f"{tmp_path / 'a.tflite'}=3ms"]
    with pytest.raises(UsageError, match="one device"):
        predict(probe, "raspberry-pi-5", "raspberry-pi-4b", anchors=anchors)
    with pytest.raises(UsageError, match="not of the format"):
        predict(probe, "raspberry-pi-5", anchors=anchors)


def test_a_picture_needs_several_points_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="several targets or sizes"):
        check_picture(tmp_path, 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        check_picture(tmp_path / "file", 2)
    check_picture(tmp_path / "new", 2)


@pytest.mark.slow
def test_models_are_priced_from_their_captured_graphs_at_each_size() -> None:
    asked = Asked(("digits_cnn", "digits_vit"), sizes=((32, 32), (48, 48)))
    found = profile_targets(asked, ("raspberry-pi-4b", "coral-edge-tpu"), (), Silent())
    assert [each.title for each in found] == [
        f"{name} at {size} × {size}" for name in ("digits_cnn", "digits_vit") for size in (32, 48)
    ]
    assert all(each.graph == "captured" and each.macs for each in found)
    small, large = (each.predictions[0] for each in found[:2])
    assert small.latency_ms and large.latency_ms and small.latency_ms.p50 < large.latency_ms.p50
    assert "captured from PyTorch" in small.basis
    assert not found[0].predictions[1].supported, "an Edge TPU runs no float"
