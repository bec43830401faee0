"""Quantizing a candidate: what is tried, what is kept, and that every attempt is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import make_artifact, make_candidate
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here

pytest.importorskip("torch")

from edgevit.artifacts.embed import EmbedJob
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile
from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob
from edgevit.backends import get_backend
from edgevit.data.prepared import prepare_images
from edgevit.data.sampling import RunData
from edgevit.errors import CandidateFailed
from edgevit.pipeline.context import CandidateDraft, RunContext, Variant
from edgevit.pipeline.recipe_trials import QuantizedArtifact, quantize_candidate
from edgevit.quantization.policy import Target
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.sensitivity import LayerSensitivity
from edgevit.run import executor
from edgevit.run.folder import RunFolder
from edgevit.run.task import Task
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec

LOGITS = np.eye(10, dtype=np.float32)
CONTRACT = Preprocessing((4, 4), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
Wrong = Callable[[Recipe], int]
"""How many of the ten images an artifact of a recipe gets wrong."""


@dataclass
class World:
    """A candidate to quantize, and child processes that only pretend."""

    context: RunContext
    wrong: Wrong = lambda recipe: 0
    broken: Callable[[Recipe], bool] = lambda recipe: False
    rankable: bool = True
    asked: list[Any] = field(default_factory=list)
    recipes: dict[Path, Recipe] = field(default_factory=dict)

    def quantize(
        self,
        scheme: str = "static_wi8_ai8",
        backend: str = "onnx",
        parent_logits: np.ndarray | None = LOGITS,
        **changes: Any,
    ) -> QuantizedArtifact:
        parent = make_candidate("onnxruntime/fp32/dense", artifact=make_artifact("artifacts/float/model.onnx"))
        parent = replace(parent, **changes)
        made_by = get_backend(backend)
        candidate = make_candidate(f"{made_by.name}/{scheme}/dense", artifact=None)
        folder = self.context.stages.folder
        with folder:
            if parent_logits is not None:
                np.save(self.context.logits_path(parent.id), parent_logits)
            variant = Variant("dense", folder.path / "program.pt2", CONTRACT, (), folder.path / "reference.npy")
            return quantize_candidate(self.context, CandidateDraft(made_by, variant, parent, candidate))

    def answer(self, task: Task[Any, Any], **_: Any) -> Any:
        if task.function is prepare_images:
            return run_here(task)
        argument = task.argument
        self.asked.append(argument)
        if isinstance(argument, QuantizeJob | ExportJob | EmbedJob):
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
        raise AssertionError(f"nobody asks for {argument}")

    def make(self, job: QuantizeJob | ExportJob | EmbedJob) -> MadeArtifact:
        if isinstance(job, QuantizeJob):
            if self.broken(job.recipe):
                raise CandidateFailed("the quantizer crashed")
            self.recipes[job.folder / "model.onnx"] = job.recipe
        if isinstance(job, EmbedJob):
            self.recipes[job.folder / "model.onnx"] = self.recipes[job.plain]
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "model.onnx").write_bytes(repr(job).encode())
        tensor = TensorSpec("x", (1,), "float32", "")
        return MadeArtifact(
            job.folder / "model.onnx", (job.folder / "model.onnx",), (tensor,), (tensor,), 1, 1, 1.0, "", 0, 0
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    spec = Spec.model_validate({"model": {"name": "digits_cnn"}, "budget": {"max_drop": 10.0}})
    data = RunData(noise(10, tuple(range(10))), noise(1))
    target = Target("cnn", False, "none", ("avx2", "avx512_vnni"))
    made = World(make_context(make_inputs(spec, data=data), tmp_path, LOGITS, target=target))
    monkeypatch.setattr(executor, "run_in_child", made.answer)
    return made


def with_data(context: RunContext, data: RunData) -> RunContext:
    """The same run on other images."""
    return replace(context, inputs=replace(context.inputs, data=data))


def rungs(quantized_artifact: QuantizedArtifact) -> list[str]:
    return [attempt.rung for attempt in quantized_artifact.attempts]


def quantized(world: World) -> list[QuantizeJob]:
    return [job for job in world.asked if isinstance(job, QuantizeJob)]


def test_preprocessing_is_embedded_after_quantization_from_a_plain_parent(world: World) -> None:
    inputs = world.context.inputs
    export = inputs.spec.export.model_copy(update={"embed_preprocessing": True})
    spec = inputs.spec.model_copy(update={"export": export})
    world.context = replace(world.context, inputs=replace(inputs, spec=spec))
    found = world.quantize()
    exported, (job,) = [each for each in world.asked if isinstance(each, ExportJob)], quantized(world)
    embedded = next(each for each in world.asked if isinstance(each, EmbedJob))
    assert [each.contract for each in exported] == [None]
    assert job.parent == exported[0].folder / "model.onnx"
    assert job.contract is None
    assert embedded.plain == job.folder / "model.onnx"
    assert embedded.contract == world.context.inputs.contract(CONTRACT, "static_wi8_ai8")
    assert embedded.contract.embeds_preprocessing
    assert found.made.main.read_bytes() == (embedded.folder / "model.onnx").read_bytes()


def test_what_holds_at_once_is_kept_at_its_place(world: World) -> None:
    world.wrong = lambda recipe: 1
    quantized_artifact = world.quantize()
    assert rungs(quantized_artifact) == ["policy"]
    assert (quantized_artifact.attempts[0].top1, quantized_artifact.attempts[0].drop_points) == (
        0.9,
        pytest.approx(10.0),
    )
    assert (
        quantized_artifact.made.main
        == world.context.stages.folder.path / "artifacts/onnxruntime/static_wi8_ai8/dense/model.onnx"
    )
    assert quantized_artifact.made.main.is_file()
    assert np.load(world.context.logits_path("onnxruntime/static_wi8_ai8/dense")).argmax(axis=1).tolist()[0] != 0


def test_every_attempt_is_on_record_and_the_best_is_kept(world: World) -> None:
    world.wrong = lambda recipe: 3 if recipe.ranges == "mse" else 5
    quantized_artifact = world.quantize()
    assert rungs(quantized_artifact)[:3] == ["policy", "ranges: mse", "ranges: percentile_99.999"]
    assert quantized_artifact.recipe.ranges == "mse"
    assert [attempt.top1 for attempt in quantized_artifact.attempts][:3] == [0.5, 0.7, 0.5]
    assert b"'mse'" in quantized_artifact.made.main.read_bytes()


def test_prepared_weights_are_exported_anew(world: World) -> None:
    world.wrong = lambda recipe: 0 if "equalize" in recipe.preparations else 5
    quantized_artifact = world.quantize()
    assert rungs(quantized_artifact)[-1] == "equalize"
    (export,) = [job for job in world.asked if isinstance(job, ExportJob)]
    assert export.preparations[-1] == "equalize"
    assert export.calibration is not None
    assert quantized(world)[-1].parent == export.folder / "model.onnx"


def test_the_worst_layers_are_kept_in_float(world: World) -> None:
    world.wrong = lambda recipe: 0 if {"c", "a"} <= set(recipe.float_layers) else 5
    quantized_artifact = world.quantize()
    assert rungs(quantized_artifact)[-1] == "layers in float: 2"
    assert quantized_artifact.recipe.float_layers[:2] == ("c", "a")
    assert len([job for job in world.asked if isinstance(job, SensitivityJob)]) == 1


def test_a_ranking_that_fails_is_not_tried_twice(world: World) -> None:
    world.wrong, world.rankable = (lambda recipe: 5), False
    quantized_artifact = world.quantize()
    assert {a.note for a in quantized_artifact.attempts if a.rung.startswith("layers in float")} == {
        "no result within 900 s"
    }
    assert len([job for job in world.asked if isinstance(job, SensitivityJob)]) == 1
    assert quantized_artifact.attempts[0].drop_points == pytest.approx(50.0)


def test_a_mixed_artifact_has_a_layer_in_float_from_the_start(world: World) -> None:
    quantized_artifact = world.quantize("mixed_wi8_ai8")
    assert rungs(quantized_artifact) == ["policy"]
    assert quantized_artifact.recipe.float_layers == ("c",)


def test_an_attempt_that_fails_is_noted_and_the_search_goes_on(world: World) -> None:
    world.wrong, world.broken = (lambda recipe: 5), (lambda recipe: recipe.ranges == "mse")
    quantized_artifact = world.quantize()
    failed = quantized_artifact.attempts[1]
    assert (failed.rung, failed.drop_points, failed.note) == ("ranges: mse", None, "the quantizer crashed")
    assert len(quantized_artifact.attempts) > 3


def test_when_nothing_can_be_made_the_candidate_fails_with_the_reason(world: World) -> None:
    world.broken = lambda recipe: True
    with pytest.raises(CandidateFailed, match="the quantizer crashed"):
        world.quantize()


def test_it_needs_a_parent_and_where_static_calibration_images(world: World) -> None:
    with pytest.raises(CandidateFailed, match="there is no float artifact to start from"):
        world.quantize(artifact=None)
    world.context = with_data(world.context, RunData(world.context.inputs.data.evaluation, None))
    with pytest.raises(CandidateFailed, match="static_wi8_ai8 needs calibration images"):
        world.quantize()
    assert world.asked == []
    assert rungs(world.quantize("dynamic_wi8_afp32")) == ["policy"]


def test_without_images_no_ladder_is_climbed(world: World) -> None:
    world.context = with_data(world.context, RunData(None, None))
    world.wrong = lambda recipe: 9
    quantized_artifact = world.quantize("dynamic_wi8_afp32")
    assert rungs(quantized_artifact) == ["policy"]
    assert quantized_artifact.attempts[0].drop_points is None


def test_without_labels_agreement_is_the_criterion(world: World) -> None:
    world.context = with_data(world.context, RunData(noise(10), noise(1)))
    world.wrong = lambda recipe: 0 if recipe.ranges == "mse" else 2
    quantized_artifact = world.quantize()
    assert [(a.rung, a.top1, a.agreement) for a in quantized_artifact.attempts] == [
        ("policy", None, 0.8),
        ("ranges: mse", None, 1.0),
    ]


def test_no_ladder_leads_above_a_float_parent_that_lost_too_much(world: World) -> None:
    parent_logits = LOGITS.copy()
    parent_logits[:2] = np.roll(parent_logits[:2], 1, axis=1)
    world.wrong = lambda recipe: 5
    assert rungs(world.quantize(parent_logits=parent_logits)) == ["policy"]


def test_no_ladder_leads_above_a_float_parent_that_gave_no_logits(world: World) -> None:
    world.wrong = lambda recipe: 5
    assert rungs(world.quantize(parent_logits=None)) == ["policy"]


def test_a_float_parent_at_the_limit_has_a_ladder(world: World) -> None:
    world.wrong = lambda recipe: 5
    assert len(rungs(world.quantize(parent_logits=LOGITS[[1, *range(1, 10)]]))) > 1  # 10.000000000000009 points


def test_max_minutes_bounds_the_search(world: World) -> None:
    spec = world.context.inputs.spec
    short = spec.model_copy(update={"quantize": spec.quantize.model_copy(update={"max_minutes": 1e-9})})
    world.context = replace(world.context, inputs=replace(world.context.inputs, spec=short))
    world.wrong = lambda recipe: 5
    assert rungs(world.quantize()) == ["policy"]


def test_a_resumed_search_makes_nothing_twice(world: World, tmp_path: Path) -> None:
    world.wrong = lambda recipe: 3 if recipe.ranges == "mse" else 5
    first = world.quantize()
    asked = len(world.asked)
    before = world.context.stages
    folder = RunFolder(before.folder.path, world.context.inputs.spec, (), True)
    world.context = replace(world.context, stages=replace(before, folder=folder))
    assert world.quantize() == first
    assert len(world.asked) == asked
