from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.devices.anchors import AnchorModel, Prior
from edgevit.devices.coefficients import SHIPPED, devices_of_kernels, evidence_counts, load_cost_model, save_cost_model
from edgevit.devices.cost_model import LEVELS, fit_rows, matrix
from edgevit.devices.evidence import OF_DEVICE
from edgevit.devices.interval_table import IntervalTable, Regime
from tests.devices.rows import configuration, made_up

ANCHORS: dict[Regime, AnchorModel] = {"measured": AnchorModel(Prior(0.3, (0.1, 0.2), 0.03, 1.0, 0.02), {1: 1.3})}


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    rows, graphs = made_up()
    intervals = IntervalTable({("measured", "all"): (7, 0.5)})
    model = replace(fit_rows(rows, graphs), intervals=intervals, anchors=ANCHORS)
    save_cost_model(tmp_path / "model.npz", model)
    read = load_cost_model(tmp_path / "model.npz")
    x = matrix(rows, graphs)
    for asked in ([row.configuration for row in rows], [configuration("new")] * len(rows)):
        given = [model.log_ms(features, each) for features, each in zip(x, asked, strict=True)]
        assert [read.log_ms(features, each) for features, each in zip(x, asked, strict=True)] == pytest.approx(
            given, abs=0.01
        )
    assert (read.intervals, read.anchors) == (model.intervals, model.anchors)
    assert read.count("kernels device", rows[0].configuration) == 12
    assert read.count("kernels", rows[0].configuration) == model.count("kernels", rows[0].configuration) == 24
    assert read.devices == model.devices


def test_counts_and_devices_of_rows() -> None:
    rows, _ = made_up(3)
    assert evidence_counts(rows)["unit"] == {("cpu",): 6}
    assert set(devices_of_kernels(rows).values()) == {("fast",), ("slow",)}


def test_the_shipped_model_is_whole() -> None:
    model = load_cost_model(SHIPPED)
    pi = replace(configuration("Raspberry Pi 4B", runtime="TFLite"), architecture="Cortex-A72")
    assert model.count("kernels device", pi) > 40
    new = replace(pi, device="new")
    assert (model.regime(pi), model.regime(new)) == ("measured", "not measured")
    for asked in (pi, new):
        assert np.isfinite(np.log(model.costs(asked))).all()
    assert model.coefficients.keys() == LEVELS.keys()
    for regime, found in model.coefficients.items():
        of_device = set(OF_DEVICE) if regime == "not measured" else set()
        assert found.fitted.offsets.keys() == {level.name for level in LEVELS[regime]} - of_device
        assert OF_DEVICE[1] not in found.like_graphs.weights or regime == "measured"
    assert 0 < model.intervals.half_width("measured", pi) < model.intervals.half_width("not measured", pi)
