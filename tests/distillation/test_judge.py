"""The divergence of a student from its teacher on the images kept apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from edgevit.distillation import judge as judging  # noqa: E402
from edgevit.distillation.finetune_job import FinetuneJob  # noqa: E402
from edgevit.distillation.judge import Judge  # noqa: E402
from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.model.program.trainable import Trainable  # noqa: E402


def divergence(job: FinetuneJob) -> float:
    teacher, student = Trainable(load_program(job.teacher)), Trainable(load_program(job.student))
    with ThreadPoolExecutor(2) as pool:
        return Judge(teacher, student, job, pool).divergence()


def test_a_teacher_does_not_differ_from_itself(job: FinetuneJob) -> None:
    assert abs(divergence(replace(job, student=job.teacher))) < 1e-9  # KL(p, p) = 0


def test_without_crops_it_is_that_of_the_images(job: FinetuneJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_LEAST_JUDGED", len(job.kept))
    images = torch.from_numpy(job.kept.array())
    with torch.no_grad():
        expected, found = (
            Trainable(load_program(path))(images).logits.double().log_softmax(1) for path in (job.teacher, job.student)
        )
    divergences = (expected.exp() * (expected - found)).sum(1)
    assert divergence(job) == pytest.approx(float(divergences.mean()), rel=1e-4)


def test_few_images_are_seen_in_crops_too_which_a_seed_gives(job: FinetuneJob, monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(job, kept=job.kept.select(range(8)), kept_for_student=job.kept.select(range(8)))
    monkeypatch.setattr(judging, "_LEAST_JUDGED", 8)
    whole = divergence(few)
    monkeypatch.setattr(judging, "_LEAST_JUDGED", 20)
    cropped = divergence(few)
    assert cropped != whole
    assert divergence(few) == cropped
    assert divergence(replace(few, settings=replace(few.settings, seed=1))) != cropped
