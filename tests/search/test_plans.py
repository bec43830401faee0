"""Plans that a spec names, and sizes that are looked at by themselves."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from edgevit.backends import Backend, get_backend
from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.results.token_search import TokenSearch
from edgevit.search.plans import MOST_PLANS, find_plans, named_plans, searched_sizes, worth_making
from tests.pipeline.contexts import CONTRACT_32


def test_what_a_model_cannot_carry_out_is_told() -> None:
    plans, refused, is_searched = named_plans(digits_cnn().eval(), "evit:0.7,resolution:24,auto", (32, 32))
    assert list(map(str, plans)) == ["resolution:24"]
    assert list(refused) == ["evit:0.7"]
    assert is_searched


def test_none_is_no_plan() -> None:
    assert named_plans(digits_vit().eval(), "none", (32, 32)) == ((), {}, False)


def test_a_few_smaller_images_are_looked_at_where_there_are_images() -> None:
    module = digits_vit().eval()
    sizes = searched_sizes(module, CONTRACT_32)
    assert 1 <= len(sizes) <= 3
    assert max(sizes) < 32
    assert searched_sizes(module, replace(CONTRACT_32, input="array")) == ()


def _tried(backend: str, plan: str | None, *plans: tuple[str, float, float]) -> TokenSearch:
    """A search with plans, each with its latency and drop."""
    tried = [SimpleNamespace(plan=name, predicted_ms=ms, drop_points=drop) for name, ms, drop in plans]
    return SimpleNamespace(backend=backend, plan=plan, dense_ms=10.0, tried=tried, sizes=())  # type: ignore[return-value]


def test_of_the_plans_that_were_tried_those_that_no_other_beats_are_made_nearest_to_the_limit_first() -> None:
    found = _tried(
        "litert", "a", ("a", 8.0, 0.6), ("b", 7.0, 1.4), ("beaten", 7.5, 1.5), ("slow", 11.0, 0.0), ("far", 3.0, 9.0)
    )
    other = _tried("openvino", "a", ("a", 9.0, 0.6), ("beaten", 6.0, 1.5), ("c", 4.0, 3.0))
    assert worth_making([found, other], 1.0) == ("a", "b", "beaten", "c")
    many = _tried("litert", None, *((f"p{place}", 9 - place / 10, place / 10) for place in range(40)))
    assert len(worth_making([many], 1.0)) == MOST_PLANS
    assert worth_making([many], 1.0)[0] == "p10"


def test_plans_are_searched_for_in_every_runtime_and_their_drops_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[str, float]]()

    def find(_context: object, _module: object, backend: Backend, _device: None, limit: float) -> TokenSearch:
        asked.append((backend.name, limit))
        return _tried(backend.name, None, ("evit:0.7", 5.0, limit))

    monkeypatch.setattr("edgevit.search.plans.find_plan", find)
    inputs = SimpleNamespace(
        model=SimpleNamespace(preprocessing=CONTRACT_32),
        searches_tokens=True,
        devices=(),
        spec=SimpleNamespace(budget=SimpleNamespace(max_drop=2.0)),
    )
    trained = SimpleNamespace(module=digits_vit().eval())
    backends = [get_backend("openvino"), get_backend("litert")]
    found = find_plans(SimpleNamespace(inputs=inputs), trained, "auto", backends)  # type: ignore[arg-type]
    assert {name for name, _ in asked} == {"openvino", "litert"}
    assert min(limit for _, limit in asked) < 2.0 < max(limit for _, limit in asked)
    assert "evit:0.7" in map(str, found.plans)
    assert found.drops == {"evit:0.7": asked[-1][1]}
