"""The job that trains the model of a spec."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgevit.data.images import open_images, order_sha256
from edgevit.data.sampling import TuningImages
from edgevit.errors import UsageError
from edgevit.pipeline.distilling import distill_job, training_doubts
from edgevit.pipeline.model_inputs import open_model_of
from edgevit.run.executor import processors
from edgevit.spec.spec import Spec

DOCUMENT = {"model": {"name": "digits_vit"}, "data": {"train": "digits:train"}, "seed": 3}


def test_it_has_what_the_spec_says_and_the_labels_of_the_images() -> None:
    spec = Spec.model_validate({**DOCUMENT, "distill": {"epochs": 7, "accelerator": "cpu"}})
    images = open_images("digits:calibration")
    split = TuningImages(images.select(images.ids[:5]), images.select(images.ids[5:8]))
    test = open_images("digits")
    job = distill_job(spec, split, Path("w"), tokens="tome:8", evaluation=test, tensorboard=Path("t"))
    assert (job.student, job.settings, job.seed, job.tokens) == (spec.model, spec.distill, 3, "tome:8")
    assert (job.images.samples, job.images.labels) == (split.train.samples, split.train.labels)
    assert (job.kept.samples, job.kept.labels) == (split.kept.samples, split.kept.labels)
    assert job.evaluation is not None
    assert job.evaluation.labels == test.labels
    assert job.images_sha256 == order_sha256(split.train)
    assert (job.device, job.threads, job.weights, job.tensorboard) == ("cpu", processors(), Path("w"), Path("t"))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    spec = Spec.model_validate({**DOCUMENT, "distill": {"accelerator": "cuda"}})
    images = open_images("digits:calibration")
    with pytest.raises(UsageError, match="no cuda device"):
        distill_job(spec, TuningImages(images, images), Path("w"))


def test_too_few_images_for_a_vit_from_scratch_are_told() -> None:
    images = open_images("digits:calibration")
    split = TuningImages(images, images.select(images.ids[:5]))
    weights = {"name": "digits_vit", "random_weights": True}
    scratch, own = (
        Spec.model_validate({**DOCUMENT, "model": model, "distill": {}}) for model in (weights, DOCUMENT["model"])
    )
    (doubt,) = training_doubts(scratch, open_model_of(scratch), split)
    assert f"hopeless with {len(images):,} images" in doubt
    assert training_doubts(own, open_model_of(own), split) == ()
