"""Gradients of a student: of the loss that is asked for, with what is mixed, and the same again for the same step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402

from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.distillation.losses import distillation_loss, label_loss  # noqa: E402
from edgevit.distillation.processes import Group  # noqa: E402
from edgevit.distillation.student import prepare_student  # noqa: E402
from edgevit.distillation.student_gradients import StudentGradients, find_precision  # noqa: E402
from edgevit.distillation.teacher import Teacher  # noqa: E402
from edgevit.distillation.train_data import Batches, TrainingData, TrainingViews  # noqa: E402
from edgevit.distillation.training import Training, TrainingPlan  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from tests.distillation.small import CONTRACT, run_small, small_job, small_model  # noqa: E402

NONE = {"views": "none"}
TEACHER = {"name": "net1"}
PLAN = TrainingPlan("training", 10, 1, 0.1, 0.0, 0.1, None, lambda score: "", "no better")


def gradients_of(folder: Path, batch: int = 96, **settings: Any) -> tuple[StudentGradients, torch.nn.Module]:
    job = small_job(folder, augmentation=settings.pop("augmentation", NONE), batch_size=batch, **settings)
    student = prepare_student(small_model(0, dropout=0.0), job.settings)
    teacher = Teacher(small_model(1), "cpu") if job.settings.teacher else None
    labels = torch.tensor(job.images.labels) if job.settings.use_labels == "auto" else None
    views = TrainingViews(job.images.samples, CONTRACT, job.settings.augmentation, 0)
    data = TrainingData(views, Batches(96, batch, 2, 0), labels, 0)
    return StudentGradients(student, teacher, data, job.settings, 0, Group("cpu")), student.module


def gradient(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([each.grad.flatten() for each in module.parameters() if each.grad is not None])


@pytest.mark.parametrize("weight", [0.0, 0.3])
@pytest.mark.parametrize("loss", ["kl", "hard", "nkd", "dist"])
def test_they_are_those_of_the_loss_on_the_images(tmp_path: Path, loss: Any, weight: float) -> None:
    gradients, module = gradients_of(tmp_path, teacher=TEACHER, loss=loss, label_weight=weight)
    value = gradients(0)
    found = gradient(module)
    job = small_job(tmp_path)
    images = torch.from_numpy(PreparedImages(job.images.samples, CONTRACT).array())
    labels = torch.tensor(job.images.labels)
    own, teacher = small_model(0, dropout=0.0).module.requires_grad_(True), small_model(1).module
    temperature = 3.0 if loss == "kl" else 1.0
    expected = distillation_loss(loss, own(images), teacher(images), labels, temperature, 1 - weight)
    expected.backward()  # type: ignore[no-untyped-call]
    assert value == pytest.approx(float(expected), rel=1e-4)
    assert torch.allclose(found, gradient(own), atol=1e-5)


def test_labels_alone_are_smoothed_where_that_is_asked_for(tmp_path: Path) -> None:
    gradients, _ = gradients_of(tmp_path, label_smoothing=0.2)
    job = small_job(tmp_path)
    images = torch.from_numpy(PreparedImages(job.images.samples, CONTRACT).array())
    hard = torch.nn.functional.one_hot(torch.tensor(job.images.labels), 10) * 0.8 + 0.02
    expected = label_loss(small_model(0).module(images), hard)
    assert gradients(0) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("mixed", [{"mixup": 0.5}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 1.0}])
def test_steps_are_the_same_again_also_with_mixed_images_of_an_odd_number(tmp_path: Path, mixed: Any) -> None:
    first, module = gradients_of(tmp_path, 33, augmentation={**NONE, **mixed}, teacher=TEACHER)
    values = [first(step) for step in range(4)]
    last = gradient(module)
    again, module = gradients_of(tmp_path, 33, augmentation={**NONE, **mixed}, teacher=TEACHER)
    assert again(3) == values[3]
    assert torch.equal(gradient(module), last)
    plain, _ = gradients_of(tmp_path, 33, teacher=TEACHER)
    assert plain(3) != values[3]


def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_precision("auto", "cpu") is torch.float32
    assert find_precision("bfloat16", "cpu") is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert find_precision("auto", "cuda") is torch.float16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert find_precision("auto", "cuda") is torch.bfloat16
    with pytest.raises(UsageError, match="float16 is for a CUDA GPU"):
        find_precision("float16", "cpu")


def test_bfloat16_rounds_the_forward_pass_alone(tmp_path: Path) -> None:
    exact, _ = gradients_of(tmp_path, teacher=TEACHER)
    rounded, module = gradients_of(tmp_path, teacher=TEACHER, precision="bfloat16")
    one, other = exact(0), rounded(0)
    assert one != other
    assert one == pytest.approx(other, rel=0.02)
    assert gradient(module).dtype == torch.float32


def test_gradients_of_float16_are_scaled_and_steps_that_overflow_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, with the same classes of torch."""
    monkeypatch.setattr("edgevit.distillation.student_gradients.find_precision", lambda *_: torch.float16)
    job = small_job(tmp_path, epochs=3)
    run_small(job)
    half = load_file(job.weights)
    monkeypatch.undo()
    run_small(job)
    exact = load_file(job.weights)
    assert all(torch.allclose(half[name], exact[name], atol=0.05) for name in exact)
    assert any(not torch.equal(half[name], exact[name]) for name in exact)
    gradients, module = gradients_of(tmp_path)
    gradients.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    training = Training(
        module.state_dict(keep_vars=True), [{"params": list(module.parameters())}], PLAN, gradients.scaler
    )
    training.look((1.0,))
    before = module.head.weight.detach().clone()  # type: ignore[union-attr, operator]

    def overflowing(step: int) -> float:
        loss = gradients(step)
        for parameter in module.parameters():
            assert parameter.grad is not None
            parameter.grad[...] = torch.inf
        return loss

    training.step(overflowing)
    assert torch.equal(module.head.weight, before)  # type: ignore[arg-type]
    assert gradients.scaler.get_scale() == 2.0**15
    assert training.done == 1
