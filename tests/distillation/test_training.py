"""The steps of a training: bounded in time, ended when nothing more is gained, and never beyond the last good weights."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from safetensors.torch import load_file  # noqa: E402

from edgevit.distillation.finetune import finetune  # noqa: E402
from edgevit.distillation.finetune_job import FinetuneJob  # noqa: E402
from edgevit.distillation.training import Training  # noqa: E402

BATCH = 32
"""Views in a step of the jobs here."""


def test_a_loss_that_explodes_leaves_the_last_good_weights(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, learning_rate=1e20)))
    assert "the loss was" in found.note
    assert found.images_seen == 0
    assert all(torch.isfinite(value).all() for value in load_file(found.weights).values())


@pytest.mark.slow
def test_it_stops_when_the_divergence_no_longer_falls(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, learning_rate=1.0, patience=2)))
    assert found.note == "the divergence no longer fell"
    assert len(found.curve) == 3
    assert found.images_seen == 0


@pytest.mark.slow
def test_steps_become_fewer_where_time_is_short(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, max_seconds=0.01)))
    assert found.curve[-1].images_seen == 3 * BATCH


def test_the_first_step_does_not_count_in_what_the_time_allows(
    job: FinetuneJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 60.0, 62.0])  # begun, the first step ended, the third did
    monkeypatch.setattr("edgevit.distillation.training.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    settings = replace(job.settings, images_seen=1_000 * BATCH, batch_size=BATCH, max_seconds=72.0)
    training = Training({"bias": torch.nn.Parameter(torch.zeros(2))}, settings)
    training.curve.append((0, 1.0))
    for _ in range(3):
        training.step(lambda step: 1.0)
    assert training.total == 3 + 10  # ten seconds at one a step
