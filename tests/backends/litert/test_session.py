"""Sessions of LiteRT: what they report, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from ai_edge_litert.tools import flatbuffer_utils

from edgevit.backends.litert import session as module
from edgevit.backends.litert.session import RuntimeSession
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec

PROBE = Path(__file__).parents[3] / "edgevit" / "commands" / "probes" / "probe.tflite"
"""y = 2 x + 1 over float32 [1, 4]."""


def test_it_runs_and_reports_what_it_is() -> None:
    session = RuntimeSession(PROBE, 1, "f32")
    assert session.inputs == (TensorSpec("input", (1, 4), "float32", "NC"),)
    assert session.outputs == (TensorSpec("logits", (1, 4), "float32", "NC"),)
    assert session.delegate == "XNNPACK, 1 partition"
    assert session.precision == "f32"
    values = np.array([[0, 1, -2, 0.5]], np.float32)
    (made,) = session.run((values,))
    np.testing.assert_array_equal(made, 2 * values + 1)
    session.run((np.zeros_like(values),))
    np.testing.assert_array_equal(made, 2 * values + 1)


def test_an_open_batch_takes_as_many_images_as_are_asked_for(tmp_path: Path) -> None:
    model = flatbuffer_utils.read_model(str(PROBE))
    for tensor in model.subgraphs[0].tensors:
        if list(tensor.shape) == [1, 4]:
            tensor.shapeSignature = np.array([-1, 4], np.int32)
    flatbuffer_utils.write_model(model, str(tmp_path / "open.tflite"))
    session = RuntimeSession(tmp_path / "open.tflite", 1, "f32", 3)
    assert (session.inputs[0].shape, session.outputs[0].shape) == ((3, 4), (3, 4))
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(session.run((values,))[0], 2 * values + 1)
    assert RuntimeSession(tmp_path / "open.tflite", 1, "f32").inputs[0].shape == (1, 4)
    assert RuntimeSession(PROBE, 1, "f32", 3).inputs[0].shape == (1, 4)


def test_bfloat16_is_refused() -> None:
    with pytest.raises(UsageError, match="does not compute in bfloat16"):
        RuntimeSession(PROBE, 1, "bf16")


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("Select TensorFlow op(s), included in the given model,\n are not supported", "Flex"),
        ("no kernel", "export it again"),
    ],
)
def test_a_missing_op_is_an_error_when_it_is_loaded_or_run(
    message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = RuntimeSession(PROBE, 1, "f32")

    def fail(self: object) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(module.Interpreter, "invoke", fail)
    with pytest.raises(UsageError, match="LiteRT cannot run .*probe.tflite") as caught:
        session.run((np.zeros((1, 4), np.float32),))
    monkeypatch.setattr(module.Interpreter, "allocate_tensors", fail)
    with pytest.raises(UsageError, match="LiteRT cannot load .*probe.tflite") as also:
        RuntimeSession(PROBE, 1, "f32")
    for error in (caught.value, also.value):
        assert "\n" not in error.message
        assert error.hint
        assert hint in error.hint
