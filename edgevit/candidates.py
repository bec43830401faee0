"""The life of one candidate: made → verified → evaluated → measured → predicted, each step adding to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.backends import Backend
from edgevit.backends.jobs import ExportJob, Made, QuantizeJob, export_float, quantize
from edgevit.data import Samples
from edgevit.devices.jobs import PredictDevicesJob, Predictions, predict_for_devices
from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, UsageError
from edgevit.evaluate import Predicted, PredictJob, predict, score
from edgevit.isolate import isolated
from edgevit.measure.bench import BenchJob, bench
from edgevit.progress import Progress
from edgevit.results import Artifact, Candidate, Measurement, PassRecord, Preprocessing, Status
from edgevit.run_folder import RunFolder, file_sha256
from edgevit.schemes import SCHEMES
from edgevit.spec import Spec
from edgevit.verify import FLOAT_TOLERANCE, HALF_TOLERANCE, compare, verify_signature


@dataclass(frozen=True)
class Variant:
    """The model after some passes, captured."""

    slug: str
    """Third part of a candidate id: "dense", or the token plan."""
    program: Path
    passes: tuple[PassRecord, ...]
    reference: Path
    """PyTorch's logits on the images that artifacts are verified with."""


@dataclass(frozen=True)
class Job:
    """What all candidates of a run share."""

    spec: Spec
    folder: RunFolder
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
    progress: Progress


@dataclass(frozen=True)
class Draft:
    """A candidate while it is made, with what it is made from."""

    backend: Backend
    variant: Variant
    parent: Candidate | None
    """Float candidate to compare with; None for the dense float one."""
    candidate: Candidate


Step = Callable[[Job, Draft], Candidate]


def build(job: Job, steps: tuple[Step, ...], backend: Backend, scheme: str, variant: Variant, parent: Candidate | None) -> Candidate:
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
        job.progress.message(f"{candidate.id}: {candidate.status}: {'; '.join(candidate.reasons)}")
    return candidate


def _marked(candidate: Candidate, status: Status, reason: str) -> Candidate:
    return replace(candidate, status=status, reasons=(*candidate.reasons, reason))


def make(job: Job, draft: Draft) -> Candidate:
    """Exports or quantizes, and describes what came out."""
    candidate, folder = draft.candidate, job.folder
    target = folder.path / "artifacts" / candidate.id
    name = f"{'export' if candidate.scheme == 'fp32' else 'quantize'} {candidate.id}"

    def in_child() -> Made:
        arguments = {"timeout_seconds": job.spec.measure.timeout_seconds, "log": folder.log(candidate.id)}
        job.progress.stage(name, 0, 1)
        if candidate.scheme == "fp32":
            return isolated(export_float, ExportJob(candidate.backend, draft.variant.program, target), **arguments)
        parent = _float_artifact(folder, draft)
        if SCHEMES[candidate.scheme].calibrated and job.calibration is None:
            raise CandidateFailed(f"{candidate.scheme} needs calibration images: give --calibration")
        quantize_job = QuantizeJob(
            candidate.backend, parent, candidate.scheme, job.calibration, job.preprocessing, job.transformer, job.spec.seed, target
        )
        return isolated(quantize, quantize_job, **arguments)

    made = folder.stage(name, Made, in_child, files=lambda value: value.files)
    job.progress.stage(name, 1, 1)
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


def verify(job: Job, draft: Draft) -> Candidate:
    """Compares the artifact with PyTorch, or with the float artifact it was quantized from."""
    candidate = draft.candidate
    artifact = _artifact(candidate)
    verify_signature(artifact.inputs, artifact.outputs, job.preprocessing.input_size, job.num_classes)
    logits = np.load(_logits(job, candidate))
    if candidate.scheme == "fp32":
        reference, name = np.load(draft.variant.reference), "pytorch"
    else:
        float_id = _float_id(draft)
        reference, name = np.load(_logits_path(job.folder, float_id)), float_id
    tolerance = {"fp32": FLOAT_TOLERANCE, "fp16": HALF_TOLERANCE}.get(candidate.scheme)
    verification = compare(logits, reference, name, tolerance)
    verified = replace(candidate, verification=verification)
    if verification.passed:
        return verified
    reason = (
        f"differs from {name}: {verification.max_rel_diff:.1e} relative ({tolerance:.0e} allowed), "
        f"top-1 agreement {verification.top1_agreement:.4f}"
    )
    return _marked(verified, "failed", reason)


def evaluate(job: Job, draft: Draft) -> Candidate:
    """Scores the artifact against labels, or against the float model where there are none."""
    candidate = draft.candidate
    logits = np.load(_logits(job, candidate))
    evaluated = replace(candidate, accuracy=score(logits, job.labels, job.baseline_top1))
    limit = job.spec.budget.max_drop
    drop = evaluated.accuracy.drop_points if evaluated.accuracy else None
    if drop is not None:
        reason = f"drops {drop:.1f} points, {limit:g} allowed" if drop > limit + 1e-9 else ""
    elif job.judged:
        agreement = float((logits.argmax(axis=1) == np.load(job.baseline_logits).argmax(axis=1)).mean())
        lost = 100 * (1 - agreement)
        reason = f"disagrees with the float model on {lost:.1f} % of the images, {limit:g} % allowed" if lost > limit + 1e-9 else ""
    else:
        lossless = candidate.scheme == "fp32" and not draft.variant.passes
        reason = "" if lossless else "accuracy unknown: give images with --data or --calibration"
    return _marked(evaluated, "rejected", reason) if reason else evaluated


def measure(job: Job, draft: Draft) -> Candidate:
    """Measures the artifact on this host, and rejects it if it is slower than its float parent."""
    candidate = draft.candidate
    name = f"measure {candidate.id}"

    def in_child() -> Measurement:
        settings = job.spec.measure
        bench_job = BenchJob(
            candidate.backend,
            job.folder.path / _artifact(candidate).path,
            settings.threads,
            _precision(candidate.scheme),
            settings.min_runs,
            settings.min_seconds,
        )
        return isolated(
            bench, bench_job, timeout_seconds=settings.timeout_seconds, log=job.folder.log(candidate.id),
            on_progress=lambda done, total: job.progress.stage(name, done, total),
        )  # fmt: skip

    job.progress.stage(name, 0, 100)
    measurement = job.folder.stage(name, Measurement, in_child)
    job.progress.stage(name, 100, 100)
    measured = replace(candidate, measurements=(measurement,))
    if draft.parent is None:
        return measured
    p50_ms, parent_ms = measurement.latency_ms.p50, draft.parent.p50_ms
    if parent_ms is None:
        return _marked(measured, "rejected", f"cannot be compared: {measured.parent} was not measured")
    if p50_ms >= parent_ms:
        reason = f"slower than {measured.parent}: {p50_ms:.3g} ms against {parent_ms:.3g} ms ({p50_ms / parent_ms:.2f} ×)"
        return _marked(measured, "rejected", reason)
    return measured


def predict_devices(job: Job, draft: Draft) -> Candidate:
    """Predicts latency and memory for the devices of the spec."""
    candidate = draft.candidate
    if not job.spec.devices:
        return candidate
    name = f"predict {candidate.id}"

    def in_child() -> Predictions:
        devices_job = PredictDevicesJob(candidate.backend, job.folder.path / _artifact(candidate).path, job.spec.devices)
        return isolated(
            predict_for_devices, devices_job,
            timeout_seconds=job.spec.measure.timeout_seconds, log=job.folder.log(candidate.id),
        )  # fmt: skip

    return replace(candidate, predictions=job.folder.stage(name, Predictions, in_child).predictions)


COMPRESS_STEPS: tuple[Step, ...] = (make, verify, evaluate, measure, predict_devices)
EXPORT_STEPS: tuple[Step, ...] = (make, verify)


def _logits(job: Job, candidate: Candidate) -> Path:
    """Runs the artifact over the images, once."""
    name = f"evaluate {candidate.id}"
    artifact = job.folder.path / _artifact(candidate).path

    def in_child() -> Predicted:
        predict_job = PredictJob(
            candidate.backend, artifact, job.images, job.preprocessing, job.spec.measure.threads,
            _precision(candidate.scheme), _logits_path(job.folder, candidate.id),
        )  # fmt: skip
        return isolated(
            predict, predict_job, timeout_seconds=job.spec.measure.timeout_seconds, log=job.folder.log(candidate.id),
            on_progress=lambda done, total: job.progress.stage(name, done, total),
        )  # fmt: skip

    return job.folder.stage(name, Predicted, in_child, files=lambda value: (value.logits,)).logits


def _logits_path(folder: RunFolder, candidate_id: str) -> Path:
    return folder.work(f"{candidate_id.replace('/', '--')}.logits.npy")


def _precision(scheme: str) -> str:
    """A float artifact is asked for float32; an int8 one may use the fastest floats that the runtime has."""
    return "fastest" if SCHEMES[scheme].is_int8 else "f32"


def _float_id(draft: Draft) -> str:
    return f"{draft.backend.NAME}/fp32/{draft.variant.slug}"


def _float_artifact(folder: RunFolder, draft: Draft) -> Path:
    """Main file of the float artifact of the same variant.

    Raises:
        CandidateFailed: it could not be made.
    """
    if draft.parent is None or draft.parent.artifact is None:
        raise CandidateFailed("there is no float artifact to start from")
    return folder.path / draft.parent.artifact.path


def _artifact(candidate: Candidate) -> Artifact:
    if candidate.artifact is None:
        raise CandidateFailed("there is no artifact")
    return candidate.artifact
