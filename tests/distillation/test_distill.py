"""What the pass promises its callers."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.distillation.distill import (  # noqa: E402
    DistillSettings,
    Student,
    Teacher,
    TrainingImages,
    distill,
    normalize,
    train,
)
from edgevit.distillation.losses import soft_label_loss  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

GREY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SHIFTED = ((0.1, 0.2, 0.3), (1.0, 2.0, 4.0))


def _net(seed: int, classes: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.GELU(), nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, classes),
    )  # fmt: skip


def _linear(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))


IMAGES = np.random.RandomState(0).randint(0, 256, (20, 8, 8, 3)).astype(np.uint8)
LABELS = np.arange(20) % 4


def _distill(student: nn.Module, teacher: nn.Module | Teacher, **changes: Any) -> nn.Module:
    """Distills with settings for a test; ``images`` and ``labels`` replace those of the test."""
    images = TrainingImages(changes.pop("images", IMAGES), changes.pop("labels", LABELS))
    settings = changes.pop("settings", DistillSettings(epochs=2, batch_size=8, learning_rate=1e-2))
    taught_by = teacher if isinstance(teacher, Teacher) else Teacher(teacher, GREY)
    return distill(Student(student, GREY), taught_by, images, settings=settings, **changes)


def _same(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_student_that_equals_its_teacher_learns_nothing() -> None:
    seen: list[float] = []
    model = _linear(0)

    def loss(student: nn.Module, views: Tensor, chosen: Tensor) -> Tensor:
        value = soft_label_loss(student(views), copy.deepcopy(model)(views), 4.0)
        seen.append(value.item())
        return value

    train(model, IMAGES, loss, settings=DistillSettings(learning_rate=1e-9, batch_size=8))
    assert seen == pytest.approx([0.0] * 3, abs=1e-5)


def test_distilling_brings_the_student_to_its_teacher() -> None:
    student, teacher = _linear(0), _linear(1)
    views = normalize(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 255, GREY)

    def distance(model: nn.Module) -> float:
        with torch.no_grad():
            return soft_label_loss(model(views), teacher(views), 2.0).item()

    settings = DistillSettings(epochs=30, batch_size=8, learning_rate=1e-2)
    trained = _distill(student, teacher, labels=None, settings=settings, augment=None)
    assert distance(trained) < 0.1 * distance(student)


def test_only_the_hard_labels_count_at_weight_one() -> None:
    settings = DistillSettings(epochs=2, batch_size=8, learning_rate=1e-2, hard_label_weight=1.0)
    assert _same(_distill(_net(0), _net(1), settings=settings), _distill(_net(0), _net(2), settings=settings))


def test_callers_models_modes_and_random_state_are_untouched() -> None:
    student, teacher = _net(0), _net(1)
    before = copy.deepcopy(student), copy.deepcopy(teacher), torch.get_rng_state()
    trained = _distill(student, teacher)
    assert _same(student, before[0])
    assert _same(teacher, before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    assert student.training
    assert teacher.training
    assert all(parameter.requires_grad for parameter in teacher.parameters())
    assert not trained.training
    assert not _same(trained, student)


def test_the_same_seed_gives_the_same_student() -> None:
    assert _same(_distill(_net(0), _net(1)), _distill(_net(0), _net(1)))
    other = DistillSettings(epochs=2, batch_size=8, learning_rate=1e-2, seed=1)
    assert not _same(_distill(_net(0), _net(1)), _distill(_net(0), _net(1), settings=other))


def test_progress_counts_every_step() -> None:
    calls: list[tuple[int, int]] = []
    _distill(_net(0), _net(1), on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 6) for done in range(1, 7)]


def test_the_teacher_gets_its_own_size_and_normalization() -> None:
    seen: list[Tensor] = []

    class Recorder(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            logits: Tensor = images.mean(dim=(2, 3)) @ torch.ones(3, 4)
            return logits

    white = np.full((6, 8, 8, 3), 255, np.uint8)
    _distill(_net(0), Teacher(Recorder(), SHIFTED, (12, 16)), images=white, labels=None, augment=None)
    expected = torch.tensor([0.9, 0.4, 0.175]).view(1, 3, 1, 1)
    assert all(images.shape[1:] == (3, 12, 16) for images in seen)
    assert all(torch.allclose(images, expected.expand_as(images), atol=1e-6) for images in seen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "no images"),
        ({"images": IMAGES.astype(np.float64)}, "float64"),
        ({"images": IMAGES[0]}, "8, 8, 3"),
        ({"labels": LABELS[:5]}, "20 images"),
        ({"labels": LABELS + 1}, "1 to 4 but the models have the classes 0..3"),
        ({"labels": LABELS - 1}, "-1 to 2"),
        ({"labels": None, "settings": DistillSettings(hard_label_weight=0.5)}, "no labels"),
        ({"settings": DistillSettings(learning_rate=1e30, epochs=3)}, "the loss is"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        _distill(_net(0), _net(1), **changes)
    assert caught.value.hint


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[1, 4\].*\[1, 5\]"):
        _distill(_net(0), _net(1, classes=5))


def test_a_student_with_nothing_to_train_is_refused() -> None:
    with pytest.raises(UsageError, match="no trainable parameter"):
        _distill(_net(0).requires_grad_(False), _net(1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("learning_rate", 0.0), ("learning_rate", math.nan), ("temperature", -1.0),
        ("hard_label_weight", 1.5), ("hard_label_weight", math.nan), ("batch_size", 0), ("seed", -1),
    ],
)  # fmt: skip
def test_settings_refuse_values_out_of_range(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        DistillSettings(**{name: value})  # type: ignore[arg-type]
