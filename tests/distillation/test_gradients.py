"""Gradients are those of the loss; views are the same ones again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from edgevit.distillation.finetune_job import FinetuneJob  # noqa: E402
from edgevit.distillation.gradients import Gradients, part_size  # noqa: E402
from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.model.program.trainable import Trainable  # noqa: E402


def test_a_batch_is_computed_in_equal_parts() -> None:
    assert [part_size(size) for size in (64, 32, 20, 17, 7, 2)] == [16, 16, 10, 1, 7, 2]


def test_gradients_are_those_of_the_loss(job: FinetuneJob) -> None:
    """Against the finite difference of the loss along the gradient, on the same views."""
    teacher, student = (Trainable(load_program(job.teacher)) for _ in range(2))
    trained = list(student.parameters.values())
    for parameter in trained:
        parameter.mul_(1.02).requires_grad_(True)
    with ThreadPoolExecutor(2) as pool:
        gradients = Gradients(teacher, student, trained, job, pool)

        def loss() -> float:
            return gradients(0)

        loss()
        found = [parameter.grad for parameter in trained if parameter.grad is not None]
        assert len(found) == len(trained)
        assert all(parameter.grad is None for parameter in teacher.parameters.values())
        square = sum(float(gradient.square().sum()) for gradient in found)
        step, sides = 1e-3 / square**0.5, []
        for sign in (1, -2):
            with torch.no_grad():
                for parameter, gradient in zip(trained, found, strict=True):
                    parameter.add_(gradient, alpha=sign * step)
            sides.append(loss())
    assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(square, rel=0.05)
