"""Tables of layers."""

from __future__ import annotations

from edgevit.report.html.layers import layer_time_table, quantized_table, sensitivity_table
from edgevit.results.layer_times import LayerTime, LayerTimes
from tests.factories import make_candidate, make_layer, make_realistic_run, make_run, make_sensitivity_report


def test_quantized_candidates_are_compared_with_what_they_were_made_from() -> None:
    rows = quantized_table(make_realistic_run()).rows
    assert ("1", "openvino/static_wi8_ai8", "98.0 dB", "98.0 %", "openvino/fp32", "–", "none") in rows
    assert not [row for row in rows if row[1].endswith("fp32") and "dynamic" not in row[1]]
    assert quantized_table(make_run(make_candidate("litert/fp32"))).rows == ()


def test_layers_by_what_they_lose() -> None:
    table = sensitivity_table(make_sensitivity_report(make_layer(1, 12.0, 0.9), make_layer(0)))
    assert table.rows[0] == ("blocks.1.fc", "linear", "12.0 dB", "90.0 %", "1.00 M")
    many = sensitivity_table(make_sensitivity_report(*(make_layer(number) for number in range(60))))
    assert len(many.rows) == 40
    assert many.about.endswith("Worst first, 40 of 60.")


def test_layers_by_their_time() -> None:
    layers = (LayerTime("a", "", "linear", 0.5, 100, None, "int8"), LayerTime("b", "", "other", 1.5, None, None, ""))
    table = layer_time_table("", LayerTimes("raspberry-pi-5", "cpu", "predicted", 4.0, None, "a basis", layers))
    assert table.rows[0] == ("b", "other", "1.50 ms", "75.0 %", "–", "–")
    assert table.about == (
        "Time of each layer, predicted for raspberry-pi-5 (cpu): all together 2.00 ms of 4.00 ms. a basis. Most first."
    )
