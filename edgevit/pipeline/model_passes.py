"""Takes the model through the passes that change its weights, and captures what they leave."""

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

from edgevit.artifacts.evaluate import score
from edgevit.artifacts.pytorch_reference import LatencyJob, pytorch_latency
from edgevit.data.images import ImageSet, open_images
from edgevit.data.preprocess import resize_and_crop
from edgevit.data.sampling import RunData, refuse_overlap
from edgevit.distillation.distill import DistillSettings, distill
from edgevit.errors import UsageError
from edgevit.model.load import Model, load_model
from edgevit.pipeline.context import Variant
from edgevit.pipeline.snapshot import Bench, Snapshot, record
from edgevit.results.artifact import PassRecord
from edgevit.results.run import Baseline
from edgevit.run.stages import Workshop
from edgevit.spec.spec import DistillSpec, Spec

DENSE = "dense"


@dataclass(frozen=True)
class TrainedModel:
    """The model as it came, and as it is once it has learned."""

    baseline: Baseline
    baseline_logits: Path
    transformer: bool
    module: nn.Module
    """After distillation, or as it came."""
    snapshot: Snapshot
    """Of ``module``."""
    dense: Variant
    """``module`` with all its tokens."""


@dataclass(frozen=True)
class Weights:
    """Trained weights on disk."""

    file: Path


def check_passes(spec: Spec, model: Model, data: RunData) -> None:
    """Refuses passes that the model cannot go through, before anything heavy starts.

    Raises:
        UsageError: says which and why.
    """
    if spec.passes.distill:
        teacher = load_model(spec.passes.distill.teacher)
        if teacher.num_classes != model.num_classes:
            raise UsageError(f"the teacher has {teacher.num_classes} classes, the model {model.num_classes}")
        images = _training_images(spec)
        for other in (data.evaluation, data.calibration):
            if other is not None:
                refuse_overlap(other, images, "training")


def run_passes(bench: Bench, model: Model) -> TrainedModel:
    """Runs the passes of a spec that change weights.

    Args:
        bench: Where the model is captured before and after.
        model: As the user brought it; left untouched.
    """
    distill_spec = bench.shop.spec.passes.distill
    original = bench.snapshot("original", model.module, model.preprocessing)
    module, dense = model.module, original
    records: tuple[PassRecord, ...] = ()
    if distill_spec:
        module = _distilled(bench.shop, distill_spec, model)
        dense = bench.snapshot("distilled", module, model.preprocessing)
        records = (record("distill", f"teacher {distill_spec.teacher.name}", original, dense),)
    return TrainedModel(
        baseline=_baseline(bench, model, original),
        baseline_logits=original.logits,
        transformer=original.captured.transformer,
        module=module,
        snapshot=dense,
        dense=Variant(DENSE, dense.captured.program, model.preprocessing, records, dense.logits),
    )


def _baseline(bench: Bench, model: Model, original: Snapshot) -> Baseline:
    settings = bench.shop.spec.measure
    job = LatencyJob(original.captured.program, settings.threads, settings.min_runs, settings.min_seconds)
    accuracy = score(np.load(original.logits), bench.labels, None)
    return Baseline(
        top1=accuracy.top1,
        top5=accuracy.top5,
        samples=accuracy.samples,
        params=model.params,
        macs=original.captured.macs,
        latency_ms=bench.shop.in_child("measure original in PyTorch", "pytorch-original", pytorch_latency, job),
    )


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
    pixels = np.stack([resize_and_crop(images.image(image_id), model.preprocessing) for image_id in images.ids])
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
