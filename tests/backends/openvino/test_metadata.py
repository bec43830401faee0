"""Text in the rt_info of OpenVINO IR."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

ov = pytest.importorskip("openvino")

from edgevit.backends.openvino.metadata import read_metadata, write_metadata  # noqa: E402
from edgevit.commands import probes  # noqa: E402

TEXT = '{"name": "a <b> & \\"c\\" é"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    shutil.copy(probes.probe_path(".xml").with_suffix(".bin"), tmp_path / "model.bin")
    return Path(shutil.copy(probes.probe_path(".xml"), tmp_path / "model.xml"))


def run(path: Path) -> np.ndarray:
    feed = np.arange(4, dtype=np.float32).reshape(1, 4)
    return np.array(ov.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feed)[0])


def test_the_text_is_there_for_everyone(file: Path) -> None:
    before, weights = run(file), file.with_suffix(".bin").read_bytes()
    assert read_metadata(file, "edgevit") is None
    write_metadata(file, "edgevit", TEXT)
    assert read_metadata(file, "edgevit") == TEXT
    assert ov.Core().read_model(file).get_rt_info("edgevit").astype(str) == TEXT
    assert file.with_suffix(".bin").read_bytes() == weights
    np.testing.assert_array_equal(run(file), before)


def test_another_text_takes_its_place_and_others_stay(file: Path) -> None:
    write_metadata(file, "other", "stays")
    write_metadata(file, "edgevit", "one")
    write_metadata(file, "edgevit", "two")
    assert (read_metadata(file, "edgevit"), read_metadata(file, "other")) == ("two", "stays")
    assert file.read_text(encoding="utf-8").count("<edgevit") == 1
    again = file.read_bytes()
    write_metadata(file, "edgevit", "two")
    assert file.read_bytes() == again


@pytest.mark.parametrize("content", [b"", b"no XML", b"<net>", b"\xff\xfe", b"<net/>"])
def test_what_is_damaged_carries_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read_metadata(file, "edgevit") is None
