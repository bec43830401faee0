"""What a backend's candidates are made from, and when a token search is made once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgevit.backends import get_backend
from edgevit.data.sampling import TuningImages
from edgevit.pipeline import backend_candidates
from edgevit.pipeline.backend_candidates import BackendCandidates, make_candidates
from edgevit.pipeline.context import CandidateDraft, RunContext, Variant
from edgevit.pipeline.finetuning import Untuned
from edgevit.pipeline.token_passes import ReducedVariants
from edgevit.pipeline.tuned_candidates import Tuned
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Accuracy, Attempt, Candidate
from edgevit.results.token_search import TokenSearch
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import parse_plans
from tests.factories import make_candidate, make_finetune
from tests.pipeline.contexts import CONTRACT, make_context, make_inputs, noise

DENSE = Variant("dense", Path("dense.pt2"), CONTRACT, (), Path("dense.npy"))


def variant(plan: str) -> Variant:
    return replace(DENSE, slug=plan, passes=(PassRecord("reduce_tokens", plan, 10, 5),))


def search(plan: str | None) -> TokenSearch:
    return TokenSearch("openvino", "host", "measured", 1.0, (), (), 1, (), (), plan, None, 0.7, 6)


def found(plan: str | None) -> ReducedVariants:
    return ReducedVariants(((variant(plan),),) if plan else (), (search(plan),), ())


class World:
    """A run whose candidates are known answers: int8 by each plan has the accuracy drop given."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        first: str | None,
        conservative: str | None,
        finetune: str = "none",
        better: tuple[str, ...] = (),
        **lost: float,
    ) -> None:
        """``better`` are the rungs of fine-tuning that bring something; drops are by slug, ":" and "-" as "_"."""
        self.searched_again = 0
        self.tuned: list[str] = []
        self._better = better
        self.parents: list[str | None] = []
        self._conservative, self._lost = conservative, lost
        monkeypatch.setattr(backend_candidates, "reduce_for", lambda *_: found(first))
        monkeypatch.setattr(backend_candidates, "reduce_conservatively_for", self._search_again)
        monkeypatch.setattr(backend_candidates, "make_tuned", self._tune)
        monkeypatch.setattr(backend_candidates, "build", self._build)
        monkeypatch.setattr(backend_candidates, "make", self._make)
        monkeypatch.setattr(backend_candidates, "measure", lambda context, draft: draft.candidate)
        spec = Spec.model_validate(
            {
                "model": {"name": "m"},
                "passes": {"tokens": "auto"},
                "finetune": {"mode": finetune},
                "export": {"schemes": ["static_wi8_ai8"]},
                "budget": {"max_drop": 1.5},
            }
        )
        plans = () if first is None else parse_plans("auto")
        self._context = make_context(
            make_inputs(spec, plans=plans, tuning_images=TuningImages(noise(3), noise(2))),
            folder,
            np.eye(4, dtype=np.float32),
        )

    def make(self) -> tuple[BackendCandidates, list[str]]:
        trained: Any = SimpleNamespace(dense=DENSE, pruned=None)
        made = make_candidates(self._context, trained, get_backend("openvino"))
        return made, [candidate.id for candidate in made.candidates]

    def _search_again(self, *_: object) -> ReducedVariants:
        self.searched_again += 1
        return found(self._conservative)

    def _tune(
        self, context: RunContext, trained: Any, backend: Any, untuned: Untuned, rung: str, dense: Candidate
    ) -> Tuned:
        slug = untuned.variant.slug
        self.tuned.append(f"{slug} {rung}")
        if rung not in self._better:
            return Tuned(record=make_finetune(slug, rung, after=0.2))
        variant = replace(untuned.variant, slug=f"{slug}-{rung}")
        parent = self._build(context, backend, "fp32", variant, dense)
        tuned = self._build(context, backend, untuned.candidate.scheme, variant, parent)
        replaced = replace(untuned.candidate, status="rejected", reasons=("replaced",))
        return Tuned((parent, tuned), replaced, make_finetune(slug, rung))

    def _make(self, context: RunContext, draft: CandidateDraft) -> CandidateDraft:
        scheme = draft.candidate.scheme
        return replace(draft, candidate=self._build(context, draft.backend, scheme, draft.variant, draft.parent))

    def _build(
        self, context: RunContext, backend: Any, scheme: str, variant: Variant, parent: Candidate | None
    ) -> Candidate:
        candidate = make_candidate(f"openvino/{scheme}/{variant.slug}", speed_up=2.0, passes=variant.passes)
        if scheme == "fp32":
            self.parents.append(parent.id if parent else None)
            return candidate
        lost = self._lost.get(variant.slug.replace(":", "_").replace("-", "_"), 0.0)
        accuracy = Accuracy(0.8, None, 100, lost)
        attempt = Attempt("policy", Recipe(scheme), None, None, lost, 1.0)
        return replace(candidate, accuracy=accuracy, attempts=(attempt,), recipe=Recipe(scheme))


FP32, INT8 = "openvino/fp32", "openvino/static_wi8_ai8"


def test_a_plan_whose_integers_hold_is_searched_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", "tome:4", tome_9=1.5)
    reduced, made = world.make()
    assert made == [f"{FP32}/dense", f"{INT8}/dense", f"{FP32}/tome:9", f"{INT8}/tome:9"]
    assert (reduced.searches, world.searched_again) == ((search("tome:9"),), 0)


def test_a_plan_whose_integers_exceed_the_budget_is_followed_by_a_more_conservative_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", "tome:4", tome_9=1.6, tome_4=1.7)
    reduced, made = world.make()
    assert made[2:] == [f"{FP32}/tome:9", f"{INT8}/tome:9", f"{FP32}/tome:4", f"{INT8}/tome:4"]
    assert [each.plan for each in reduced.searches] == ["tome:9", "tome:4"]
    assert world.parents == [None, f"{FP32}/dense", f"{FP32}/dense"]
    assert world.searched_again == 1


@pytest.mark.parametrize("conservative", ["tome:9", None])
def test_a_conservative_search_that_finds_nothing_new_makes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, conservative: str | None
) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", conservative, tome_9=1.6)
    reduced, made = world.make()
    assert len(made) == 4
    assert [each.plan for each in reduced.searches] == ["tome:9", conservative]


def test_what_dense_integers_lose_is_no_reason_to_search_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, None, "tome:4", dense=9.0)
    assert world.make()[1] == [f"{FP32}/dense", f"{INT8}/dense"]
    assert world.searched_again == 0


# Fine-tuning.

QUICK, FULL = "tome:9-quick", "tome:9-full"


def test_each_plan_is_tuned_and_the_untuned_stays_in_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", None, "full", ("full",), tome_9=3.0)
    found, made = world.make()
    assert made == [f"{kind}/{slug}" for slug in ("dense", "tome:9", FULL) for kind in (FP32, INT8)]
    assert (world.tuned, world.searched_again) == (["tome:9 full"], 0)
    assert found.finetunes == (make_finetune("tome:9", "full"),)
    status = {candidate.id: candidate.status for candidate in found.candidates}
    assert [status[f"{INT8}/{slug}"] for slug in ("tome:9", FULL)] == ["rejected", "ok"]


def test_without_a_plan_the_dense_model_is_tuned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, None, None, "quick", ("quick",))
    assert world.make()[1] == [f"{kind}/{slug}" for slug in ("dense", "dense-quick") for kind in (FP32, INT8)]


def test_where_tuning_brings_nothing_the_untuned_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, made = World(monkeypatch, tmp_path, "tome:9", None, "quick").make()
    assert made[2:] == [f"{FP32}/tome:9", f"{INT8}/tome:9"]
    assert [each.better for each in found.finetunes] == [False]
    assert {candidate.status for candidate in found.candidates} == {"ok"}


def test_auto_tunes_nothing_that_keeps_the_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", None, "auto", ("quick", "full"), tome_9=1.5)
    assert world.make()[1][2:] == [f"{FP32}/tome:9", f"{INT8}/tome:9"]
    assert world.tuned == []


@pytest.mark.parametrize(
    ("lost", "made"),
    [
        ({"tome_9": 3.0, "tome_9_quick": 1.0}, [QUICK]),
        ({"tome_9": 3.0, "tome_9_quick": 2.0}, [QUICK, FULL]),
        ({"dense": 3.0, "dense_quick": 1.0}, ["dense-quick"]),
    ],
    ids=["the cheap rung serves", "it does not", "without a token plan"],
)
def test_auto_tunes_what_exceeds_the_budget_cheapest_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: dict[str, float], made: list[str]
) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", None, "auto", ("quick", "full"), **lost)
    found = world.make()[1]
    assert [name for name in found if "quick" in name or "full" in name] == [
        f"{kind}/{slug}" for slug in made for kind in (FP32, INT8)
    ]
    assert [text.replace(" ", "-") for text in world.tuned] == made


def test_after_a_cheap_rung_that_brings_nothing_auto_trains_all_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", None, "auto", ("full",), tome_9=3.0)
    found, made = world.make()
    assert made[4:] == [f"{FP32}/{FULL}", f"{INT8}/{FULL}"]
    assert [(each.rung, each.better) for each in found.finetunes] == [("quick", False), ("full", True)]


def test_a_plan_that_tuning_saves_is_not_searched_for_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, "tome:9", "tome:4", "auto", ("quick",), tome_9=3.0)
    world.make()
    assert world.searched_again == 0
