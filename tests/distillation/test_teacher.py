"""A teacher sees the student's views in its own size and normalization, and is not asked for what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.distillation.teacher import Teacher  # noqa: E402
from edgevit.distillation.teacher_cache import CacheKey, TeacherCache  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402

CONTRACT = Preprocessing((12, 16), (0.1, 0.2, 0.3), (1.0, 2.0, 4.0))


class Recorder(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return images.mean(dim=(2, 3)) * self.scale


def test_it_gets_its_own_size_and_normalization() -> None:
    module = Recorder()
    teacher = Teacher(Model("t", module, CONTRACT, 3, random_weights=False), "cpu")
    logits = teacher(torch.ones(2, 3, 8, 8))
    assert module.seen[0].shape == (2, 3, 12, 16)
    expected = torch.tensor([0.9, 0.4, 0.175]).expand(2, 3)
    assert torch.allclose(logits, expected, atol=1e-6)
    assert not logits.requires_grad
    assert not module.training


def test_what_it_said_is_kept_as_probabilities(tmp_path: Path) -> None:
    module = Recorder()
    key = CacheKey("t", "weights", CONTRACT, "images", 5, "views", 3, 3)
    teacher = Teacher(Model("t", module, CONTRACT, 3, random_weights=False), "cpu", TeacherCache(tmp_path, key, 1))
    views, places = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([4, 1])
    first = teacher.expected(0, places, views)
    again = teacher.expected(0, places, views)
    assert len(module.seen) == 1
    assert torch.equal(first, again)
    assert torch.allclose(first, teacher(views).log_softmax(1), atol=1e-3)
