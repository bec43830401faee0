"""Bars of layers: the worst and the longest are named in words."""

from __future__ import annotations

import pytest

from edgevit.report.evidence import ArtifactLayers
from edgevit.report.html.layer_figures import draw_layer_times, draw_sensitivity
from edgevit.results.layer_times import LayerTime, LayerTimes
from tests.factories import make_layer, make_sensitivity_report

pytest.importorskip("bokeh")


def test_the_most_sensitive_layer_is_named_and_one_without_noise_has_no_bar() -> None:
    panel, plot = draw_sensitivity(3, make_sensitivity_report(make_layer(1, -3.0), make_layer(0, None)))
    assert panel.name == "sensitivity-3"
    assert "The most sensitive is blocks.1.fc, -3.0 dB" in panel.description
    (bars,) = plot.renderers
    assert list(bars.data_source.data["top"]) == [-3.0]


def test_the_longest_layer_is_named() -> None:
    layers = (LayerTime("a", "", "linear", 1.5, 1, 1, ""), LayerTime("b", "", "linear", 0.5, 1, 1, ""))
    times = LayerTimes("host", "cpu", "measured", 2.0, 1.9, "a profiler", layers)
    panel, plot = draw_layer_times(0, ArtifactLayers("model.tflite", times))
    assert panel.title == "model.tflite: time of each layer, measured on this host"
    assert "The longest is a with 1.50 ms" in panel.description
    (bars,) = plot.renderers
    assert list(bars.data_source.data["top"]) == [1.5, 0.5]
