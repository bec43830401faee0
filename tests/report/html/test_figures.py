"""The document that Bokeh draws: every point in its plots, measured and predicted apart."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.report.evidence import ArtifactLayers, Evidence
from edgevit.report.html.figures import draw_figures
from edgevit.report.html.panel import COLOURS, runtime_colours
from edgevit.results.layer_times import LayerTime, LayerTimes
from tests.factories import (
    make_candidate,
    make_layer,
    make_realistic_run,
    make_run,
    make_sensitivity_report,
    make_timed_run,
)

pytest.importorskip("bokeh")
PI = "raspberry-pi-5"


def objects(document: Any, name: str) -> list[dict[str, Any]]:
    """The attributes of all models of a type."""
    found = []
    if isinstance(document, dict):
        if document.get("type") == "object" and document.get("name") == name:
            found.append(document.get("attributes", {}))
        for each in document.values():
            found += objects(each, name)
    elif isinstance(document, list | tuple):
        for each in document:
            found += objects(each, name)
    return found


def test_there_is_a_plot_of_all_one_of_each_runtime_and_one_of_each_device() -> None:
    figures = draw_figures(make_timed_run(PI), Evidence())
    assert [(panel.name, panel.numbers) for panel in figures.fronts] == [
        ("front-host", (1, 2, 3, 4)), ("front-runtime-0", (2, 3, 4)), ("front-runtime-1", (1,)), ("front-device-0", (2, 3)),
    ]  # fmt: skip
    assert [root["attributes"]["name"] for root in figures.document["roots"]] == [each.name for each in figures.fronts]


def test_measured_and_predicted_have_different_marks_and_no_plot_has_both() -> None:
    for root in draw_figures(make_timed_run(PI), Evidence()).document["roots"]:
        marks = {
            each.get("marker", {"value": "circle"})["value"]
            for each in objects(root, "Scatter")
            if each.get("fill_color") != {"type": "value"}
            and "fill_alpha" in each
            and each["fill_alpha"].get("type") == "field"
        }
        assert marks == ({"diamond"} if root["attributes"]["name"].startswith("front-device") else {"circle"})


def test_layers_are_drawn_where_they_are_known() -> None:
    times = LayerTimes(
        "host", "cpu", "measured", 2.0, 1.9, "a profiler", (LayerTime("a", "", "linear", 1.5, 1, 1, ""),)
    )
    evidence = Evidence(
        (make_sensitivity_report(make_layer(1, None), make_layer(0, -3.0)),), (ArtifactLayers("model.tflite", times),)
    )
    figures = draw_figures(make_run(make_candidate(p50_ms=None)), evidence)
    assert figures.fronts == ()
    assert figures.sensitivities[0].title.startswith("Quantization error by layer")
    assert "blocks.1.fc, identical" in figures.sensitivities[0].description
    assert figures.layer_times[0].title == "model.tflite: time of each layer, measured on this host"


def test_the_same_run_gives_the_same_document() -> None:
    assert (
        draw_figures(make_timed_run(PI), Evidence()).document == draw_figures(make_timed_run(PI), Evidence()).document
    )


def test_runtimes_have_colours_of_their_own() -> None:
    assert runtime_colours(make_realistic_run()) == dict(
        zip(("litert", "onnxruntime", "openvino"), COLOURS, strict=False)
    )
