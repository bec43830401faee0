"""A TFLite file has its weights in it."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.litert.files import files_of


def test_a_file_is_alone(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"")
    assert files_of(tmp_path / "m.tflite") == (tmp_path / "m.tflite",)
