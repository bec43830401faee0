"""Trainings that take a moment: networks of a few hundred numbers on some of the digits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgevit.data.images import Samples, open_images
from edgevit.distillation.distill import train_student
from edgevit.distillation.distill_job import Distilled, DistillJob, LabelledImages
from edgevit.distillation.processes import Group
from edgevit.distillation.student import Student, prepare_student
from edgevit.model.load import Model
from edgevit.results.artifact import Preprocessing
from edgevit.spec.spec import DistillSpec, ModelSpec

CONTRACT = Preprocessing((8, 8), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), crop_mode="squash")


class SmallNet(nn.Module):
    """Three layers, with dropout, and batch normalization if it is asked for."""

    def __init__(
        self, seed: int, classes: int = 10, *, norm: bool = False, width: int = 12, dropout: float = 0.1
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(3, 6, 3, stride=2)
            self.norm = nn.BatchNorm2d(6) if norm else nn.Identity()
            self.hidden = nn.Linear(54, width)
            self.drop = nn.Dropout(dropout)
            self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm(self.conv(images)).relu().flatten(1)
        logits: Tensor = self.head(self.drop(self.hidden(features).relu()))
        return logits


def small_model(seed: int, **given: Any) -> Model:
    """A model of the digits, untrained."""
    module = SmallNet(seed, **given).eval().requires_grad_(False)
    return Model(f"net{seed}", module, CONTRACT, given.get("classes", 10), random_weights=False)


def digits_part(first: int, last: int, source: str = "digits:train") -> LabelledImages:
    """Some of the digits with their labels."""
    images = open_images(source)
    assert images.labels is not None
    return LabelledImages(Samples(source, images.ids[first:last]), images.labels[first:last])


def small_job(folder: Path, **settings: Any) -> DistillJob:
    """96 digits, and 40 kept apart; three steps an epoch."""
    given: dict[str, Any] = {"epochs": 2, "batch_size": 32, "learning_rate": 0.01, **settings}
    return DistillJob(
        student=ModelSpec(name="net0"),
        tokens="none",
        settings=DistillSpec.model_validate(given),
        images=digits_part(0, 96),
        images_sha256="96 digits",
        kept=digits_part(96, 136),
        evaluation=digits_part(0, 30, "digits"),
        device="cpu",
        threads=1,
        seed=0,
        weights=folder / "weights.safetensors",
    )


def run_small(job: DistillJob, student: Model | None = None, teacher: Model | None = None) -> tuple[Distilled, Student]:
    """Trains a student in this process."""
    made = prepare_student(student or small_model(0), job.settings)
    return train_student(job, made, teacher, Group("cpu")), made


def elsewhere(job: DistillJob, folder: Path) -> DistillJob:
    """The same job with another place for what it writes."""
    folder.mkdir(exist_ok=True)
    return replace(job, weights=folder / "weights.safetensors")
