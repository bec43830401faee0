"""The life of one candidate: made → verified → evaluated → measured → predicted, each step adding to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.backends import Backend
from edgevit.backends.jobs import ExportJob, Made, QuantizeJob, export_float, quantize
from edgevit.devices.jobs import PredictDevicesJob, predict_for_devices
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, UsageError
from edgevit.evaluate import PredictJob, predict, score
from edgevit.images import Samples
from edgevit.measure.bench import BenchJob, bench
from edgevit.reference import ReferenceJob, reference_logits
from edgevit.results import Artifact, Candidate, PassRecord, Preprocessing, Status, Verification
from edgevit.run_folder import file_sha256
from edgevit.schemes import SCHEMES
from edgevit.verify import (
    FLOAT_TOLERANCE,
    HALF_TOLERANCE,
    UNDECIDED_MARGIN,
    compare,
    far_images,
    verify_signature,
)
from edgevit.workshop import Workshop


@dataclass(frozen=True)
class Variant:
    """The model after some passes, captured."""

    slug: str
    """Third part of a candidate id: "dense", or the token plan."""
    program: Path
    passes: tuple[PassRecord, ...]
    reference: Path
    """PyTorch's logits on the images that artifacts are verified with."""
    margins: Path | None = None
    """Captured program that tells how close an image's token selection was; None where no tokens leave."""


@dataclass(frozen=True)
class Job:
    """What all candidates of a run share."""

    shop: Workshop
    preprocessing: Preprocessing
    num_classes: int
    transformer: bool
    images: Samples
    """Artifacts are verified, and where there are labels evaluated, on these."""
    labels: tuple[int, ...] | None
    judged: bool
    """Whether ``images`` are real, so that agreement on them means something."""
    calibration: Samples | None
    baseline_top1: float | None
    baseline_logits: Path


@dataclass(frozen=True)
class Draft:
    """A candidate while it is made, with what it is made from."""

    backend: Backend
    variant: Variant
    parent: Candidate | None
    """Float candidate to compare with; None for the dense float one."""
    candidate: Candidate


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
        id=f"{backend.NAME}/{scheme}/{variant.slug}",
        backend=backend.NAME,
        format=backend.FORMAT,
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
    """Exports or quantizes, and describes what came out."""
    candidate, folder = draft.candidate, job.shop.folder
    target = folder.path / "artifacts" / candidate.id
    if candidate.scheme == "fp32":
        export_job = ExportJob(candidate.backend, draft.variant.program, target)
        made = job.shop.in_child(f"export {candidate.id}", candidate.id, export_float, export_job, _files)
    else:
        made = job.shop.in_child(
            f"quantize {candidate.id}", candidate.id, quantize, _quantize_job(job, draft, target), _files
        )
    artifact = Artifact(
        path=folder.relative(made.main),
        files=tuple(folder.relative(path) for path in made.files),
        sha256=file_sha256(*made.files),
        size_bytes=sum(path.stat().st_size for path in made.files),
        inputs=made.inputs,
        outputs=made.outputs,
        preprocessing=job.preprocessing,
        int8_mac_share=made.int8_mac_share,
        macs=made.macs,
        params=made.params,
    )
    return replace(candidate, artifact=artifact)


def _files(made: Made) -> tuple[Path, ...]:
    return made.files


def _quantize_job(job: Job, draft: Draft, target: Path) -> QuantizeJob:
    scheme = draft.candidate.scheme
    if draft.parent is None or draft.parent.artifact is None:
        raise CandidateFailed("there is no float artifact to start from")
    if SCHEMES[scheme].calibrated and job.calibration is None:
        raise CandidateFailed(f"{scheme} needs calibration images: give --calibration")
    return QuantizeJob(
        backend=draft.backend.NAME,
        parent=job.shop.folder.path / draft.parent.artifact.path,
        scheme=scheme,
        calibration=job.calibration,
        preprocessing=job.preprocessing,
        transformer=job.transformer,
        seed=job.shop.spec.seed,
        folder=target,
    )


def verify(job: Job, draft: Draft) -> Candidate:
    """Compares the artifact with PyTorch, or with the float artifact it was quantized from."""
    candidate = draft.candidate
    artifact = _artifact(candidate)
    verify_signature(artifact.inputs, artifact.outputs, job.preprocessing.input_size, job.num_classes)
    logits = np.load(_logits(job, candidate))
    if candidate.scheme == "fp32":
        reference, name, tolerance = np.load(draft.variant.reference), "pytorch", FLOAT_TOLERANCE
        undecided = _undecided(job, draft, far_images(logits, reference, tolerance))
        verification = compare(logits, reference, name, tolerance, undecided)
    else:
        name = f"{draft.backend.NAME}/fp32/{draft.variant.slug}"
        path = _logits_path(job, name)
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
    margins_job = ReferenceJob(draft.variant.margins, samples, job.preprocessing, target)
    answer = job.shop.in_child(f"margins {name}", name, reference_logits, margins_job, lambda found: (found.logits,))
    margins = np.load(answer.logits)[:, 0]
    return tuple(index for index, margin in zip(far, margins, strict=True) if margin < UNDECIDED_MARGIN)


def evaluate(job: Job, draft: Draft) -> Candidate:
    """Scores the artifact against labels, or against the float model where there are none."""
    candidate = draft.candidate
    logits = np.load(_logits(job, candidate))
    evaluated = replace(candidate, accuracy=score(logits, job.labels, job.baseline_top1))
    limit = job.shop.spec.budget.max_drop
    drop = evaluated.accuracy.drop_points if evaluated.accuracy else None
    if drop is not None:
        reason = f"drops {drop:.1f} points, {limit:g} allowed" if drop > limit + 1e-9 else ""
    elif job.judged:
        agreement = float((logits.argmax(axis=1) == np.load(job.baseline_logits).argmax(axis=1)).mean())
        lost = 100 * (1 - agreement)
        reason = (
            f"disagrees with the float model on {lost:.1f} % of the images, {limit:g} % allowed"
            if lost > limit + 1e-9
            else ""
        )
    else:
        lossless = candidate.scheme == "fp32" and not draft.variant.passes
        reason = "" if lossless else "accuracy unknown: give images with --data or --calibration"
    return _marked(evaluated, "rejected", reason) if reason else evaluated


def measure(job: Job, draft: Draft) -> Candidate:
    """Measures the artifact on this host, and rejects it if it is slower than its float parent."""
    candidate, settings = draft.candidate, job.shop.spec.measure
    bench_job = BenchJob(
        backend=candidate.backend,
        artifact=job.shop.folder.path / _artifact(candidate).path,
        threads=settings.threads,
        precision=_precision(candidate.scheme),
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
    measurement = job.shop.in_child(f"measure {candidate.id}", candidate.id, bench, bench_job)
    measured = replace(candidate, measurements=(measurement,))
    if draft.parent is None:
        return measured
    p50_ms, parent_ms = measurement.latency_ms.p50, draft.parent.p50_ms
    if parent_ms is None:
        return _marked(measured, "rejected", f"cannot be compared: {measured.parent} was not measured")
    if p50_ms >= parent_ms:
        reason = (
            f"slower than {measured.parent}: {p50_ms:.3g} ms against {parent_ms:.3g} ms ({p50_ms / parent_ms:.2f} ×)"
        )
        return _marked(measured, "rejected", reason)
    return measured


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


def _logits(job: Job, candidate: Candidate) -> Path:
    """Runs the artifact over the images, once."""
    predict_job = PredictJob(
        backend=candidate.backend,
        artifact=job.shop.folder.path / _artifact(candidate).path,
        samples=job.images,
        preprocessing=job.preprocessing,
        threads=job.shop.spec.measure.threads,
        precision=_precision(candidate.scheme),
        logits=_logits_path(job, candidate.id),
    )
    name = f"evaluate {candidate.id}"
    return job.shop.in_child(name, candidate.id, predict, predict_job, lambda answer: (answer.logits,)).logits


def _logits_path(job: Job, candidate_id: str) -> Path:
    return job.shop.folder.work(f"{candidate_id.replace('/', '--')}.logits.npy")


def _precision(scheme: str) -> str:
    """A float artifact is asked for float32; an int8 one may use the fastest floats that the runtime has."""
    return "fastest" if SCHEMES[scheme].is_int8 else "f32"


def _artifact(candidate: Candidate) -> Artifact:
    if candidate.artifact is None:
        raise CandidateFailed("there is no artifact")
    return candidate.artifact
