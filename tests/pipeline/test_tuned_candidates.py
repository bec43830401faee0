"""Fine-tuned candidates: which is tuned, and that one takes another's place only if its file is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.sampling import TuningImages  # noqa: E402
from edgevit.distillation.finetune_job import Finetuned  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.pipeline import tuned_candidates  # noqa: E402
from edgevit.pipeline.context import Variant  # noqa: E402
from edgevit.pipeline.finetuning import TuningTeacher, Untuned  # noqa: E402
from edgevit.pipeline.tuned_candidates import Tuned, candidate_to_tune, divergences, make_tuned  # noqa: E402
from edgevit.results.candidate import Candidate  # noqa: E402
from edgevit.results.finetune import FinetunePoint  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import parse_plan  # noqa: E402

# isort: split
from tests.factories import make_candidate, make_measurement  # noqa: E402
from tests.pipeline.contexts import CONTRACT, make_context, make_inputs, noise  # noqa: E402

VARIANT = Variant("tome-8", Path("tome.pt2"), CONTRACT, (), Path("tome.npy"), plan=parse_plan("tome:8"))  # type: ignore[arg-type]
INT8 = "static_wi8_ai8"
UNTUNED = make_candidate(f"openvino/{INT8}/tome-8", scheme=INT8, recipe=Recipe(INT8, float_layers=("a",)))

UNTUNED_NATS = np.array([0.05, 0.1, 0.15, 0.1, 0.1])


class World:
    """A run in which fine-tuning and making candidates are known answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, after: float, **changes: Any) -> None:
        """``after`` times 0.1 nats are left; ``changes`` are of the tuned int8 candidate."""
        self.built: list[tuple[str, str | None, Recipe | None]] = []
        self.images_seen, self.error = 64, None
        self.trained: list[Untuned] = []
        self.float_share = 0.5  # of what the untuned int8 file diverges by, there in float
        self._after, self._changes = after, changes
        monkeypatch.setattr(tuned_candidates, "tune", self._tune)
        monkeypatch.setattr(tuned_candidates, "tuned_variant", lambda *_: replace(VARIANT, slug="tome-8-quick"))
        monkeypatch.setattr(tuned_candidates, "build", self._build)
        teacher = TuningTeacher("big", folder / "big.pt2", VARIANT.preprocessing)
        monkeypatch.setattr(tuned_candidates, "tuning_teacher", lambda *_: teacher)
        monkeypatch.setattr(tuned_candidates, "keep_weights", lambda *_: self.context.stages.folder.path / "w")
        monkeypatch.setattr(tuned_candidates._Tuning, "_divergences", lambda _, *given: self._divergences(*given))
        in_float = lambda *_: self.float_share * UNTUNED_NATS  # noqa: E731
        monkeypatch.setattr(tuned_candidates._Tuning, "_divergences_in_float", in_float)
        spec = Spec.model_validate({"model": {"name": "m"}, "finetune": {"mode": "quick"}})
        inputs = make_inputs(spec, tuning_images=TuningImages(noise(3), noise(5)))
        self.context = make_context(inputs, folder, np.eye(4, dtype=np.float32))

    def make(self, untuned: Candidate = UNTUNED) -> Tuned:
        dense = make_candidate("openvino/fp32/dense", scheme="fp32")
        trained: Any = None
        return make_tuned(self.context, trained, get_backend("openvino"), Untuned(untuned, VARIANT), "quick", dense)

    def _tune(self, _context: Any, _trained: Any, _backend: Any, untuned: Untuned, _rung: Any) -> Finetuned:
        self.trained.append(untuned)
        if self.error:
            raise self.error
        curve = (FinetunePoint(0, 0.1), FinetunePoint(64, 0.1 * self._after))
        return Finetuned(Path("w"), self.images_seen, 2.0, curve)

    def _build(
        self, context: Any, backend: Any, scheme: str, variant: Variant, parent: Candidate | None, recipe: Any = None
    ) -> Candidate:
        made = make_candidate(f"openvino/{scheme}/{variant.slug}", scheme=scheme)
        self.built.append((made.id, parent.id if parent else None, recipe))
        return replace(made, **self._changes) if scheme == INT8 else made

    def _divergences(self, candidate: Candidate, of: Any) -> np.ndarray:
        return UNTUNED_NATS if candidate.id == UNTUNED.id else self._after * UNTUNED_NATS


def test_a_better_file_takes_the_place_of_the_untuned_by_the_recipe_for_tuned_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, after=0.5)
    found = world.make()
    parent = "openvino/fp32/tome-8-quick"
    recipe = Recipe(INT8, float_layers=("a",), preparations=("tuned_biases",))
    assert world.built == [
        (parent, "openvino/fp32/dense", None), (f"openvino/{INT8}/tome-8-quick", parent, recipe),
    ]  # fmt: skip
    assert [candidate.status for candidate in found.candidates] == ["ok", "ok"]
    assert found.replaced is not None
    assert (found.replaced.id, found.replaced.status) == (UNTUNED.id, "rejected")
    assert "replaced by openvino/static_wi8_ai8/tome-8-quick" in found.replaced.reasons[-1]
    record = found.record
    assert record is not None
    assert record.better
    assert (record.untuned, record.tuned) == (UNTUNED.id, f"openvino/{INT8}/tome-8-quick")
    assert (record.before, record.after) == (pytest.approx(0.1), pytest.approx(0.05))
    assert record.change.low <= record.after - record.before <= record.change.high < 0
    assert (record.images, record.kept, record.weights, record.teacher) == (3, 5, "w", "big")


@pytest.mark.parametrize(("float_share", "in_float"), [(0.5, False), (0.8, False), (0.95, True), (1.1, True)])
def test_a_plan_to_which_int8_adds_little_is_trained_in_float_and_quantized_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, float_share: float, in_float: bool
) -> None:
    world = World(monkeypatch, tmp_path, after=0.5)
    world.float_share = float_share
    found = world.make()
    assert [each.in_float for each in world.trained] == [in_float]
    recipe = world.built[-1][-1]
    assert recipe is not None
    assert (recipe == UNTUNED.recipe) is in_float  # biases tuned without rounding are corrected as those of any model
    assert found.record is not None
    assert found.record.simulated == ("" if in_float else INT8)


def test_where_images_cannot_tell_whether_int8_adds_much_a_plan_is_trained_in_float(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, tmp_path, after=0.5)
    in_float = np.array([0.02, 0.2, 0.03, 0.12, 0.01])  # 0.076 on average: 0.1 is a third more, by chance
    monkeypatch.setattr(tuned_candidates._Tuning, "_divergences_in_float", lambda *_: in_float)
    world.make()
    assert [each.in_float for each in world.trained] == [True]


@pytest.mark.parametrize(("images", "crops"), [(240, [1.0]), (81, [1.0, 0.75, 0.5]), (32, 8), (500, [1.0])])
def test_few_images_are_looked_at_from_closer_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: int, crops: list[float] | int
) -> None:
    spec = Spec.model_validate({"model": {"name": "m"}, "finetune": {"mode": "quick"}})
    inputs = make_inputs(spec, tuning_images=TuningImages(noise(3), noise(images)))
    context = make_context(inputs, tmp_path, np.eye(4, dtype=np.float32))
    trained: Any = None
    tuning = tuned_candidates._Tuning(context, trained, get_backend("openvino"), Untuned(UNTUNED, VARIANT), "quick")
    found = tuning._crops()
    assert found == tuple(crops) if isinstance(crops, list) else len(found) == crops
    monkeypatch.setattr(tuned_candidates._Tuning, "_of_views", lambda _, *given: np.array([given[-1], 2.0]))
    assert tuning._divergences(UNTUNED, VARIANT).tolist() == pytest.approx([np.mean(found), 2.0])


def test_a_scheme_that_is_not_simulated_keeps_its_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scheme, recipe = "weight_only_wi8_afp32", Recipe("weight_only_wi8_afp32", preparations=("bias_correction",))
    world = World(monkeypatch, tmp_path, after=0.5)
    world.make(make_candidate(f"openvino/{scheme}/tome-8", scheme=scheme, recipe=recipe))
    assert world.built[-1][-1] == recipe


def test_a_file_that_is_not_better_beyond_chance_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = World(monkeypatch, tmp_path, after=1.0).make()
    assert found.replaced is None
    assert [candidate.status for candidate in found.candidates] == ["ok", "rejected"]
    assert f"does not answer more like the model than {UNTUNED.id}" in found.candidates[-1].reasons[-1]
    assert found.record is not None
    assert (found.record.better, found.record.weights) == (False, None)


def test_a_better_file_that_loses_too_much_accuracy_takes_no_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = World(monkeypatch, tmp_path, after=0.5, status="rejected", reasons=("drops 3 points",)).make()
    assert found.replaced is None
    assert found.candidates[-1].reasons == ("drops 3 points",)


def test_where_no_step_was_better_nothing_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, after=1.2)
    world.images_seen = 0
    found = world.make()
    assert (found.candidates, world.built) == ((), [])
    assert found.record is not None
    assert not found.record.better


def test_what_cannot_be_tuned_is_told_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, after=0.5)
    world.error = CandidateFailed("no memory")  # type: ignore[assignment]
    assert world.make() == Tuned(note=f"{UNTUNED.id} was not fine-tuned (quick): no memory")


def test_an_artifact_that_cannot_be_made_again_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = World(monkeypatch, tmp_path, after=0.5, status="failed", artifact=None).make()
    assert "could not be made again" in found.note
    assert (found.record, found.replaced) == (None, None)


def test_the_fastest_int8_candidate_of_a_plan_is_tuned_and_a_float_one_where_there_is_none() -> None:
    slow, fast = (
        make_candidate(
            f"openvino/{INT8}/{slug}", scheme=INT8, recipe=Recipe(INT8), measurements=(make_measurement(ms),)
        )
        for slug, ms in (("a", 9.0), ("b", 8.0))
    )
    parent = make_candidate("openvino/fp32/a", scheme="fp32", measurements=(make_measurement(5.0),))
    variants = tuple(replace(VARIANT, slug=slug) for slug in ("a", "b"))
    found = candidate_to_tune(variants, (parent, slow, fast))
    assert found == Untuned(fast, variants[1])
    assert candidate_to_tune(variants, (parent,)) == Untuned(parent, variants[0])
    assert candidate_to_tune(variants, (replace(parent, status="failed"),)) is None
    assert candidate_to_tune(variants[1:], (parent,)) is None


def test_divergence_is_zero_for_the_same_answers_and_known_for_others() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    assert np.allclose(divergences(logits, logits + 7), 0)
    half, skewed = np.log([[0.5, 0.5]]), np.log([[0.25, 0.75]])
    assert divergences(half, skewed)[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
