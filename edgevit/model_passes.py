"""Takes the model through its passes and captures what each leaves: distill → reduce tokens."""

from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_model as load_tensors
from safetensors.torch import save_model as save_tensors
from torch import nn

from edgevit.architecture import is_transformer
from edgevit.capture import capture, count_macs, save_program
from edgevit.data import RunData, refuse_overlap
from edgevit.errors import UsageError
from edgevit.evaluate import score
from edgevit.images import ImageSet, Samples, open_images
from edgevit.job import Variant
from edgevit.model import Model, load_model
from edgevit.passes.distill import DistillSettings, distill
from edgevit.passes.reduce_tokens import CutMargins, check_reducible, reduce_tokens
from edgevit.preprocess import fit
from edgevit.reference import LatencyJob, ReferenceJob, pytorch_latency, reference_logits
from edgevit.results import Baseline, PassRecord
from edgevit.spec import DistillSpec, Spec
from edgevit.token_plan import TokenPlan
from edgevit.workshop import Workshop

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


def run_passes(shop: Workshop, model: Model, labels: tuple[int, ...] | None, images: Samples) -> Passed:
    """Runs the passes of a spec.

    Args:
        shop: Where the run takes place.
        model: As the user brought it; left untouched.
        labels: Of ``images``; None where there are none.
        images: PyTorch's logits are taken on these, for artifacts to be compared with.
    """
    spec = shop.spec
    bench = _Bench(shop, model, labels, images)
    original = bench.snapshot("original", model.module)
    module, dense = model.module, original
    records: tuple[PassRecord, ...] = ()
    if spec.passes.distill:
        module = _distilled(shop, spec.passes.distill, model)
        dense = bench.snapshot("distilled", module)
        records = (_record("distill", f"teacher {spec.passes.distill.teacher.name}", original, dense),)
    variants = [Variant(DENSE, dense.captured.program, records, dense.logits)]
    if spec.passes.tokens != "none":
        plan = TokenPlan.parse(spec.passes.tokens)
        reduced_module = reduce_tokens(module, plan)
        reduced = bench.snapshot(plan.slug, reduced_module)
        margins = bench.capture(f"{plan.slug}-margins", CutMargins(reduced_module))
        record = _record("reduce_tokens", str(plan), dense, reduced)
        variants.append(
            Variant(plan.slug, reduced.captured.program, (*records, record), reduced.logits, margins.program)
        )
    return Passed(bench.baseline(original), original.logits, original.captured.transformer, tuple(variants))


@dataclass(frozen=True)
class _Snapshot:
    """The model between two passes."""

    captured: Captured
    logits: Path
    top1: float | None


@dataclass(frozen=True)
class _Bench:
    """Looks at the model between its passes."""

    shop: Workshop
    model: Model
    labels: tuple[int, ...] | None
    images: Samples

    def snapshot(self, slug: str, module: nn.Module) -> _Snapshot:
        captured = self.capture(slug, module)
        job = ReferenceJob(
            captured.program, self.images, self.model.preprocessing, self.shop.folder.work(f"{slug}.logits.npy")
        )
        logits = self.shop.in_child(
            f"evaluate {slug} in PyTorch", f"pytorch-{slug}", reference_logits, job, lambda answer: (answer.logits,)
        ).logits
        return _Snapshot(captured, logits, score(np.load(logits), self.labels, None).top1)

    def capture(self, slug: str, module: nn.Module) -> Captured:
        path = self.shop.folder.work(f"{slug}.pt2")

        def make() -> Captured:
            program = capture(module, self.model.preprocessing.input_size)
            save_program(program, path)
            return Captured(path, count_macs(program), is_transformer(program))

        return self.shop.here(f"capture {slug}", make, Captured, lambda answer: (answer.program,))

    def baseline(self, original: _Snapshot) -> Baseline:
        settings = self.shop.spec.measure
        job = LatencyJob(original.captured.program, settings.threads, settings.min_runs, settings.min_seconds)
        accuracy = score(np.load(original.logits), self.labels, None)
        return Baseline(
            top1=accuracy.top1,
            top5=accuracy.top5,
            samples=accuracy.samples,
            params=self.model.params,
            macs=original.captured.macs,
            latency_ms=self.shop.in_child("measure original in PyTorch", "pytorch-original", pytorch_latency, job),
        )


def _record(name: str, settings: str, before: _Snapshot, after: _Snapshot) -> PassRecord:
    return PassRecord(name, settings, before.captured.macs, after.captured.macs, before.top1, after.top1)


def _training_images(spec: Spec) -> ImageSet:
    if spec.data.train is None:
        raise UsageError("distillation needs images to train on", "give --train, apart from --data and --calibration")
    return open_images(spec.data.train)


def _distilled(shop: Workshop, settings: DistillSpec, model: Model) -> nn.Module:
    """The model after distillation, trained now or read back."""
    file = shop.folder.work("distilled.safetensors")

    def make() -> Weights:
        _save(_train(shop, settings, model), file)
        return Weights(file)

    shop.here("distill", make, Weights, lambda answer: (answer.file,))
    module = copy.deepcopy(model.module)
    load_tensors(module, str(file))
    return module.eval().requires_grad_(False)


def _save(module: nn.Module, file: Path) -> None:
    """Writes weights; a full disk is an OSError, which safetensors tells in words only."""
    try:
        save_tensors(module, str(file))
    except SafetensorError as error:
        code = re.search(r"\(os error (\d+)\)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(file)) from error


def _train(shop: Workshop, settings: DistillSpec, model: Model) -> nn.Module:
    teacher = load_model(settings.teacher)
    images = _training_images(shop.spec)
    pixels = np.stack([fit(images.image(image_id), model.preprocessing) for image_id in images.ids])
    defaults = DistillSettings()
    return distill(
        copy.deepcopy(model.module).requires_grad_(True),
        teacher.module,
        pixels,
        None,
        student_normalization=(model.preprocessing.mean, model.preprocessing.std),
        teacher_normalization=(teacher.preprocessing.mean, teacher.preprocessing.std),
        teacher_size=teacher.preprocessing.input_size,
        settings=DistillSettings(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate or defaults.learning_rate,
            temperature=settings.temperature or defaults.temperature,
            seed=shop.spec.seed,
        ),
        on_progress=lambda done, total: shop.progress.stage("distill", done, total + 1),
    )
