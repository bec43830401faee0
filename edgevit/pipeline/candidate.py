"""The life of one candidate: made → verified → evaluated → measured → predicted, each step adding to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import InferenceJob, run_images, score
from edgevit.artifacts.make import ExportJob, MadeArtifact, export_float
from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits
from edgevit.artifacts.verify import (
    FLOAT_TOLERANCE,
    HALF_TOLERANCE,
    UNDECIDED_MARGIN,
    compare,
    far_images,
    verify_signature,
)
from edgevit.backends import Backend
from edgevit.data.images import Samples
from edgevit.devices.predict import PredictDevicesJob, predict_for_devices
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, UsageError
from edgevit.measure.bench import BenchJob, bench
from edgevit.measure.paired import PairedLatency, PairedLatencyJob, paired_latency
from edgevit.pipeline.context import Draft, Job, Variant
from edgevit.pipeline.recipe_trials import quantize_and_repair
from edgevit.results.artifact import Artifact
from edgevit.results.candidate import Candidate, Contribution, Status, Verification
from edgevit.results.measurement import Measurement
from edgevit.run.files import file_sha256
from edgevit.spec.schemes import SCHEMES

Step = Callable[[Job, Draft], Candidate]


def build(
    job: Job, steps: tuple[Step, ...], backend: Backend, scheme: str, variant: Variant, parent: Candidate | None
) -> Candidate:
    """Takes a candidate through its steps; a failure ends its way, not the run's.

    A rejected candidate is still measured, so that people see what they would have got.

    Raises:
        DiskFull: nothing can be written any more.
    """
    candidate = Candidate(
        id=f"{backend.name}/{scheme}/{variant.slug}",
        backend=backend.name,
        format=backend.format,
        scheme=scheme,
        passes=variant.passes,
        parent=parent.id if parent else None,
    )
    for step in steps:
        try:
            candidate = step(job, Draft(backend, variant, parent, candidate))
        except DiskFull:
            raise
        except (CandidateFailed, CheckFailed, UsageError) as error:
            candidate = _marked(candidate, "failed", error.message)
        if candidate.status == "failed":
            break
    if candidate.status != "ok":
        job.shop.progress.message(f"{candidate.id}: {candidate.status}: {'; '.join(candidate.reasons)}")
    return candidate


def _marked(candidate: Candidate, status: Status, reason: str) -> Candidate:
    return replace(candidate, status=status, reasons=(*candidate.reasons, reason))


def make(job: Job, draft: Draft) -> Candidate:
    """Exports, or quantizes and repairs, and describes what came out."""
    candidate, folder = draft.candidate, job.shop.folder
    if candidate.scheme == "fp32":
        target = folder.path / "artifacts" / candidate.id
        export_job = ExportJob(candidate.backend, draft.variant.program, target)
        made = job.shop.in_child(f"export {candidate.id}", candidate.id, export_float, export_job, _files)
    else:
        repaired = quantize_and_repair(job, draft)
        made = repaired.made
        candidate = replace(candidate, recipe=repaired.recipe, attempts=repaired.attempts)
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
        conversions=made.conversions,
    )
    return replace(candidate, artifact=artifact)


def _files(made: MadeArtifact) -> tuple[Path, ...]:
    return made.files


def verify(job: Job, draft: Draft) -> Candidate:
    """Compares the artifact with PyTorch, or with the float artifact it was quantized from."""
    candidate = draft.candidate
    artifact = _artifact(candidate)
    dtype = "float32" if job.target.integer_io == "none" or candidate.scheme == "fp32" else job.target.integer_io
    input_size = draft.variant.preprocessing.input_size
    verify_signature(artifact.inputs, artifact.outputs, input_size, job.num_classes, dtype)
    logits = _logits(job, draft)
    if candidate.scheme == "fp32":
        reference, name, tolerance = np.load(draft.variant.reference), "pytorch", FLOAT_TOLERANCE
        undecided = _undecided(job, draft, far_images(logits, reference, tolerance))
        verification = compare(logits, reference, name, tolerance, undecided)
    else:
        name = f"{draft.backend.name}/fp32/{draft.variant.slug}"
        path = job.logits_path(name)
        if not path.is_file():
            raise CandidateFailed(f"cannot be verified: {name} gave no logits")
        reference = np.load(path)
        verification = compare(logits, reference, name, HALF_TOLERANCE if candidate.scheme == "fp16" else None)
    verified = replace(candidate, verification=verification)
    return verified if verification.passed else _marked(verified, "failed", _difference(verification))


def _difference(verification: Verification) -> str:
    left_out = f", {verification.undecided} images left out as undecided" if verification.undecided else ""
    return (
        f"differs from {verification.reference} by {verification.max_rel_diff:.1e} (relative), top-1 agreement "
        f"{verification.top1_agreement:.4f} on {verification.samples} images{left_out}"
    )


def _undecided(job: Job, draft: Draft, far: tuple[int, ...]) -> tuple[int, ...]:
    """Which of the images whose logits differ had a token selection that rounding decided."""
    if not far or draft.variant.margins is None:
        return ()
    name = draft.candidate.id
    samples = Samples(job.images.source, tuple(job.images.ids[index] for index in far))
    target = job.shop.folder.work(f"{name.replace('/', '--')}.margins.npy")
    margins_job = ReferenceJob(draft.variant.margins, samples, draft.variant.preprocessing, target)
    answer = job.shop.in_child(f"margins {name}", name, reference_logits, margins_job, lambda found: (found.logits,))
    margins = np.load(answer.logits)[:, 0]
    return tuple(index for index, margin in zip(far, margins, strict=True) if margin < UNDECIDED_MARGIN)


def evaluate(job: Job, draft: Draft) -> Candidate:
    """Scores the artifact against labels, or against the float model where there are none."""
    candidate = draft.candidate
    logits = _logits(job, draft)
    evaluated = replace(candidate, accuracy=score(logits, job.labels, job.baseline_top1))
    limit = job.shop.spec.budget.max_drop
    lost = job.drop_points(logits)
    if lost is None:
        lossless = candidate.scheme == "fp32" and not draft.variant.passes
        reason = "" if lossless else "accuracy unknown: give images with --data or --calibration"
    elif lost <= limit + 1e-9:
        reason = ""
    elif job.labels is not None:
        reason = f"drops {lost:.1f} points, {limit:g} allowed"
    else:
        reason = f"disagrees with the float model on {lost:.1f} % of the images, {limit:g} % allowed"
    if reason and len(candidate.attempts) > 1:
        reason += f"; best of {len(candidate.attempts)} attempts"
    return _marked(evaluated, "rejected", reason) if reason else evaluated


def measure(job: Job, draft: Draft) -> Candidate:
    """Measures the artifact on this host, and rejects it if it is slower than its float parent."""
    candidate, settings = draft.candidate, job.shop.spec.measure
    bench_job = BenchJob(
        backend=candidate.backend,
        artifact=job.shop.folder.path / _artifact(candidate).path,
        threads=settings.threads,
        precision=SCHEMES[candidate.scheme].precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    measurement = job.shop.in_child(f"measure {candidate.id}", candidate.id, bench, bench_job)
    measured = replace(candidate, measurements=(measurement,))
    if draft.parent is None:
        return measured
    if draft.parent.artifact is None or draft.parent.status == "failed":
        return _marked(measured, "rejected", f"cannot be compared: {measured.parent} was not measured")
    paired_job = PairedLatencyJob(
        backend=candidate.backend,
        first=job.shop.folder.path / draft.parent.artifact.path,
        first_precision=SCHEMES[draft.parent.scheme].precision,
        second=bench_job.artifact,
        second_precision=bench_job.precision,
        threads=settings.threads,
    )
    compared = job.shop.in_child(
        f"compare {candidate.id} with {draft.parent.id}", candidate.id, paired_latency, paired_job
    )
    contribution = _contribution(job, draft, draft.parent, compared)
    contributions = (*draft.parent.contributions, contribution)
    measured = replace(measured, speed_up=compared.speed_up, contributions=contributions)
    if compared.speed_up > 1:
        return measured
    slower = (
        f"slower than {measured.parent}: {compared.second_ms:.3g} ms against {compared.first_ms:.3g} ms"
        f" ({compared.speed_up:.2f} ×, run in turn)"
    )
    if job.target.npu and SCHEMES[candidate.scheme].calibrated:
        return replace(
            measured, reasons=(*measured.reasons, f"{slower}; kept, for a device of this run needs static int8")
        )
    return _marked(measured, "rejected", slower + _why(candidate, measurement, draft.parent))


def _contribution(job: Job, draft: Draft, parent: Candidate, compared: PairedLatency) -> Contribution:
    candidate = draft.candidate
    if candidate.recipe:
        name, settings = "quantize", f"{candidate.scheme}: {candidate.recipe.summary}"
    else:
        last, form = candidate.passes[-1], draft.variant.form
        name, settings = last.name, f"{last.settings} ({form} form)" if form else last.settings
    before, after = (
        job.drop_points(np.load(path)) if (path := job.logits_path(each)).is_file() else None
        for each in (parent.id, candidate.id)
    )
    return Contribution(
        name=name,
        settings=settings,
        macs_before=_artifact(parent).macs,
        macs_after=_artifact(candidate).macs,
        ms_before=compared.first_ms,
        ms_after=compared.second_ms,
        drop_points=None if before is None or after is None else after - before,
    )


def _why(candidate: Candidate, measurement: Measurement, parent: Candidate) -> str:
    """What in the file may make it slow: more delegate partitions than the parent has, or conversions of numbers."""
    delegates = [measurement.conditions.delegate]
    if before := parent.measurement():
        delegates.append(before.conditions.delegate)
    said = [f"runs as {' against '.join(delegates)}"] if len(set(delegates)) > 1 else []
    if candidate.artifact and candidate.artifact.conversions:
        said.append(f"{candidate.artifact.conversions} conversions between number formats")
    if candidate.artifact and candidate.artifact.float_layer_count:
        said.append(f"{candidate.artifact.float_layer_count} layers in float")
    return f"; {', '.join(said)}" if said else ""


def predict_devices(job: Job, draft: Draft) -> Candidate:
    """Predicts latency and memory for the devices of the spec."""
    candidate, devices = draft.candidate, job.shop.spec.devices
    if not devices:
        return candidate
    devices_job = PredictDevicesJob(candidate.backend, job.shop.folder.path / _artifact(candidate).path, devices)
    answer = job.shop.in_child(f"predict {candidate.id}", candidate.id, predict_for_devices, devices_job)
    return replace(candidate, predictions=answer.predictions)


COMPRESS_STEPS: tuple[Step, ...] = (make, verify, evaluate, measure, predict_devices)
EXPORT_STEPS: tuple[Step, ...] = (make, verify)


def _logits(job: Job, draft: Draft) -> np.ndarray:
    """Runs a float artifact over the images, once; the logits of a quantized one were kept when it was chosen."""
    candidate = draft.candidate
    path = job.logits_path(candidate.id)
    if candidate.scheme == "fp32":
        inference_job = InferenceJob(
            backend=candidate.backend,
            artifact=job.shop.folder.path / _artifact(candidate).path,
            samples=job.images,
            preprocessing=draft.variant.preprocessing,
            threads=job.shop.spec.measure.threads,
            precision=SCHEMES[candidate.scheme].precision,
            logits=path,
        )
        name = f"evaluate {candidate.id}"
        job.shop.in_child(name, candidate.id, run_images, inference_job, lambda answer: (answer.logits,))
    logits: np.ndarray = np.load(path)
    return logits


def _artifact(candidate: Candidate) -> Artifact:
    if candidate.artifact is None:
        raise CandidateFailed("there is no artifact")
    return candidate.artifact
