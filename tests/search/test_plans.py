"""Plans that a spec names, and sizes that are looked at by themselves."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from edgevit.backends import Backend, get_backend
from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.results.token_search import TokenSearch
from edgevit.search.plans import find_plans, named_plans, searched_plans, searched_sizes
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


def test_plans_are_searched_for_in_every_runtime_and_further_in_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[str, float]]()

    def find(_context: object, _module: object, backend: Backend, _device: None, limit: float) -> TokenSearch:
        asked.append((backend.name, limit))
        return SimpleNamespace(plan="resolution:24" if backend.name == "litert" else None)  # type: ignore[return-value]

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
    assert len(asked) == searched_plans(2)
    assert {name for name, _ in asked[-2:]} == {"litert"}
    assert max(limit for name, limit in asked if name == "openvino") == 8.0
    assert "resolution:24" in map(str, found.plans)
