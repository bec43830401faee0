"""Text in the metadata of ONNX files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from edgevit.backends.onnxruntime.metadata import read_metadata, write_metadata  # noqa: E402
from edgevit.commands import probes  # noqa: E402


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(probes.probe_path(".onnx"), tmp_path / "model.onnx"))


def run(path: Path) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = np.arange(4, dtype=np.float32).reshape(1, 4)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: feed})[0])


def test_the_text_is_there_for_everyone(file: Path) -> None:
    before = run(file)
    assert read_metadata(file, "edgevit") is None
    write_metadata(file, "edgevit", "naïve\n{}")
    assert read_metadata(file, "edgevit") == "naïve\n{}"
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"edgevit": "naïve\n{}"}
    np.testing.assert_array_equal(run(file), before)


def test_another_text_takes_its_place_and_others_stay(file: Path) -> None:
    write_metadata(file, "other", "stays")
    write_metadata(file, "edgevit", "one")
    write_metadata(file, "edgevit", "two")
    model = onnx.load(file)
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("other", "stays"), ("edgevit", "two")]
    again = file.read_bytes()
    write_metadata(file, "edgevit", "two")
    assert file.read_bytes() == again


def test_weights_beside_the_file_stay_there(tmp_path: Path) -> None:
    weights = onnx.numpy_helper.from_array(np.arange(1000, dtype=np.float32), "w")
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1000]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", ports[:1], ports[1:], [weights])
    path = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(graph), path, save_as_external_data=True, location="model.data", size_threshold=0)
    held = (tmp_path / "model.data").read_bytes()
    write_metadata(path, "edgevit", "text")
    assert (tmp_path / "model.data").read_bytes() == held
    assert path.stat().st_size < 1000
    assert read_metadata(path, "edgevit") == "text"


def test_what_is_damaged_carries_nothing(file: Path) -> None:
    write_metadata(file, "edgevit", "text")
    whole = file.read_bytes()
    for content in (b"", b"\xff" * 20, b"no ONNX file at all", *(whole[:cut] for cut in range(len(whole)))):
        file.write_bytes(content)
        assert read_metadata(file, "edgevit") is None
