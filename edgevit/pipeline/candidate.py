"""One candidate, step by step: made → verified → evaluated → measured → predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.artifacts.use_script import USE_SCRIPT, use_script
from edgevit.artifacts.verify import (
    FLOAT_TOLERANCE,
    UNDECIDED_MARGIN,
    compare,
    far_images,
    tolerance_of,
    verify_pixel_input,
    verify_signature,
)
from edgevit.backends import Backend
from edgevit.data.row_file import read_rows
from edgevit.devices.peak_memory import process_memory
from edgevit.devices.predict import PredictDevicesJob
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, UsageError
from edgevit.measure.bench import BenchJob
from edgevit.measure.paired import BenchWithParentJob, PairedLatency
from edgevit.pipeline.candidate_line import candidate_line
from edgevit.pipeline.choose import judge, mark_failed, mark_rejected
from edgevit.pipeline.context import CandidateDraft, RunContext, Step, Steps, Variant
from edgevit.pipeline.float_export import FLOAT
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.other_sets import evaluate_on_other_sets
from edgevit.pipeline.recipe_trials import quantize_candidate
from edgevit.pipeline.tasks import (
    bench_task,
    bench_with_parent_task,
    predict_task,
    reference_task,
)
from edgevit.results.artifact import Artifact
from edgevit.results.candidate import Candidate, Contribution
from edgevit.run.files import file_sha256
from edgevit.spec.recipe import Recipe
from edgevit.spec.schemes import SCHEMES


def build(
    context: RunContext,
    backend: Backend,
    scheme: str,
    variant: Variant,
    parent: Candidate | None,
    recipe: Recipe | None = None,
) -> Candidate:
    """Takes a new candidate through all steps of a run; one that cannot be offered takes no further steps.

    Args:
        context: The run.
        backend: What it is for.
        scheme: Its numerics.
        variant: What it is made from.
        parent: Float candidate to quantize, or to compare with; None for the dense float one.
        recipe: To quantize by; None to find one.

    Raises:
        DiskFull: nothing can be written any more.
    """
    draft = CandidateDraft(backend, variant, parent, begin(backend, scheme, variant, parent), recipe)
    return measure(context, make(context, draft))


def make(context: RunContext, draft: CandidateDraft) -> CandidateDraft:
    """Takes a candidate through the steps before it is measured; see :func:`build`."""
    return _take_steps(context, draft, context.steps.making)


def measure(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Takes a candidate through the steps of measuring, unless it cannot be offered; see :func:`build`."""
    candidate = _take_steps(context, draft, context.steps.measuring).candidate
    context.stages.progress.candidate(candidate_line(candidate))
    return candidate


def _take_steps(context: RunContext, draft: CandidateDraft, steps: tuple[Step, ...]) -> CandidateDraft:
    for step in steps:
        if draft.candidate.status != "ok":
            break
        try:
            found = step(context, draft)
        except DiskFull:
            raise
        except (CandidateFailed, CheckFailed, UsageError) as error:
            draft = replace(draft, candidate=mark_failed(draft.candidate, error.message))
        else:
            draft = replace(draft, candidate=judge(found, draft.parent, context.limits))
    return draft


def leave_out(context: RunContext, backend: Backend, scheme: str, variant: Variant, parent: Candidate) -> Candidate:
    """Returns a candidate that is not made, for the float one that it would be made from cannot be offered."""
    candidate = mark_rejected(begin(backend, scheme, variant, parent), f"not made: {parent.id} was {parent.status}")
    context.stages.progress.candidate(candidate_line(candidate))
    return candidate


def begin(backend: Backend, scheme: str, variant: Variant, parent: Candidate | None) -> Candidate:
    """Returns a candidate that has taken no step; see :func:`build`."""
    return Candidate(
        id=f"{backend.name}/{scheme}/{variant.slug}",
        backend=backend.name,
        format=backend.format,
        scheme=scheme,
        passes=variant.passes,
        parent=parent.id if parent else None,
    )


def make_artifact(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Exports, or quantizes by recipes until the drop is kept, and describes what came out."""
    candidate, folder = draft.candidate, context.stages.folder
    if candidate.scheme == "fp32":
        made = context.float_export(draft.variant).export(context.stages, draft.backend)
    else:
        quantized = quantize_candidate(context, draft)
        made = quantized.made
        candidate = replace(candidate, recipe=quantized.recipe, attempts=quantized.attempts)
    artifact = Artifact(
        path=folder.relative(made.main),
        files=tuple(folder.relative(path) for path in made.files),
        sha256=file_sha256(*made.files),
        size_bytes=sum(path.stat().st_size for path in made.files),
        inputs=made.inputs,
        outputs=made.outputs,
        preprocessing=draft.variant.preprocessing,
        int8_mac_share=made.int8_mac_share,
        macs=made.macs,
        params=made.params,
        numerics=made.numerics,
        float_layer_count=made.float_layer_count,
        float_weight_share=made.float_weight_share,
        float_layers=made.float_layers,
        conversions=made.conversions,
    )
    contract = context.inputs.contract(draft.variant.preprocessing, candidate.scheme)
    script = use_script(draft.backend, made.main.name, contract)
    folder.write(folder.relative(made.main.with_name(USE_SCRIPT)), script.encode())
    return replace(candidate, artifact=artifact, embedding=made.embedding)


def verify_artifact(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Compares the artifact with PyTorch, or with the float artifact it was quantized from.

    Raises:
        CheckFailed: it does not declare what it should, or gives NaN.
        CandidateFailed: the float artifact gave no logits.
    """
    candidate = draft.candidate
    artifact = _artifact(candidate)
    integer_io = context.target.integer_io
    dtype = "float32" if integer_io == "none" or candidate.scheme == "fp32" else integer_io
    made_for, inputs = draft.variant.preprocessing, artifact.inputs
    if context.inputs.spec.export.embed_preprocessing:
        inputs = (verify_pixel_input(inputs, made_for.input_size),)
    verify_signature(inputs, artifact.outputs, made_for, context.inputs.model.outputs, dtype)
    rows, name, path = _logits(context, draft), "pytorch", draft.variant.reference
    if candidate.scheme != FLOAT:
        name = f"{draft.backend.name}/{FLOAT}/{draft.variant.slug}"
        path = context.logits_path(name)
        if not path.is_file():
            raise CandidateFailed(f"cannot be verified: {name} gave no outputs")
    reference, tolerance, named = read_rows(path), tolerance_of(candidate.scheme), context.inputs.model.named_outputs
    if named:
        return replace(candidate, verification=compare_outputs(rows, reference, name, tolerance, named))
    undecided: tuple[int, ...] = ()
    if candidate.scheme == FLOAT and draft.variant.margins is not None:
        undecided = _undecided(context, draft, far_images(rows, reference, FLOAT_TOLERANCE))
    return replace(candidate, verification=compare(rows, reference, name, tolerance, undecided))


def _undecided(context: RunContext, draft: CandidateDraft, far: tuple[int, ...]) -> tuple[int, ...]:
    """Which of the images whose logits differ had a token selection that rounding decided."""
    if not far or draft.variant.margins is None:
        return ()
    name, images = draft.candidate.id, evaluation_images(context.stages, context.inputs, draft.variant.preprocessing)
    target = context.stages.folder.work(f"{name.replace('/', '--')}.margins.npy")
    job = ReferenceJob(draft.variant.margins, images.select(far), target)
    margins = np.load(context.stages.run_in_child(f"margins {name}", name, reference_task(job)).logits)[:, 0]
    return tuple(index for index, margin in zip(far, margins, strict=True) if margin < UNDECIDED_MARGIN)


def evaluate_candidate(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Scores the artifact against labels, against the original model, and by the metric of the spec."""
    accuracy = context.evaluate(_logits(context, draft), reported=True)
    return replace(draft.candidate, accuracy=accuracy, top1_file=context.keep_top1(draft.candidate.id))


def measure_candidate(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Measures the artifact on this host for the first time, alone and interleaved with its float parent."""
    candidate, settings, parent = draft.candidate, context.inputs.spec.measure, draft.parent
    job = BenchJob(
        backend=candidate.backend,
        artifact=context.stages.folder.path / _artifact(candidate).path,
        threads=settings.threads,
        precision=SCHEMES[candidate.scheme].precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    stage = f"measure {candidate.id}"
    if parent is None or parent.artifact is None or parent.status == "failed":
        measurement = context.stages.run_in_child(stage, candidate.id, bench_task(job))
        return replace(candidate, measurements=(measurement,))
    both = BenchWithParentJob(
        bench=job,
        parent=context.stages.folder.path / parent.artifact.path,
        parent_precision=SCHEMES[parent.scheme].precision,
    )
    found = context.stages.run_in_child(stage, candidate.id, bench_with_parent_task(both))
    return replace(
        candidate,
        measurements=(found.measurement,),
        speed_up=found.compared.speed_up,
        contributions=(*parent.contributions, _contribution(context, draft, parent, found.compared)),
    )


def _contribution(
    context: RunContext, draft: CandidateDraft, parent: Candidate, compared: PairedLatency
) -> Contribution:
    candidate = draft.candidate
    if candidate.recipe:
        name, settings = "quantize", f"{candidate.scheme}: {candidate.recipe.summary}"
    else:
        done, form = candidate.passes, draft.variant.form
        tuned = f", fine-tuned: {done[-1].settings}" if done[-1].name == "finetune" else ""
        last = done[-2] if tuned else done[-1]
        pruned = "".join(f"pruned {each.settings}, " for each in done if each.name == "prune" and each is not last)
        name, settings = last.name, pruned + (f"{last.settings} ({form} form)" if form else last.settings) + tuned
    before, after = context.drop_points(parent.id), context.drop_points(candidate.id)
    return Contribution(
        name=name,
        settings=settings,
        macs_before=_artifact(parent).macs,
        macs_after=_artifact(candidate).macs,
        ms_before=compared.first_ms,
        ms_after=compared.second_ms,
        drop_points=None if before is None or after is None else after - before,
    )


def predict_candidate(context: RunContext, draft: CandidateDraft) -> Candidate:
    """Predicts latency and memory for the devices of the run."""
    candidate, devices = draft.candidate, context.inputs.devices
    if not devices:
        return candidate
    artifact = context.stages.folder.path / _artifact(candidate).path
    job = PredictDevicesJob(candidate.backend, artifact, devices)
    answer = context.stages.run_in_child(f"predict {candidate.id}", candidate.id, predict_task(job))
    here = candidate.measurement()
    found = (replace(each, peak_rss_bytes=process_memory(each, here)) for each in answer.predictions)
    return replace(candidate, predictions=tuple(found))


EXPORT_STEPS = Steps((make_artifact, verify_artifact), ())
FINETUNE_STEPS = Steps((*EXPORT_STEPS.making, evaluate_candidate, evaluate_on_other_sets), ())
COMPRESS_STEPS = replace(FINETUNE_STEPS, measuring=(measure_candidate, predict_candidate))


def _logits(context: RunContext, draft: CandidateDraft) -> np.ndarray:
    """Runs a float artifact over the images, once; the logits of a quantized one were kept when it was chosen."""
    candidate = draft.candidate
    path = context.logits_path(candidate.id)
    if candidate.scheme == "fp32":
        artifact = context.stages.folder.path / _artifact(candidate).path
        path = context.float_export(draft.variant).run(context.stages, draft.backend, artifact)
    return read_rows(path)


def _artifact(candidate: Candidate) -> Artifact:
    if candidate.artifact is None:
        raise CandidateFailed("there is no artifact")
    return candidate.artifact
