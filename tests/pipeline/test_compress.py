"""What a backend's candidates are made from, and when a token search is made once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgevit.backends import get_backend
from edgevit.pipeline import compress as pipeline
from edgevit.pipeline.candidate import COMPRESS_STEPS
from edgevit.pipeline.context import Draft, Job, Variant
from edgevit.pipeline.token_passes import Reduced
from edgevit.quantization.policy import Target
from edgevit.results.artifact import PassRecord, Preprocessing
from edgevit.results.candidate import Attempt, Candidate
from edgevit.results.token_search import TokenSearch
from edgevit.run.progress import Silent
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec
from tests.factories import make_candidate

DENSE = Variant("dense", Path("dense.pt2"), Preprocessing((8, 8), (0.5,) * 3, (0.5,) * 3), (), Path("dense.npy"))


def variant(plan: str) -> Variant:
    return replace(DENSE, slug=plan, passes=(PassRecord("reduce_tokens", plan, 10, 5),))


def found(plan: str | None) -> Reduced:
    search = TokenSearch("openvino", "host", "measured", 1.0, (), (), 1, (), (), plan, None, 0.7, 6)
    return Reduced(((variant(plan),),) if plan else (), (search,), ())


class World:
    """A run whose candidates are known answers: integers by each plan lose what is said."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: str | None, careful: str | None, **lost: float) -> None:
        self.searched_again = 0
        self.parents: list[str | None] = []
        self._careful, self._lost = careful, lost
        monkeypatch.setattr(pipeline, "reduce_for", lambda *_: found(first))
        monkeypatch.setattr(pipeline, "reduce_carefully_for", self._search_again)
        monkeypatch.setattr(pipeline, "build", self._build)
        spec = Spec.model_validate(
            {"model": {"name": "m"}, "export": {"schemes": ["static_wi8_ai8"]}, "budget": {"max_drop": 1.5}}
        )
        self._shop: Any = SimpleNamespace(spec=spec, progress=Silent())

    def make(self) -> tuple[Reduced, list[str]]:
        target = Target("transformer", False, "none", ())
        job: Any = SimpleNamespace(shop=self._shop, target=target)
        passed: Any = SimpleNamespace(dense=DENSE)
        nothing: Any = None
        reduced, made = pipeline.candidates_for(get_backend("openvino"), job, COMPRESS_STEPS, nothing, nothing, passed)
        return reduced, [candidate.id for candidate in made]

    def _search_again(self, *_: object) -> Reduced:
        self.searched_again += 1
        return found(self._careful)

    def _build(
        self, job: Job, steps: Any, backend: Any, scheme: str, variant: Variant, parent: Candidate | None
    ) -> Candidate:
        draft = Draft(backend, variant, parent, make_candidate(f"openvino/{scheme}/{variant.slug}", speed_up=2.0))
        if scheme == "fp32":
            self.parents.append(parent.id if parent else None)
            return replace(draft.candidate, passes=variant.passes)
        lost = self._lost.get(variant.slug.replace(":", "_"), 0.0)
        attempts = (Attempt("policy", Recipe(scheme), None, None, lost, 1.0),)
        return replace(draft.candidate, passes=variant.passes, attempts=attempts)


FP32, INT8 = "openvino/fp32", "openvino/static_wi8_ai8"


def test_a_plan_whose_integers_hold_is_searched_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "tome:9", "tome:4", tome_9=1.5)
    reduced, made = world.make()
    assert made == [f"{FP32}/dense", f"{INT8}/dense", f"{FP32}/tome:9", f"{INT8}/tome:9"]
    assert (reduced, world.searched_again) == (found("tome:9"), 0)


def test_a_plan_that_integers_spoil_is_followed_by_a_more_careful_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "tome:9", "tome:4", tome_9=1.6, tome_4=1.7)
    reduced, made = world.make()
    assert made[2:] == [f"{FP32}/tome:9", f"{INT8}/tome:9", f"{FP32}/tome:4", f"{INT8}/tome:4"]
    assert [search.plan for search in reduced.searches] == ["tome:9", "tome:4"]
    assert world.parents == [None, f"{FP32}/dense", f"{FP32}/dense"]
    assert world.searched_again == 1


@pytest.mark.parametrize("careful", ["tome:9", None])
def test_a_careful_search_that_finds_nothing_new_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, careful: str | None
) -> None:
    world = World(monkeypatch, "tome:9", careful, tome_9=1.6)
    reduced, made = world.make()
    assert len(made) == 4
    assert [search.plan for search in reduced.searches] == ["tome:9", careful]


def test_what_dense_integers_lose_is_no_reason_to_search_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None, "tome:4", dense=9.0)
    assert world.make()[1] == [f"{FP32}/dense", f"{INT8}/dense"]
    assert world.searched_again == 0
