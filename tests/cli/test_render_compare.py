"""What changed, on the terminal."""

from __future__ import annotations

import pytest

from edgevit.cli.render_compare import print_changes
from tests.report.test_changes import make_changes


def test_it_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_changes(make_changes())
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "B: run onnxruntime/fp32/dense" in said and "latency p50" in said
