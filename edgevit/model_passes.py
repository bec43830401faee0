"""Takes the model through its passes and captures what each leaves: distill → reduce tokens."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.torch import load_model as load_tensors
from safetensors.torch import save_model as save_tensors
from torch import nn

from edgevit.candidates import Variant
from edgevit.capture import capture, count_macs, is_transformer, load_program, save_program
from edgevit.data import ImageSet, RunData, Samples, open_images, refuse_overlap
from edgevit.errors import UsageError
from edgevit.evaluate import Predicted, score
from edgevit.isolate import isolated
from edgevit.model import Model, load_model
from edgevit.passes.distill import DistillSettings, distill
from edgevit.passes.reduce_tokens import check_reducible, reduce_tokens
from edgevit.preprocess import fit
from edgevit.progress import Progress
from edgevit.reference import LatencyJob, ReferenceJob, pytorch_latency, reference_logits
from edgevit.results import Baseline, LatencyMs, PassRecord
from edgevit.run_folder import RunFolder
from edgevit.spec import DistillSpec, Spec
from edgevit.token_plan import TokenPlan

DENSE = "dense"


@dataclass(frozen=True)
class Passed:
    """The model as it came, and every variant of it that is to be exported."""

    baseline: Baseline
    baseline_logits: Path
    transformer: bool
    variants: tuple[Variant, ...]
    """The first is dense: all its tokens go the whole way."""


@dataclass(frozen=True)
class Captured:
    """A captured program on disk."""

    program: Path
    macs: int
    transformer: bool


@dataclass(frozen=True)
class Weights:
    """Trained weights on disk."""

    file: Path


@dataclass(frozen=True)
class _Snapshot:
    """The model between two passes."""

    captured: Captured
    logits: Path
    top1: float | None


def check_passes(spec: Spec, model: Model, data: RunData) -> None:
    """Refuses passes that the model cannot go through, before anything heavy starts.

    Raises:
        UsageError: says which and why.
    """
    if spec.passes.tokens != "none":
        check_reducible(model.module, TokenPlan.parse(spec.passes.tokens))
    if spec.passes.distill:
        teacher = load_model(spec.passes.distill.teacher)
        if teacher.num_classes != model.num_classes:
            raise UsageError(f"the teacher has {teacher.num_classes} classes, the model {model.num_classes}")
        images = _training_images(spec)
        for other in (data.evaluation, data.calibration):
            if other is not None:
                refuse_overlap(other, images, "training")


def run_passes(spec: Spec, model: Model, data: RunData, images: Samples, folder: RunFolder, progress: Progress) -> Passed:
    """Runs the passes of a spec.

    Args:
        spec: The run's.
        model: As the user brought it; left untouched.
        data: For labels and calibration images.
        images: PyTorch's logits are taken on these, for artifacts to be compared with.
        folder: Keeps captured programs, weights and logits.
        progress: Hears what is going on.
    """
    labels = data.evaluation.labels if data.evaluation else None

    def snapshot(slug: str, module: nn.Module) -> _Snapshot:
        captured = _capture(slug, module, model, folder, progress)
        logits = _reference(slug, captured, images, model, spec, folder, progress)
        top1 = score(np.load(logits), labels, None).top1
        return _Snapshot(captured, logits, top1)

    original = dense = snapshot("original", model.module)
    baseline = _baseline(original, labels, spec, model, folder, progress)
    module, records = model.module, ()
    if spec.passes.distill:
        module = _distilled(spec, spec.passes.distill, model, folder, progress)
        dense = snapshot("distilled", module)
        records = (_record("distill", f"teacher {spec.passes.distill.teacher.name}", original, dense),)
    variants = [_variant(DENSE, dense, records)]
    if spec.passes.tokens != "none":
        plan = TokenPlan.parse(spec.passes.tokens)
        reduced = snapshot(plan.slug, reduce_tokens(module, plan))
        variants.append(_variant(plan.slug, reduced, (*records, _record("reduce_tokens", str(plan), dense, reduced))))
    return Passed(baseline, original.logits, original.captured.transformer, tuple(variants))


def _variant(slug: str, snapshot: _Snapshot, records: tuple[PassRecord, ...]) -> Variant:
    return Variant(slug, snapshot.captured.program, records, snapshot.logits)


def _record(name: str, settings: str, before: _Snapshot, after: _Snapshot) -> PassRecord:
    return PassRecord(name, settings, before.captured.macs, after.captured.macs, before.top1, after.top1)


def _capture(slug: str, module: nn.Module, model: Model, folder: RunFolder, progress: Progress) -> Captured:
    name = f"capture {slug}"

    def make() -> Captured:
        progress.stage(name, 0, 1)
        path = folder.work(f"{slug}.pt2")
        program = capture(module, model.preprocessing.input_size)
        save_program(program, path)
        return Captured(path, count_macs(program), is_transformer(program))

    captured = folder.stage(name, Captured, make, files=lambda value: (value.program,))
    progress.stage(name, 1, 1)
    return captured


def _reference(
    slug: str, captured: Captured, images: Samples, model: Model, spec: Spec, folder: RunFolder, progress: Progress
) -> Path:
    name = f"evaluate {slug} in PyTorch"
    job = ReferenceJob(captured.program, images, model.preprocessing, folder.work(f"{slug}.logits.npy"))

    def make() -> Predicted:
        return isolated(
            reference_logits, job, timeout_seconds=spec.measure.timeout_seconds, log=folder.log(f"pytorch-{slug}"),
            on_progress=lambda done, total: progress.stage(name, done, total),
        )  # fmt: skip

    return folder.stage(name, Predicted, make, files=lambda value: (value.logits,)).logits


def _baseline(
    original: _Snapshot, labels: tuple[int, ...] | None, spec: Spec, model: Model, folder: RunFolder, progress: Progress
) -> Baseline:
    name = "measure original in PyTorch"
    settings = spec.measure
    job = LatencyJob(original.captured.program, settings.threads, settings.min_runs, settings.min_seconds)

    def make() -> LatencyMs:
        return isolated(
            pytorch_latency, job, timeout_seconds=settings.timeout_seconds, log=folder.log("pytorch-original"),
            on_progress=lambda done, total: progress.stage(name, done, total),
        )  # fmt: skip

    accuracy = score(np.load(original.logits), labels, None)
    return Baseline(
        top1=accuracy.top1,
        top5=accuracy.top5,
        samples=accuracy.samples,
        params=model.params,
        macs=original.captured.macs,
        latency_ms=folder.stage(name, LatencyMs, make),
    )


def _training_images(spec: Spec) -> ImageSet:
    if spec.data.train is None:
        raise UsageError("distillation needs images to train on", "give --train, apart from --data and --calibration")
    return open_images(spec.data.train)


def _distilled(spec: Spec, settings: DistillSpec, model: Model, folder: RunFolder, progress: Progress) -> nn.Module:
    name = "distill"

    def make() -> Weights:
        teacher = load_model(settings.teacher)
        images = _training_images(spec)
        contract = replace(model.preprocessing, crop_pct=1.0)
        pixels = np.stack([fit(images.image(image_id), contract) for image_id in images.ids])
        given = {"learning_rate": settings.learning_rate, "temperature": settings.temperature}
        student = distill(
            copy.deepcopy(model.module).requires_grad_(True),
            teacher.module,
            pixels,
            None,
            student_normalization=(model.preprocessing.mean, model.preprocessing.std),
            teacher_normalization=(teacher.preprocessing.mean, teacher.preprocessing.std),
            teacher_size=teacher.preprocessing.input_size,
            settings=DistillSettings(
                epochs=settings.epochs, seed=spec.seed, **{key: value for key, value in given.items() if value is not None}
            ),
            on_progress=lambda done, total: progress.stage(name, done, total),
        )
        file = folder.work("distilled.safetensors")
        save_tensors(student, str(file))
        return Weights(file)

    progress.stage(name, 0, 1)
    weights = folder.stage(name, Weights, make, files=lambda value: (value.file,))
    return _with_weights(model, weights.file)


def _with_weights(model: Model, file: Path) -> nn.Module:
    module = copy.deepcopy(model.module)
    load_tensors(module, str(file))
    return module.eval().requires_grad_(False)
