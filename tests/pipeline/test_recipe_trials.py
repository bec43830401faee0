"""Quantizing a candidate: what is tried, what is kept, and that every attempt is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import make_artifact, make_candidate

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile
from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob
from edgevit.backends import get_backend
from edgevit.data.images import Samples
from edgevit.errors import CandidateFailed
from edgevit.pipeline.context import Draft, Job, Variant
from edgevit.pipeline.recipe_trials import Repaired, quantize_and_repair
from edgevit.quantization.policy import Target
from edgevit.quantization.prepare import Prepared, PrepareJob
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.sensitivity import LayerSensitivity
from edgevit.run import stages as workshop
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Silent
from edgevit.run.stages import Workshop
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec

LOGITS = np.eye(10, dtype=np.float32)
CONTRACT = Preprocessing((4, 4), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
Wrong = Callable[[Recipe], int]
"""How many of the ten images an artifact of a recipe gets wrong."""


@dataclass
class World:
    """A candidate to quantize, and child processes that only pretend."""

    job: Job
    wrong: Wrong = lambda recipe: 0
    broken: Callable[[Recipe], bool] = lambda recipe: False
    rankable: bool = True
    asked: list[Any] = field(default_factory=list)
    recipes: dict[Path, Recipe] = field(default_factory=dict)

    def repair(self, scheme: str = "static_wi8_ai8", backend: str = "onnx", **changes: Any) -> Repaired:
        parent = make_candidate("onnxruntime/fp32/dense", artifact=make_artifact("artifacts/float/model.onnx"))
        parent = replace(parent, **changes)
        made_by = get_backend(backend)
        candidate = make_candidate(f"{made_by.name}/{scheme}/dense", artifact=None)
        folder = self.job.shop.folder
        with folder:
            np.save(self.job.logits_path(parent.id), LOGITS)
            variant = Variant("dense", folder.path / "program.pt2", CONTRACT, (), folder.path / "reference.npy")
            return quantize_and_repair(self.job, Draft(made_by, variant, parent, candidate))

    def answer(self, function: Callable[..., Any], argument: Any, **_: Any) -> Any:
        self.asked.append(argument)
        if isinstance(argument, QuantizeJob | ExportJob):
            return self.make(argument)
        if isinstance(argument, InferenceJob):
            logits = LOGITS.copy()
            count = self.wrong(self.recipes[argument.artifact])
            logits[:count] = np.roll(logits[:count], 1, axis=1)
            argument.logits.parent.mkdir(parents=True, exist_ok=True)
            np.save(argument.logits, logits)
            return LogitsFile(argument.logits, len(logits))
        if isinstance(argument, SensitivityJob):
            if not self.rankable:
                raise CandidateFailed("no result within 900 s")
            places = {"stem": 0, "c": 3, "a": 1, "b": 2}  # the stem is worst, and float by the policy already
            layers = [LayerSensitivity(name, "conv", 9, 3.0, 1.0, place) for name, place in places.items()]
            return Sensitivity(tuple(layers), 4)
        assert isinstance(argument, PrepareJob)
        argument.target.write_bytes(b"program")
        return Prepared(argument.target, "")

    def make(self, job: QuantizeJob | ExportJob) -> MadeArtifact:
        if isinstance(job, QuantizeJob):
            if self.broken(job.recipe):
                raise CandidateFailed("the quantizer crashed")
            self.recipes[job.folder / "model.onnx"] = job.recipe
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "model.onnx").write_bytes(repr(job).encode())
        tensor = TensorSpec("x", (1,), "float32", "")
        return MadeArtifact(
            job.folder / "model.onnx", (job.folder / "model.onnx",), (tensor,), (tensor,), 1, 1, 1.0, "", 0, 0
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    spec = Spec.model_validate({"model": {"name": "digits_cnn"}, "budget": {"max_drop": 10.0}})
    np.save(tmp_path / "baseline.npy", LOGITS)
    job = Job(
        shop=Workshop(spec, RunFolder(tmp_path / "run", spec, False), Silent()),
        num_classes=10,
        target=Target("cnn", False, "none", ("avx2", "avx512_vnni")),
        images=Samples("noise:10", tuple(map(str, range(10)))),
        labels=tuple(range(10)),
        judged=True,
        calibration=Samples("noise:9", ("8",)),
        baseline_top1=1.0,
        baseline_logits=tmp_path / "baseline.npy",
    )
    made = World(job)
    monkeypatch.setattr(workshop, "isolated", made.answer)
    return made


def rungs(repaired: Repaired) -> list[str]:
    return [attempt.rung for attempt in repaired.attempts]


def quantized(world: World) -> list[QuantizeJob]:
    return [job for job in world.asked if isinstance(job, QuantizeJob)]


def test_what_holds_at_once_is_kept_at_its_place(world: World) -> None:
    world.wrong = lambda recipe: 1
    repaired = world.repair()
    assert rungs(repaired) == ["policy"]
    assert (repaired.attempts[0].top1, repaired.attempts[0].drop_points) == (0.9, pytest.approx(10.0))
    assert repaired.made.main == world.job.shop.folder.path / "artifacts/onnxruntime/static_wi8_ai8/dense/model.onnx"
    assert repaired.made.main.is_file()
    assert np.load(world.job.logits_path("onnxruntime/static_wi8_ai8/dense")).argmax(axis=1).tolist()[0] != 0


def test_every_attempt_is_on_record_and_the_best_is_kept(world: World) -> None:
    world.wrong = lambda recipe: 3 if recipe.ranges == "mse" else 5
    repaired = world.repair()
    assert rungs(repaired)[:3] == ["policy", "ranges: mse", "ranges: percentile_99.999"]
    assert repaired.recipe.ranges == "mse"
    assert [attempt.top1 for attempt in repaired.attempts][:3] == [0.5, 0.7, 0.5]
    assert b"'mse'" in repaired.made.main.read_bytes()


def test_prepared_weights_are_exported_anew(world: World) -> None:
    world.wrong = lambda recipe: 0 if "equalize" in recipe.preparations else 5
    repaired = world.repair()
    assert rungs(repaired)[-1] == "equalize"
    (prepare,) = [job for job in world.asked if isinstance(job, PrepareJob)]
    (export,) = [job for job in world.asked if isinstance(job, ExportJob)]
    assert prepare.steps[-1] == "equalize"
    assert export.program == prepare.target
    assert quantized(world)[-1].parent == export.folder / "model.onnx"


def test_the_worst_layers_are_kept_in_float(world: World) -> None:
    world.wrong = lambda recipe: 0 if {"c", "a"} <= set(recipe.float_layers) else 5
    repaired = world.repair()
    assert rungs(repaired)[-1] == "float islands: 2"
    assert repaired.recipe.float_layers[:2] == ("c", "a")
    assert len([job for job in world.asked if isinstance(job, SensitivityJob)]) == 1


def test_a_ranking_that_fails_is_not_tried_twice(world: World) -> None:
    world.wrong, world.rankable = (lambda recipe: 5), False
    repaired = world.repair()
    assert {a.note for a in repaired.attempts if a.rung.startswith("float islands")} == {"no result within 900 s"}
    assert len([job for job in world.asked if isinstance(job, SensitivityJob)]) == 1
    assert repaired.attempts[0].drop_points == pytest.approx(50.0)


def test_a_mixed_artifact_has_an_island_from_the_start(world: World) -> None:
    repaired = world.repair("mixed_wi8_ai8")
    assert rungs(repaired) == ["policy"]
    assert repaired.recipe.float_layers == ("c",)


def test_an_attempt_that_fails_is_noted_and_the_search_goes_on(world: World) -> None:
    world.wrong, world.broken = (lambda recipe: 5), (lambda recipe: recipe.ranges == "mse")
    repaired = world.repair()
    failed = repaired.attempts[1]
    assert (failed.rung, failed.drop_points, failed.note) == ("ranges: mse", None, "the quantizer crashed")
    assert len(repaired.attempts) > 3


def test_when_nothing_can_be_made_the_candidate_fails_with_the_reason(world: World) -> None:
    world.broken = lambda recipe: True
    with pytest.raises(CandidateFailed, match="the quantizer crashed"):
        world.repair()


def test_it_needs_a_parent_and_where_static_calibration_images(world: World) -> None:
    with pytest.raises(CandidateFailed, match="there is no float artifact to start from"):
        world.repair(artifact=None)
    world.job = replace(world.job, calibration=None)
    with pytest.raises(CandidateFailed, match="static_wi8_ai8 needs calibration images"):
        world.repair()
    assert world.asked == []
    assert rungs(world.repair("dynamic_wi8_afp32")) == ["policy"]


def test_without_images_nothing_is_repaired(world: World) -> None:
    world.job = replace(world.job, labels=None, judged=False)
    world.wrong = lambda recipe: 9
    repaired = world.repair()
    assert rungs(repaired) == ["policy"]
    assert repaired.attempts[0].drop_points is None


def test_without_labels_agreement_is_the_criterion(world: World) -> None:
    world.job = replace(world.job, labels=None)
    world.wrong = lambda recipe: 0 if recipe.ranges == "mse" else 2
    repaired = world.repair()
    assert [(a.rung, a.top1, a.agreement) for a in repaired.attempts] == [
        ("policy", None, 0.8),
        ("ranges: mse", None, 1.0),
    ]


def test_no_ladder_leads_above_a_float_parent_that_lost_too_much(world: World) -> None:
    world.job = replace(world.job, labels=(1, 0, *range(2, 10)))
    world.wrong = lambda recipe: 5
    assert rungs(world.repair()) == ["policy"]


def test_max_minutes_bounds_the_search(world: World) -> None:
    spec = world.job.shop.spec
    short = spec.model_copy(update={"quantize": spec.quantize.model_copy(update={"max_minutes": 1e-9})})
    world.job = replace(world.job, shop=replace(world.job.shop, spec=short))
    world.wrong = lambda recipe: 5
    assert rungs(world.repair()) == ["policy"]


def test_a_resumed_search_makes_nothing_twice(world: World, tmp_path: Path) -> None:
    world.wrong = lambda recipe: 3 if recipe.ranges == "mse" else 5
    first = world.repair()
    asked = len(world.asked)
    shop = world.job.shop
    world.job = replace(world.job, shop=replace(shop, folder=RunFolder(shop.folder.path, shop.spec, True)))
    assert world.repair() == first
    assert len(world.asked) == asked
