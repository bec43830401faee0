"""A float file becomes int8 with images in memory."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import edgevit  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.digits import load_split  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.quantized_file import QuantizedFile  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

MODEL = load_model(ModelSpec(name="digits_cnn"))
TEST, TRAIN = (np.stack([np.asarray(image) for image in load_split(name).images[:40]]) for name in ("test", "train"))
LABELS = load_split("test").labels[:40]


def test_a_file_and_arrays_become_an_int8_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edgevit.quantize")
    file = get_backend("onnxruntime").export(capture(MODEL.module, MODEL.preprocessing.input_size), tmp_path)
    events: list[edgevit.ProgressEvent] = []
    found = edgevit.quantize(
        file,
        TRAIN,
        evaluation=(TEST, LABELS),
        scheme="static_wi8_ai8",
        preprocessing=MODEL.preprocessing,
        progress=events.append,
    )
    assert isinstance(found, QuantizedFile)
    assert found.path == tmp_path / "model.static_wi8_ai8.onnx"
    assert found.path.is_file()
    assert found.size_after < found.size_before
    assert found.accuracy.samples == 40
    assert found.drop_points <= 1.0
    assert next(event.text for event in events if event.kind == "stage") == "read model.onnx"
    assert "read model.onnx: done" in caplog.messages
    with pytest.raises(edgevit.UsageError, match="exists"):
        edgevit.quantize(file, TRAIN, scheme="static_wi8_ai8", preprocessing=MODEL.preprocessing)


def test_what_is_no_file_of_a_runtime_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"")
    with pytest.raises(edgevit.UsageError, match="no backend reads"):
        edgevit.quantize(tmp_path / "model.h5", TRAIN)
