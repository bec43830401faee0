"""The life of a candidate: every failure is a row, and the rest go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import make_artifact, make_candidate, make_measurement

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import LogitsFile
from edgevit.artifacts.make import MadeArtifact
from edgevit.backends import get_backend
from edgevit.data.images import Samples
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, EdgevitError, UsageError
from edgevit.measure.paired import PairedLatency
from edgevit.pipeline.candidate import build, evaluate, make, measure, verify
from edgevit.pipeline.context import Draft, Job, Variant
from edgevit.quantization.policy import Target
from edgevit.results.artifact import PassRecord, Preprocessing, TensorSpec
from edgevit.results.candidate import Candidate, Contribution
from edgevit.results.measurement import Measurement
from edgevit.run import stages as workshop
from edgevit.run.folder import RunFolder
from edgevit.run.stages import Workshop
from edgevit.spec.recipe import Recipe
from edgevit.spec.spec import Spec

CONTRACT = Preprocessing((4, 4), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LOGITS = np.eye(4, dtype=np.float32) * 4
LABELS = (0, 1, 2, 3)


class Messages:
    """Progress that is kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def stage(self, name: str, done: int, total: int) -> None:
        """Not of interest here."""

    def message(self, text: str) -> None:
        self.said.append(text)


@dataclass
class World:
    """A job, and what child processes would answer."""

    job: Job
    variant: Variant
    answers: dict[str, Any]
    asked: list[Any]

    def draft(self, scheme: str = "fp32", parent: Candidate | None = None, **changes: Any) -> Draft:
        artifact = replace(
            make_artifact(f"artifacts/{scheme}.onnx"),
            inputs=(TensorSpec("input", (1, 3, 4, 4), "float32", "NCHW"),),
            outputs=(TensorSpec("logits", (1, 4), "float32", "NC"),),
        )
        recipe = None if scheme == "fp32" else Recipe(scheme)
        values = {"artifact": artifact, "p50_ms": None, "parent": parent.id if parent else None, "recipe": recipe}
        candidate = make_candidate(f"onnxruntime/{scheme}/dense", **{**values, **changes})
        return Draft(get_backend("onnx"), self.variant, parent, candidate)

    @property
    def said(self) -> list[str]:
        assert isinstance(self.job.shop.progress, Messages)
        return self.job.shop.progress.said


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A run of four images of four classes whose child processes answer what the test says."""
    spec = Spec.model_validate({"model": {"name": "digits_vit"}, "export": {"backends": ["onnx"]}})
    folder = RunFolder(tmp_path / "run", spec, False)
    np.save(tmp_path / "reference.npy", LOGITS)
    job = Job(
        shop=Workshop(spec, folder, Messages()), num_classes=4,
        target=Target("transformer", False, "none", ("avx2", "avx512_vnni")),
        images=Samples("noise:4", ("0", "1", "2", "3")), labels=LABELS, judged=True, calibration=None, baseline_top1=1.0,
        baseline_logits=tmp_path / "reference.npy",
    )  # fmt: skip
    answers: dict[str, Any] = {}
    asked: list[Any] = []

    def answer(function: Callable[..., Any], argument: Any, **_: Any) -> Any:
        asked.append(argument)
        found = answers[function.__name__]
        found = found(argument) if callable(found) else found
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(workshop, "isolated", answer)
    return World(job, Variant("dense", tmp_path / "p.pt2", CONTRACT, (), tmp_path / "reference.npy"), answers, asked)


def predicts(logits: np.ndarray) -> Callable[[Any], Any]:
    def answer(job: Any) -> Any:
        job.logits.parent.mkdir(parents=True, exist_ok=True)
        np.save(job.logits, logits)
        return LogitsFile(job.logits, len(logits))

    return answer


def ends(error: EdgevitError) -> Callable[[Job, Draft], Candidate]:
    def step(job: Job, draft: Draft) -> Candidate:
        raise error

    return step


def passes(job: Job, draft: Draft) -> Candidate:
    return draft.candidate


def rejects(job: Job, draft: Draft) -> Candidate:
    return replace(draft.candidate, status="rejected", reasons=(*draft.candidate.reasons, "too bad"))


def test_steps_add_to_each_other(world: World) -> None:
    def measured(job: Job, draft: Draft) -> Candidate:
        assert draft.candidate.reasons == ("too bad", "too bad")
        return replace(draft.candidate, measurements=(make_measurement(3.0),))

    parent = make_candidate("onnxruntime/fp32/dense")
    built = build(world.job, (passes, rejects, rejects, measured), get_backend("onnx"), "fp16", world.variant, parent)
    assert (built.id, built.parent, built.format) == ("onnxruntime/fp16/dense", "onnxruntime/fp32/dense", "onnx")
    assert (built.status, built.p50_ms) == ("rejected", 3.0)
    assert world.said == ["onnxruntime/fp16/dense: rejected: too bad; too bad"]


@pytest.mark.parametrize(
    "error", [CandidateFailed("it crashed"), CheckFailed("it crashed"), UsageError("it crashed", "hint")]
)
def test_a_failure_ends_the_way_of_one_candidate_only(world: World, error: EdgevitError) -> None:
    def never(job: Job, draft: Draft) -> Candidate:
        pytest.fail("a failed candidate went on")

    failed = build(world.job, (passes, ends(error), never), get_backend("onnx"), "fp32", world.variant, None)
    assert (failed.status, failed.reasons) == ("failed", ("it crashed",))
    other = build(world.job, (passes,), get_backend("tflite"), "fp32", world.variant, None)
    assert (other.status, other.reasons) == ("ok", ())


@pytest.mark.parametrize("error", [DiskFull("full"), KeyboardInterrupt(), ZeroDivisionError()])
def test_what_concerns_the_whole_run_goes_through(world: World, error: BaseException) -> None:
    with pytest.raises(type(error)):
        build(world.job, (passes, ends(error)), get_backend("onnx"), "fp32", world.variant, None)  # type: ignore[arg-type]


def test_making_describes_what_came_out(world: World) -> None:
    def export(job: Any) -> MadeArtifact:
        job.folder.mkdir(parents=True)
        (job.folder / "model.onnx").write_bytes(b"12345")
        inputs, outputs = world.draft().candidate.artifact.inputs, world.draft().candidate.artifact.outputs  # type: ignore[union-attr]
        return MadeArtifact(
            job.folder / "model.onnx", (job.folder / "model.onnx",), inputs, outputs, 10, 20, 0.5, "float", 0, 0
        )

    world.answers["export_float"] = export
    with world.job.shop.folder:
        made = make(world.job, world.draft(artifact=None)).artifact
    assert made is not None
    assert made.path == "artifacts/onnxruntime/fp32/dense/model.onnx"
    assert (made.size_bytes, made.macs, made.params, made.int8_mac_share) == (5, 10, 20, 0.5)
    assert made.sha256 == "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"


def test_a_float_artifact_is_verified_against_pytorch(world: World) -> None:
    world.answers["predict"] = predicts(LOGITS * (1 + 5e-5))
    with world.job.shop.folder:
        verified = verify(world.job, world.draft())
    assert verified.verification is not None
    assert (verified.status, verified.verification.reference, verified.verification.passed) == ("ok", "pytorch", True)


def test_a_float_artifact_that_differs_fails_and_says_by_how_much(world: World) -> None:
    world.answers["predict"] = predicts(LOGITS * 1.01)
    with world.job.shop.folder:
        failed = verify(world.job, world.draft())
    assert failed.status == "failed"
    assert failed.reasons[0].startswith("differs from pytorch by 1.0e-02 (relative), top-1 agreement 1.0000")


def test_an_int8_artifact_is_verified_against_its_float_parent(world: World) -> None:
    with world.job.shop.folder:
        world.answers["predict"] = predicts(LOGITS)
        parent = verify(world.job, world.draft())
        np.save(world.job.logits_path("onnxruntime/static_wi8_ai8/dense"), LOGITS[::-1])
        verified = verify(world.job, world.draft("static_wi8_ai8", parent))
    assert verified.verification is not None
    assert (verified.verification.reference, verified.verification.top1_agreement) == ("onnxruntime/fp32/dense", 0.0)
    assert verified.status == "ok"  # its accuracy decides


def test_an_int8_artifact_of_a_parent_without_logits_fails(world: World) -> None:
    """The float artifact was made, and crashed when it ran."""
    draft = world.draft("dynamic_wi8_afp32", replace(world.draft().candidate, status="failed"))
    with world.job.shop.folder:
        np.save(world.job.logits_path("onnxruntime/dynamic_wi8_afp32/dense"), LOGITS)
        with pytest.raises(CandidateFailed, match="onnxruntime/fp32/dense gave no logits"):
            verify(world.job, draft)


def test_images_are_run_once_for_verification_and_accuracy(world: World) -> None:
    world.answers["predict"] = predicts(LOGITS)
    with world.job.shop.folder:
        evaluated = evaluate(world.job, replace(world.draft(), candidate=verify(world.job, world.draft())))
    assert len(world.asked) == 1
    assert evaluated.accuracy is not None
    assert (evaluated.accuracy.top1, evaluated.accuracy.drop_points, evaluated.status) == (1.0, 0.0, "ok")


def test_images_are_prepared_as_the_variant_wants_them(world: World) -> None:
    """A resized model has another input size than the others of its run."""
    world.answers["predict"] = predicts(LOGITS)
    smaller = replace(world.variant, preprocessing=replace(CONTRACT, input_size=(2, 2)))
    with world.job.shop.folder, pytest.raises(CheckFailed, match=r"not \[1, 3, 2, 2\]"):
        verify(world.job, replace(world.draft(), variant=smaller))
    with world.job.shop.folder:
        evaluate(world.job, replace(world.draft(), variant=smaller))
    assert world.asked[-1].preprocessing.input_size == (2, 2)


@pytest.mark.parametrize(
    ("max_drop", "status", "reasons"), [(25.0, "ok", ()), (24.9, "rejected", ("drops 25.0 points, 24.9 allowed",))]
)
def test_the_accuracy_drop_is_a_limit(world: World, max_drop: float, status: str, reasons: tuple[str, ...]) -> None:
    world.answers["predict"] = predicts(LOGITS[[0, 1, 2, 2]])
    spec = world.job.shop.spec.model_copy(
        update={"budget": world.job.shop.spec.budget.model_copy(update={"max_drop": max_drop})}
    )
    with world.job.shop.folder:
        evaluated = evaluate(replace(world.job, shop=replace(world.job.shop, spec=spec)), world.draft())
    assert (evaluated.status, evaluated.reasons) == (status, reasons)


def test_without_labels_agreement_with_the_float_model_decides(world: World) -> None:
    job = replace(world.job, labels=None, baseline_top1=None)
    world.answers["predict"] = predicts(LOGITS[[0, 1, 2, 2]])
    with job.shop.folder:
        evaluated = evaluate(job, world.draft())
    assert evaluated.accuracy is not None
    assert evaluated.accuracy.top1 is None
    assert evaluated.reasons == ("disagrees with the float model on 25.0 % of the images, 1 % allowed",)


def test_without_images_only_what_is_lossless_may_be_chosen(world: World) -> None:
    job = replace(world.job, labels=None, baseline_top1=None, judged=False)
    world.answers["predict"] = predicts(LOGITS)
    with job.shop.folder:
        assert evaluate(job, world.draft()).status == "ok"
        np.save(job.logits_path("onnxruntime/dynamic_wi8_afp32/dense"), LOGITS)
        int8 = evaluate(job, world.draft("dynamic_wi8_afp32", world.draft().candidate))
        record = PassRecord("reduce_tokens", "evit:0.7@1", 10, 7)
        reduced = replace(world.draft(), variant=replace(world.variant, passes=(record,)))
        assert (
            int8.reasons
            == evaluate(job, reduced).reasons
            == ("accuracy unknown: give images with --data or --calibration",)
        )


def measures(p50_ms: float) -> Measurement:
    return make_measurement(p50_ms)


def compares(world: World, float_ms: float, ms: float) -> None:
    world.answers["bench"] = measures(ms)
    world.answers["duel"] = PairedLatency(float_ms, ms, 100)


SLOWER = "slower than onnxruntime/fp32/dense: {} ms against 10 ms ({} ×, run in turn)"


@pytest.mark.parametrize(
    ("ms", "status", "reason"),
    [
        (9.9, "ok", ""),
        (10.0, "rejected", SLOWER.format(10, "1.00")),
        (15.0, "rejected", SLOWER.format(15, "0.67")),
    ],
)
def test_what_is_not_faster_than_its_parent_is_rejected_but_measured(
    world: World, ms: float, status: str, reason: str
) -> None:
    compares(world, 10.0, ms)
    parent = make_candidate("onnxruntime/fp32/dense", p50_ms=10.0)
    with world.job.shop.folder:
        measured = measure(world.job, world.draft("dynamic_wi8_afp32", parent))
    assert (measured.status, measured.p50_ms) == (status, ms)
    assert measured.reasons == ((reason,) if reason else ())
    assert measured.speed_up == pytest.approx(10 / ms)


def test_runs_in_turn_decide_not_two_medians_taken_apart(world: World) -> None:
    """Other work on the host made the second measurement slow."""
    compares(world, 10.0, 5.0)
    world.answers["bench"] = measures(30.0)
    with world.job.shop.folder:
        draft = world.draft("dynamic_wi8_afp32", make_candidate("onnxruntime/fp32/dense", p50_ms=10.0))
        assert measure(world.job, draft).status == "ok"


def test_the_reason_tells_what_may_make_it_slow(world: World) -> None:
    compares(world, 10.0, 20.0)
    slow, parent = measures(20.0), make_candidate("onnxruntime/fp32/dense", p50_ms=10.0)
    world.answers["bench"] = replace(slow, conditions=replace(slow.conditions, delegate="XNNPACK, 122 partitions"))
    draft = world.draft("static_wi8_ai8", parent)
    assert draft.candidate.artifact is not None
    artifact = replace(draft.candidate.artifact, conversions=50, float_layer_count=3)
    with world.job.shop.folder:
        measured = measure(world.job, replace(draft, candidate=replace(draft.candidate, artifact=artifact)))
    for words in ("XNNPACK, 122 partitions against", "50 conversions between number formats", "3 layers in float"):
        assert words in measured.reasons[0]


def test_static_int8_for_an_npu_may_be_slow_here(world: World) -> None:
    compares(world, 10.0, 20.0)
    job = replace(world.job, target=replace(world.job.target, npu=True))
    parent = make_candidate("onnxruntime/fp32/dense", p50_ms=10.0)
    with world.job.shop.folder:
        kept = measure(job, world.draft("static_wi8_ai8", parent))
        other = measure(job, world.draft("dynamic_wi8_afp32", parent))
    assert (kept.status, other.status) == ("ok", "rejected")
    assert "kept, for a device of this run needs static int8" in kept.reasons[0]


def test_what_cannot_be_compared_is_rejected(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    parent = make_candidate("onnxruntime/fp32/dense", p50_ms=None, status="failed")
    with world.job.shop.folder:
        measured = measure(world.job, world.draft("dynamic_wi8_afp32", parent))
    assert measured.status == "rejected"
    assert measured.reasons == ("cannot be compared: onnxruntime/fp32/dense was not measured",)


def test_a_dense_float_one_needs_no_comparison(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    with world.job.shop.folder:
        assert measure(world.job, world.draft()).status == "ok"


@pytest.mark.parametrize(
    ("scheme", "precision"),
    [("fp32", "f32"), ("bf16", "bf16"), ("dynamic_wi8_afp32", "fastest"), ("weight_only_wi8_afp32", "f32")],
)
def test_floats_are_computed_in_float32_unless_int8_was_asked_for(world: World, scheme: str, precision: str) -> None:
    world.answers["bench"] = measures(1.0)
    compares(world, 2.0, 1.0)
    parent = None if scheme == "fp32" else make_candidate("onnxruntime/fp32/dense")
    with world.job.shop.folder:
        measure(world.job, world.draft(scheme, parent))
    assert world.asked[0].precision == precision


def test_a_measurement_is_taken_once_for_all_resumed_runs(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    with world.job.shop.folder:
        first = measure(world.job, world.draft())
        world.answers["bench"] = measures(2.0)
        assert measure(world.job, world.draft()) == first


REDUCED = PassRecord("reduce_tokens", "evit:0.7", 1000, 700)


def chain(world: World, job: Job, logits: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[Candidate, Candidate]:
    """A reduced float candidate and its quantized one, behind a dense one; with what each gives for the images."""

    def candidate(draft: Draft, candidate_id: str, macs: int, given: np.ndarray) -> Draft:
        np.save(job.logits_path(candidate_id), given)
        artifact = replace(draft.candidate.artifact, macs=macs)  # type: ignore[type-var]
        return replace(draft, candidate=replace(draft.candidate, id=candidate_id, artifact=artifact))

    dense = candidate(world.draft(), "onnxruntime/fp32/dense", 1000, logits[0]).candidate
    compares(world, 10.0, 6.0)
    reduced_draft = candidate(world.draft(parent=dense), "onnxruntime/fp32/evit-0.7-gather", 700, logits[1])
    variant = replace(world.variant, slug="evit-0.7-gather", passes=(REDUCED,), form="gather")
    with_passes = replace(reduced_draft.candidate, passes=variant.passes)
    reduced = measure(job, replace(reduced_draft, variant=variant, candidate=with_passes))
    compares(world, 5.5, 2.0)
    int8_draft = candidate(
        world.draft("static_wi8_ai8", reduced, recipe=Recipe("static_wi8_ai8", ranges="mse"), passes=variant.passes),
        "onnxruntime/static_wi8_ai8/evit-0.7-gather", 700, logits[2],
    )  # fmt: skip
    return reduced, measure(job, replace(int8_draft, variant=variant))


WRONG = {count: LOGITS[[1, 0, 3, 2][:count] + [0, 1, 2, 3][count:]] for count in range(5)}
"""Logits with so many wrong classes."""


def test_contributions_lead_step_by_step_from_the_dense_candidate(world: World) -> None:
    with world.job.shop.folder:
        reduced, int8 = chain(world, world.job, (WRONG[0], WRONG[2], WRONG[1]))
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
    with world.job.shop.folder:
        draft = world.draft(parent=make_candidate("onnxruntime/fp32/dense"), passes=(record,))
        (step,) = measure(world.job, draft).contributions
    assert (step.name, step.settings) == ("resize", "resolution:24")


def test_without_labels_contributions_count_from_the_model_as_brought(world: World) -> None:
    job = replace(world.job, labels=None, baseline_top1=None)
    with job.shop.folder:
        reduced, int8 = chain(world, job, (WRONG[1], WRONG[2], WRONG[4]))
    assert [step.drop_points for step in int8.contributions] == [25.0, 50.0]
    assert reduced.contributions == int8.contributions[:1]


def test_made_up_images_lose_nothing_that_can_be_told(world: World) -> None:
    job = replace(world.job, labels=None, baseline_top1=None, judged=False)
    with job.shop.folder:
        _, int8 = chain(world, job, (WRONG[0], WRONG[2], WRONG[4]))
    assert [step.drop_points for step in int8.contributions] == [None, None]
    assert [step.ms_after for step in int8.contributions] == [6.0, 2.0]


def test_the_dense_candidate_has_no_contributions_and_one_without_logits_no_loss(world: World) -> None:
    world.answers["bench"] = measures(1.0)
    with world.job.shop.folder:
        assert measure(world.job, world.draft()).contributions == ()
        compares(world, 10.0, 6.0)
        draft = world.draft("dynamic_wi8_afp32", make_candidate("onnxruntime/fp32/dense"))
        assert [step.drop_points for step in measure(world.job, draft).contributions] == [None]
