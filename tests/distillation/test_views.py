"""Views have the size that the student takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from edgevit.distillation.finetune import finetune  # noqa: E402
from edgevit.distillation.finetune_job import FinetuneJob  # noqa: E402
from edgevit.distillation.views import read_pixels, resized  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.model.program.capture import save_program  # noqa: E402
from edgevit.model.program.trainable import capture_for_training  # noqa: E402
from edgevit.spec.token_plan import ResizePlan  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402

BATCH = 32
"""Views in a step of the jobs here."""


def test_pixels_are_those_of_the_images(job: FinetuneJob) -> None:
    found = read_pixels(job.images, [3, 0])
    assert found.shape == (2, 3, *job.images.preprocessing.input_size)
    assert torch.equal(found[1].permute(1, 2, 0), torch.from_numpy(job.images.read_pixels([0])[0]))


def test_views_of_the_right_size_stay_as_they_are() -> None:
    views = torch.rand(2, 3, 8, 8)
    assert resized(views, (8, 8)) is views
    assert resized(views, (4, 6)).shape == (2, 3, 4, 6)


@pytest.mark.slow
def test_a_student_of_smaller_images_has_views_of_its_own_size(job: FinetuneJob, digits: Model, tmp_path: Path) -> None:
    """Its program takes no others."""
    resized = resize(digits.module, ResizePlan("resolution", 16), digits.preprocessing.input_size)
    save_program(capture_for_training(resized.module, (16, 16)), tmp_path / "small.pt2")
    kept = replace(job.kept, preprocessing=replace(digits.preprocessing, input_size=(16, 16)))
    settings = replace(job.settings, images_seen=BATCH)
    found = finetune(replace(job, student=tmp_path / "small.pt2", kept_for_student=kept, settings=settings))
    assert found.curve[-1].images_seen == BATCH
