"""Layers as a table: readable at 80 columns, whole with --wide, and as a document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.render_layers import layer_times_document, print_layer_times, show_measured
from tests.factories import make_layer_times

FOUND = make_layer_times()


def test_the_slowest_are_shown_and_the_rest_is_summed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = replace(FOUND.layers[6], name="native_layer_norm_1/aten.native_layer_norm.default/Add_0_0/nncf_smooth_quant")
    print_layer_times("model.onnx", replace(FOUND, layers=(*FOUND.layers[:6], long, *FOUND.layers[7:])))
    tables, _, rest = capsys.readouterr().out.partition("every layer: --wide")
    assert max(map(len, tables.splitlines())) <= 80
    assert "the other 25 " in tables
    assert "native_layer_nor…cf_smooth_quant" in tables
    assert "sum of 40 layers: 155 ms, 80 % of the whole run (p50 194 ms)" in rest
    assert "a constant of the runtime" in rest
    assert "how it divides into layers" in rest


def test_every_layer_is_shown_in_its_order_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    print_layer_times("model.onnx", FOUND, wide=True)
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if "blocks." in line]
    assert [row[1] for row in rows] == [layer.name for layer in FOUND.layers]
    assert "every layer: --wide" not in out


def test_what_the_profiler_does_not_show_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = make_layer_times(source="measured")
    show_measured(Path("model.onnx"), found, (Path("pictures/layers.png"),), wide=False)
    out = capsys.readouterr().out
    assert "without the profiler p50 194 ms, 174 ms at best" in out
    assert "measured by a profiler" in out
    assert "far less than the whole" not in out
    assert "picture: pictures/layers.png" in out
    show_measured(Path("model.onnx"), replace(found, fastest_ms=10 * found.sum_ms), (), wide=False)
    assert "far less than the whole" in capsys.readouterr().out


def test_the_document_has_every_layer_with_its_share_and_rate() -> None:
    document = layer_times_document(FOUND)
    assert len(document["layers"]) == 40
    assert sum(layer["share"] for layer in document["layers"]) == pytest.approx(1)
    assert document["layers"][0]["operations_per_second"] == pytest.approx(2e6 / 1e-3)
    assert document["layers"][2]["intensity"] is None
    assert document["sum_ms"] == FOUND.sum_ms
    assert document["kinds"][0]["ms"] == max(kind["ms"] for kind in document["kinds"])
