"""Loss under shift on the terminal."""

from __future__ import annotations

import pytest

from edgevit.cli.render_shift import print_shift
from tests.results.test_shift import record


def test_it_fits_80_columns_and_names_are_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_shift("a\x1b[31m.onnx", record(noise=(1, 2, 3), brightness=(0, 0, 0)))
    said = capsys.readouterr().out
    assert "\x1b" not in said and "a\\x1b[31m.onnx against onnxruntime/fp32/dense" in said
    assert max(map(len, said.splitlines())) <= 80
    assert "largest drop under shift: 2.0 pt (noise)" in said
