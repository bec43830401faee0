"""An IR has its constants in a file beside it, if it has any."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.openvino.files import files_of


def test_constants_lie_beside_it(tmp_path: Path) -> None:
    xml, weights = tmp_path / "m.xml", tmp_path / "m.bin"
    assert files_of(xml) == (xml,)
    weights.write_bytes(b"")
    assert files_of(xml) == (xml, weights)
