"""Points are picked by limits, and become specs that make exactly them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevit.errors import UsageError
from edgevit.results.search import PointSettings, Search, SearchBudget
from edgevit.search.pick import parse_limits, pick_point, spec_of, toml_document
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec
from edgevit.spec.write_toml import to_toml
from tests.factories import make_search, make_search_point

SPEC = {
    "model": {"name": "digits_vit"},
    "data": {"evaluation": "digits", "calibration": "calibration:digits"},
    "passes": {"tokens": "auto"},
    "finetune": {"mode": "auto", "images_seen": 640},
}


def _search(**spec: Any) -> Search:
    search = make_search()
    document = resolve_spec(None, None, {**SPEC, **spec}).model_dump(mode="json")
    return replace(search, models=(replace(search.models[0], spec=document),))


@pytest.mark.parametrize(
    ("limits", "picked"),
    [
        ("p50_ms<=8", "openvino/static_wi8_ai8"),
        ("p50_ms<=7", "openvino/static_wi8_ai8/tome-8-gather"),
        ("p50_ms<=100", "openvino/fp32"),
        ("drop<=1", "openvino/static_wi8_ai8/tome-8-gather"),
        ("top1>=97.5%", "openvino/static_wi8_ai8"),
        ("top1>=0.975, size<=7MB", "openvino/static_wi8_ai8"),
        ("size<=7MB", "openvino/static_wi8_ai8"),
    ],
)
def test_the_most_accurate_point_or_where_accuracy_is_limited_the_fastest(limits: str, picked: str) -> None:
    assert pick_point(make_search(), parse_limits(limits)).settings.id == picked


def test_where_none_keeps_the_limits_the_nearest_is_named() -> None:
    with pytest.raises(UsageError, match="no point of the front keeps p50_ms<=2") as caught:
        pick_point(make_search(), parse_limits("p50_ms<=2,drop<=5"))
    assert "static_wi8_ai8/tome-8-gather, with p50_ms 6" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "'fast' is no limit"),
        ("p50_ms<8", "is no limit"),
        ("p50ms<=8", "value in --pick"),
        ("p50_ms<=8MB", "p50_ms is not in MB"),
        ("size<=10%", "size is not in %"),
        ("", "'' is no limit"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_limits(text)


def test_an_empty_front_has_nothing_to_pick() -> None:
    with pytest.raises(UsageError, match="no front"):
        pick_point(make_search(make_search_point(status="failed")), parse_limits("drop<=1"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (PointSettings("digits_vit", "openvino", "fp32"), {"tokens": "none", "mode": "none", "layers": None}),
        (
            PointSettings(
                "digits_vit", "onnxruntime", "static_wi8_ai8", "tome:8", "arithmetic", float_layers=("head",)
            ),
            {"tokens": "tome:8", "mode": "none", "layers": ("head",)},
        ),
        (
            PointSettings("digits_vit", "litert", "static_wi8_ai8", "resolution:24", finetune="quick"),
            {"tokens": "resolution:24", "mode": "quick", "layers": ()},
        ),
    ],
)
def test_the_spec_of_a_point_asks_for_it_alone(settings: PointSettings, expected: dict[str, Any]) -> None:
    """Written as TOML and read again, it is the same."""
    point = make_search_point(settings=settings, drop=2.5)
    search = replace(_search(), budget=SearchBudget(12.0, None, 1.0, 3))
    spec = spec_of(search, point)
    found = {"tokens": spec.passes.tokens, "mode": spec.finetune.mode, "layers": spec.quantize.float_layers}
    assert found == expected
    assert spec.export.backends == (settings.backend,)
    assert spec.export.schemes == (settings.scheme,)
    assert spec.passes.form == ("auto" if settings.form == "none" else settings.form)
    assert spec.budget.max_drop == 2.5
    if settings.finetune != "none":
        assert (spec.finetune.images_seen, spec.finetune.max_minutes) == (640, 3.0)
    tomllib = pytest.importorskip("tomllib")

    again = Spec.model_validate(tomllib.loads(to_toml(toml_document(spec))))
    assert again.sha256 == spec.sha256
