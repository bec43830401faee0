"""The life of a candidate: every failure is a row, and the rest go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import KeptProgress, make_candidate, make_measurement
from tests.factories import make_artifact as some_artifact
from tests.pipeline.contexts import CONTRACT, make_context, make_inputs, noise, run_here

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import LogitsFile
from edgevit.artifacts.make import MadeArtifact
from edgevit.backends import get_backend
from edgevit.data.prepared import prepare_images
from edgevit.data.sampling import RunData
from edgevit.devices.device import load_device
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, EdgevitError, RunMismatch, UsageError
from edgevit.measure.paired import BenchWithParent, PairedLatency
from edgevit.pipeline.candidate import (
    build,
    evaluate_candidate,
    leave_out,
    make_artifact,
    measure_candidate,
    verify_artifact,
)
from edgevit.pipeline.candidate_line import candidate_line
from edgevit.pipeline.choose import Limits, judge
from edgevit.pipeline.context import CandidateDraft, RunContext, Steps, Variant
from edgevit.results.artifact import PassRecord, TensorSpec
from edgevit.results.candidate import Accuracy, Candidate, Contribution, Verification
from edgevit.results.measurement import Interval, Measurement
from edgevit.run import executor
from edgevit.run.task import Task
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec

LOGITS = np.eye(4, dtype=np.float32) * 4
LABELS = (0, 1, 2, 3)


@dataclass
class World:
    """A run, and what child processes would answer."""

    context: RunContext
    variant: Variant
    answers: dict[str, Any]
    asked: list[Any]

    def draft(self, scheme: str = "fp32", parent: Candidate | None = None, **changes: Any) -> CandidateDraft:
        artifact = replace(
            some_artifact(f"artifacts/{scheme}.onnx"),
            inputs=(TensorSpec("input", (1, 3, 4, 4), "float32", "NCHW"),),
            outputs=(TensorSpec("logits", (1, 4), "float32", "NC"),),
        )
        recipe = None if scheme == "fp32" else Recipe(scheme)
        values = {"artifact": artifact, "p50_ms": None, "parent": parent.id if parent else None, "recipe": recipe}
        candidate = make_candidate(f"onnxruntime/{scheme}/dense", **{**values, **changes})
        return CandidateDraft(get_backend("onnx"), self.variant, parent, candidate)

    def with_steps(self, *steps: Any) -> RunContext:
        return replace(self.context, steps=Steps(steps, ()))

    def judged(self, candidate: Candidate, parent: Candidate | None = None) -> Candidate:
        return judge(candidate, parent, self.context.limits)

    @property
    def said(self) -> list[str]:
        assert isinstance(self.context.stages.progress, KeptProgress)
        return self.context.stages.progress.candidates


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A run of four images of four classes whose child processes answer what the test says."""
    spec = Spec.model_validate({"model": {"name": "digits_vit"}, "export": {"backends": ["onnx"]}})
    context = make_context(make_inputs(spec, data=RunData(noise(4, LABELS), None)), tmp_path, LOGITS)
    context = replace(context, stages=replace(context.stages, progress=KeptProgress()))
    answers: dict[str, Any] = {}
    asked: list[Any] = []

    def answer(task: Task[Any, Any], **_: Any) -> Any:
        if task.function is prepare_images:
            return run_here(task)
        asked.append(task.argument)
        found = answers[task.function.__name__]
        found = found(task.argument) if callable(found) else found
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(executor, "run_in_child", answer)
    variant = Variant("dense", tmp_path / "p.pt2", CONTRACT, (), tmp_path / "original.npy")
    return World(context, variant, answers, asked)


def without_labels(context: RunContext, real: bool = True) -> RunContext:
    """The same run on images without labels, or on made-up ones."""
    data = RunData(noise(4) if real else None, None)
    inputs = replace(context.inputs, data=data)
    return replace(context, inputs=inputs, baseline=replace(context.baseline, top1=None))


def predicts(logits: np.ndarray) -> Callable[[Any], Any]:
    def answer(job: Any) -> Any:
        job.logits.parent.mkdir(parents=True, exist_ok=True)
        np.save(job.logits, logits)
        return LogitsFile(job.logits, len(logits))

    return answer


def ends(error: EdgevitError) -> Callable[[RunContext, CandidateDraft], Candidate]:
    def step(context: RunContext, draft: CandidateDraft) -> Candidate:
        raise error

    return step


def passes(context: RunContext, draft: CandidateDraft) -> Candidate:
    return draft.candidate


DROP = "drops 25.0 points, 1 allowed"


def drops(context: RunContext, draft: CandidateDraft) -> Candidate:
    return replace(draft.candidate, accuracy=Accuracy(0.75, None, 4, 25.0))


def test_steps_add_to_each_other(world: World) -> None:
    def evaluated(context: RunContext, draft: CandidateDraft) -> Candidate:
        return replace(draft.candidate, accuracy=Accuracy(1.0, None, 4, 0.0))

    def measured(context: RunContext, draft: CandidateDraft) -> Candidate:
        assert draft.candidate.accuracy == Accuracy(1.0, None, 4, 0.0)
        return replace(draft.candidate, measurements=(make_measurement(3.0),))

    parent = make_candidate("onnxruntime/fp32/dense")
    built = build(world.with_steps(passes, evaluated, measured), get_backend("onnx"), "fp16", world.variant, parent)
    assert (built.id, built.parent, built.format) == ("onnxruntime/fp16/dense", "onnxruntime/fp32/dense", "onnx")
    assert (built.status, built.p50_ms) == ("ok", 3.0)
    assert world.said == [candidate_line(built)]


def test_what_loses_too_much_is_not_measured(world: World) -> None:
    def never(context: RunContext, draft: CandidateDraft) -> Candidate:
        pytest.fail("a rejected candidate went on")

    context = replace(world.context, steps=Steps((passes, drops, never), (never,)))
    built = build(context, get_backend("onnx"), "fp16", world.variant, None)
    assert (built.status, built.reasons) == ("rejected", (DROP,))
    assert world.said == [candidate_line(built)]


def test_what_would_be_made_from_a_rejected_one_is_left_out(world: World) -> None:
    parent = replace(make_candidate("onnxruntime/fp32/dense"), status="rejected")
    left_out = leave_out(world.context, get_backend("onnx"), "dynamic_wi8_afp32", world.variant, parent)
    assert (left_out.id, left_out.status) == ("onnxruntime/dynamic_wi8_afp32/dense", "rejected")
    assert left_out.reasons == ("not made: onnxruntime/fp32/dense was rejected",)
    assert world.said == [candidate_line(left_out)]


def test_what_differs_from_its_origin_is_not_measured(world: World) -> None:
    def differs(context: RunContext, draft: CandidateDraft) -> Candidate:
        return replace(draft.candidate, verification=Verification("pytorch", 1.0, 0.5, 3.0, 0.5, 4, False))

    def never(context: RunContext, draft: CandidateDraft) -> Candidate:
        pytest.fail("a failed candidate went on")

    built = build(world.with_steps(passes, differs, never), get_backend("onnx"), "fp32", world.variant, None)
    assert built.status == "failed"


def test_a_failure_keeps_the_reasons_before_it(world: World) -> None:
    def barely_holds(context: RunContext, draft: CandidateDraft) -> Candidate:
        return replace(draft.candidate, accuracy=Accuracy(0.99, None, 100, 1.0, drop_interval=Interval(0.0, 2.0)))

    steps = world.with_steps(barely_holds, ends(CandidateFailed("it crashed")))
    built = build(steps, get_backend("onnx"), "fp16", world.variant, None)
    within_noise = "the limit of 1 points is met only within noise: drops 1.0 points (0.0 to 2.0)"
    assert (built.status, built.reasons) == ("failed", (within_noise, "it crashed"))


@pytest.mark.parametrize(
    "error", [CandidateFailed("it crashed"), CheckFailed("it crashed"), UsageError("it crashed", "hint")]
)
def test_a_failure_ends_the_way_of_one_candidate_only(world: World, error: EdgevitError) -> None:
    def never(context: RunContext, draft: CandidateDraft) -> Candidate:
        pytest.fail("a failed candidate went on")

    failed = build(world.with_steps(passes, ends(error), never), get_backend("onnx"), "fp32", world.variant, None)
    assert (failed.status, failed.reasons) == ("failed", ("it crashed",))
    other = build(world.with_steps(passes), get_backend("tflite"), "fp32", world.variant, None)
    assert (other.status, other.reasons) == ("ok", ())


@pytest.mark.parametrize("error", [DiskFull("full"), RunMismatch("older"), KeyboardInterrupt(), ZeroDivisionError()])
def test_what_concerns_the_whole_run_goes_through(world: World, error: BaseException) -> None:
    with pytest.raises(type(error)):
        build(world.with_steps(passes, ends(error)), get_backend("onnx"), "fp32", world.variant, None)  # type: ignore[arg-type]


def test_making_describes_what_came_out(world: World) -> None:
    def export(job: Any) -> MadeArtifact:
        job.folder.mkdir(parents=True)
        (job.folder / "model.onnx").write_bytes(b"12345")
        inputs, outputs = world.draft().candidate.artifact.inputs, world.draft().candidate.artifact.outputs  # type: ignore[union-attr]
        return MadeArtifact(
            job.folder / "model.onnx", (job.folder / "model.onnx",), inputs, outputs, 10, 20, 0.5, "float", 0, 0
        )

    world.answers["export_float"] = export
    with world.context.stages.folder:
        made = make_artifact(world.context, world.draft(artifact=None)).artifact
    assert made is not None
    assert made.path == "artifacts/onnxruntime/fp32/dense/model.onnx"
    assert (made.size_bytes, made.macs, made.params, made.int8_mac_share) == (5, 10, 20, 0.5)
    assert made.sha256 == "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"
    script = world.context.stages.folder.path / "artifacts/onnxruntime/fp32/dense/use.py"
    assert 'with_name("model.onnx")' in script.read_text(encoding="utf-8")  # beside the artifact, and no part of it
    assert made.files == (made.path,)


def test_a_float_artifact_is_verified_against_pytorch(world: World) -> None:
    world.answers["run_images"] = predicts(LOGITS * (1 + 5e-5))
    with world.context.stages.folder:
        verified = verify_artifact(world.context, world.draft())
    assert verified.verification is not None
    assert (verified.verification.reference, verified.verification.passed) == ("pytorch", True)


def test_a_float_artifact_that_differs_fails_and_says_by_how_much(world: World) -> None:
    world.answers["run_images"] = predicts(LOGITS * 1.01)
    with world.context.stages.folder:
        failed = verify_artifact(world.context, world.draft())
    judged = world.judged(failed)
    assert judged.status == "failed"
    assert judged.reasons[0].startswith("differs from pytorch by 1.0e-02 (relative), top-1 agreement 1.0000")


def test_an_int8_artifact_is_verified_against_its_float_parent(world: World) -> None:
    with world.context.stages.folder:
        world.answers["run_images"] = predicts(LOGITS)
        parent = verify_artifact(world.context, world.draft())
        np.save(world.context.logits_path("onnxruntime/static_wi8_ai8/dense"), LOGITS[::-1])
        verified = verify_artifact(world.context, world.draft("static_wi8_ai8", parent))
    assert verified.verification is not None
    assert (verified.verification.reference, verified.verification.top1_agreement) == ("onnxruntime/fp32/dense", 0.0)
    assert verified.verification.passed  # its accuracy decides


def test_an_int8_artifact_of_a_parent_without_logits_fails(world: World) -> None:
    """The float artifact was made, and crashed when it ran."""
    draft = world.draft("dynamic_wi8_afp32", replace(world.draft().candidate, status="failed"))
    with world.context.stages.folder:
        np.save(world.context.logits_path("onnxruntime/dynamic_wi8_afp32/dense"), LOGITS)
        with pytest.raises(CandidateFailed, match="onnxruntime/fp32/dense gave no outputs"):
            verify_artifact(world.context, draft)


def test_images_are_run_once_for_verification_and_accuracy(world: World) -> None:
    world.answers["run_images"] = predicts(LOGITS)
    with world.context.stages.folder:
        evaluated = evaluate_candidate(
            world.context, replace(world.draft(), candidate=verify_artifact(world.context, world.draft()))
        )
    assert len(world.asked) == 1
    assert evaluated.accuracy is not None
    assert (evaluated.accuracy.top1, evaluated.accuracy.drop_points, evaluated.accuracy.agreement) == (1.0, 0.0, 1.0)


def test_images_are_prepared_as_the_variant_wants_them(world: World) -> None:
    """A resized model has another input size than the others of its run."""
    world.answers["run_images"] = predicts(LOGITS)
    smaller = replace(world.variant, preprocessing=replace(CONTRACT, input_size=(2, 2)))
    with world.context.stages.folder, pytest.raises(CheckFailed, match=r"not \[1, 3, 2, 2\]"):
        verify_artifact(world.context, replace(world.draft(), variant=smaller))
    with world.context.stages.folder:
        evaluate_candidate(world.context, replace(world.draft(), variant=smaller))
    assert world.asked[-1].images.preprocessing.input_size == (2, 2)


def test_without_labels_agreement_with_the_model_as_brought_is_known(world: World) -> None:
    context = without_labels(world.context)
    world.answers["run_images"] = predicts(LOGITS[[0, 1, 2, 2]])
    with context.stages.folder:
        evaluated = evaluate_candidate(context, world.draft())
    assert evaluated.accuracy is not None
    assert (evaluated.accuracy.top1, evaluated.accuracy.agreement) == (None, 0.75)


def test_of_made_up_images_nothing_is_known(world: World) -> None:
    context = without_labels(world.context, real=False)
    world.answers["run_images"] = predicts(LOGITS)
    with context.stages.folder:
        assert evaluate_candidate(context, world.draft()).accuracy == Accuracy(None, None, 4, None)


def measures(p50_ms: float) -> Measurement:
    return make_measurement(p50_ms)


def compares(world: World, float_ms: float, ms: float, alone_ms: float | None = None) -> None:
    compared = PairedLatency(float_ms, ms, 5)
    world.answers["bench_with_parent"] = BenchWithParent(measures(alone_ms or ms), compared)


def test_an_artifact_is_measured_alone_and_interleaved_with_its_parent(world: World) -> None:
    """Other work on the host made the measurement alone slow; the ratio is of the runs that were interleaved."""
    compares(world, 10.0, 5.0, alone_ms=30.0)
    with world.context.stages.folder:
        draft = world.draft("dynamic_wi8_afp32", make_candidate("onnxruntime/fp32/dense", p50_ms=10.0))
        measured = measure_candidate(world.context, draft)
    assert (measured.p50_ms, measured.speed_up) == (30.0, 2.0)
    assert world.judged(measured, draft.parent).status == "ok"


@pytest.mark.parametrize("changes", [{"status": "failed"}, {"artifact": None}])
def test_what_has_no_parent_to_run_is_measured_alone(world: World, changes: dict[str, Any]) -> None:
    world.answers["bench"] = measures(1.0)
    parent = make_candidate("onnxruntime/fp32/dense", p50_ms=None, **changes)
    with world.context.stages.folder:
        measured = measure_candidate(world.context, world.draft("dynamic_wi8_afp32", parent))
    assert (measured.p50_ms, measured.speed_up, measured.contributions) == (1.0, None, ())


def test_limits_are_those_of_the_spec_and_the_devices(world: World) -> None:
    assert world.context.limits == Limits(1.0, for_device=False)
    inputs = replace(world.context.inputs, devices=(load_device("raspberry-pi-5"),))
    assert replace(world.context, inputs=inputs).limits == Limits(1.0, for_device=True)


@pytest.mark.parametrize(
    ("scheme", "precision"),
    [("fp32", "f32"), ("bf16", "bf16"), ("dynamic_wi8_afp32", "fastest"), ("weight_only_wi8_afp32", "f32")],
)
def test_floats_are_computed_in_float32_unless_int8_was_asked_for(world: World, scheme: str, precision: str) -> None:
    world.answers["bench"] = measures(1.0)
    compares(world, 2.0, 1.0)
    parent = None if scheme == "fp32" else make_candidate("onnxruntime/fp32/dense")
    with world.context.stages.folder:
        measure_candidate(world.context, world.draft(scheme, parent))
    job = world.asked[0]
    assert (job.bench if parent else job).precision == precision


def test_a_measurement_is_taken_once_for_all_resumed_runs(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    with world.context.stages.folder:
        first = measure_candidate(world.context, world.draft())
        world.answers["bench"] = measures(2.0)
        assert measure_candidate(world.context, world.draft()) == first


REDUCED = PassRecord("reduce_tokens", "evit:0.7", 1000, 700)


def chain(
    world: World, context: RunContext, logits: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[Candidate, Candidate]:
    """A reduced float candidate and its quantized one, behind a dense one; with what each gives for the images."""

    def candidate(draft: CandidateDraft, candidate_id: str, macs: int, given: np.ndarray) -> CandidateDraft:
        np.save(context.logits_path(candidate_id), given)
        artifact = replace(draft.candidate.artifact, macs=macs)  # type: ignore[type-var]
        return replace(draft, candidate=replace(draft.candidate, id=candidate_id, artifact=artifact))

    dense = candidate(world.draft(), "onnxruntime/fp32/dense", 1000, logits[0]).candidate
    compares(world, 10.0, 6.0)
    reduced_draft = candidate(world.draft(parent=dense), "onnxruntime/fp32/evit-0.7-gather", 700, logits[1])
    variant = replace(world.variant, slug="evit-0.7-gather", passes=(REDUCED,), form="gather")
    with_passes = replace(reduced_draft.candidate, passes=variant.passes)
    reduced = measure_candidate(context, replace(reduced_draft, variant=variant, candidate=with_passes))
    compares(world, 5.5, 2.0)
    int8_draft = candidate(
        world.draft("static_wi8_ai8", reduced, recipe=Recipe("static_wi8_ai8", ranges="mse"), passes=variant.passes),
        "onnxruntime/static_wi8_ai8/evit-0.7-gather", 700, logits[2],
    )  # fmt: skip
    return reduced, measure_candidate(context, replace(int8_draft, variant=variant))


WRONG = {count: LOGITS[[1, 0, 3, 2][:count] + [0, 1, 2, 3][count:]] for count in range(5)}
"""Logits with so many wrong classes."""


def test_contributions_lead_step_by_step_from_the_dense_candidate(world: World) -> None:
    with world.context.stages.folder:
        reduced, int8 = chain(world, world.context, (WRONG[0], WRONG[2], WRONG[1]))
    first = Contribution("reduce_tokens", "evit:0.7 (gather form)", 1000, 700, 10.0, 6.0, 50.0)
    assert reduced.contributions == (first,)
    assert int8.contributions[0] == first
    (step,) = int8.contributions[1:]
    assert (step.name, step.macs_before, step.macs_after) == ("quantize", 700, 700)
    assert step.settings == f"static_wi8_ai8: {Recipe('static_wi8_ai8', ranges='mse').summary}"
    assert (step.ms_before, step.ms_after, step.speed_up) == (5.5, 2.0, 2.75)
    assert step.drop_points == -25.0  # what quantization gains by chance is told as it is
    assert first.speed_up == reduced.speed_up == pytest.approx(10 / 6)
    assert int8.speed_up == 2.75


def test_the_contribution_of_a_resized_model_has_no_form(world: World) -> None:
    compares(world, 10.0, 6.0)
    record = PassRecord("resize", "resolution:24", 1000, 560)
    with world.context.stages.folder:
        draft = world.draft(parent=make_candidate("onnxruntime/fp32/dense"), passes=(record,))
        (step,) = measure_candidate(world.context, draft).contributions
    assert (step.name, step.settings) == ("resize", "resolution:24")


def test_without_labels_contributions_count_from_the_model_as_brought(world: World) -> None:
    context = without_labels(world.context)
    with context.stages.folder:
        reduced, int8 = chain(world, context, (WRONG[1], WRONG[2], WRONG[4]))
    assert [step.drop_points for step in int8.contributions] == [25.0, 50.0]
    assert reduced.contributions == int8.contributions[:1]


def test_made_up_images_lose_nothing_that_can_be_told(world: World) -> None:
    context = without_labels(world.context, real=False)
    with context.stages.folder:
        _, int8 = chain(world, context, (WRONG[0], WRONG[2], WRONG[4]))
    assert [step.drop_points for step in int8.contributions] == [None, None]
    assert [step.ms_after for step in int8.contributions] == [6.0, 2.0]


def test_the_dense_candidate_has_no_contributions_and_one_without_logits_no_loss(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    with world.context.stages.folder:
        assert measure_candidate(world.context, world.draft()).contributions == ()
        compares(world, 10.0, 6.0)
        draft = world.draft("dynamic_wi8_afp32", make_candidate("onnxruntime/fp32/dense"))
        assert [step.drop_points for step in measure_candidate(world.context, draft).contributions] == [None]
