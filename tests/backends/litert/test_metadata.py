"""Text in the metadata of TFLite files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgevit.backends.litert.metadata import read_metadata, write_metadata
from edgevit.commands import probes

TEXT = "naïve {}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(probes.probe_path(".tflite"), tmp_path / "model.tflite"))


def run(path: Path) -> np.ndarray:
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.arange(4, dtype=np.float32).reshape(1, 4))
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def metadata(path: Path) -> dict[str, bytes]:
    """What the schema's own reader finds."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    return {entry.name.decode(): bytes(model.buffers[entry.buffer].data) for entry in model.metadata or ()}


def test_the_text_is_there_for_everyone(file: Path) -> None:
    before, content = run(file), file.read_bytes()
    assert read_metadata(file, "edgevit") is None
    write_metadata(file, "edgevit", TEXT)
    assert read_metadata(file, "edgevit") == TEXT
    assert metadata(file) == {"edgevit": TEXT.encode()}
    np.testing.assert_array_equal(run(file), before)
    assert file.read_bytes().endswith(content[8:])
    assert (file.stat().st_size - len(content)) % 64 == 0  # so that weights are aligned as they were


def test_another_text_takes_its_place_and_others_stay(file: Path) -> None:
    before = run(file)
    write_metadata(file, "other", "stays")
    write_metadata(file, "edgevit", "the first one")
    write_metadata(file, "edgevit", "two")
    assert metadata(file) == {"other": b"stays", "edgevit": b"two"}
    assert (read_metadata(file, "edgevit"), read_metadata(file, "other")) == ("two", "stays")
    assert b"first one" not in file.read_bytes()
    np.testing.assert_array_equal(run(file), before)


def test_all_that_the_schema_knows_of_a_file_stays(file: Path) -> None:
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    write_metadata(file, "edgevit", TEXT)
    after = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    assert (after.version, after.description, len(after.buffers)) == (
        model.version,
        model.description,
        len(model.buffers) + 1,
    )
    for mine, theirs in zip(model.buffers, after.buffers, strict=False):
        np.testing.assert_array_equal(mine.data, theirs.data)
    assert len(after.subgraphs) == len(model.subgraphs)
    assert [tensor.name for tensor in after.subgraphs[0].tensors] == [
        tensor.name for tensor in model.subgraphs[0].tensors
    ]


def test_what_is_damaged_carries_nothing_else(file: Path) -> None:
    write_metadata(file, "edgevit", TEXT)
    whole = file.read_bytes()
    for content in (b"", b"no TFLite file", b"\xff" * 40, b"\xff\xff\xff\xffTFL3" + b"\xff" * 40):
        file.write_bytes(content)
        assert read_metadata(file, "edgevit") is None
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        assert read_metadata(file, "edgevit") in (None, TEXT)


def test_what_is_no_tflite_file_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"something else")
    with pytest.raises(ValueError, match="no TFLite file"):
        write_metadata(tmp_path / "model.tflite", "edgevit", TEXT)
    assert (tmp_path / "model.tflite").read_bytes() == b"something else"
