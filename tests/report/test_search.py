"""The report of a search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.search import point_row, search_report
from edgevit.results.search import AdditivityRecord, Infeasible
from tests.factories import make_search, make_search_point


def test_every_point_says_what_is_known_of_it() -> None:
    text = search_report(make_search())
    front, _, rest = text.partition("## Predicted")
    assert "| openvino/static_wi8_ai8/tome-8-gather | measured |" in front
    assert "Not run: dominated by prediction" in rest
    assert (
        "| openvino/dynamic_wi8_afp32/evit-0.7-gather | not run | -1.4 pt (-1.9 to -0.9) | ≈ 9.00 ms (8.8 to 9.2) | ≈ 6.0 MB |"
        in rest
    )


def test_the_front_has_intervals() -> None:
    search = make_search()
    assert point_row(search, search.on_front[0]) == (
        "openvino/static_wi8_ai8/tome-8-gather", "measured", "-0.9 pt (-1.4 to -0.4)", "6.00 ms (5.8 to 6.2)", "6.0 MB",
    )  # fmt: skip


def test_what_does_not_hold_is_said() -> None:
    search = make_search()
    record = AdditivityRecord(
        24, 0.5, 1.4, holds=False, note="divergences of single layers do not add up on this model"
    )
    models = (replace(search.models[0], additivity=record),)
    limit = Infeasible("max_drop 1", "digits_vit/openvino/fp32", "no compressed point keeps max_drop 1")
    text = search_report(replace(search, models=models, infeasible=limit))
    assert "Divergences of single layers do not add up" in text
    assert "no point is within the limits" in text


def test_several_models_have_names_in_the_tables() -> None:
    search = make_search(make_search_point(on_front=True), make_search_point(model="digits_cnn", on_front=True))
    models = (search.models[0], replace(search.models[0], name="digits_cnn"))
    assert "digits_cnn/openvino/fp32" in search_report(replace(search, models=models))


@pytest.mark.parametrize("text", ["| a", "<b>", "[x](y)"])
def test_names_from_outside_are_text(text: str) -> None:
    search = make_search()
    written = search_report(replace(search, models=(replace(search.models[0], name=text),), notes=(text,)))
    assert f"# Search: {text}" not in written
