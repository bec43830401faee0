"""Passes that change weights: what they change, and what they write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.distillation.distill_job import Distilled, DistillJob  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline import model_passes  # noqa: E402
from edgevit.pipeline.model_passes import run_model_passes  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_distillation_changes_a_copy_and_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[DistillJob] = []

    def trained_twice_as_large(job: DistillJob) -> Distilled:
        jobs.append(job)
        state = student.module.state_dict()
        save_file({name: 2 * value for name, value in state.items()}, job.weights)
        return Distilled(job.weights, 1, 1, 1.0, (), None)

    monkeypatch.setattr(executor, "run_in_child", run_here)
    monkeypatch.setattr(
        model_passes,
        "distill_task",
        lambda job: Task(trained_twice_as_large, job, Distilled, lambda made: (made.weights,)),
    )
    document = {
        "model": {"name": "m"},
        "data": {"train": "noise:8"},
        "distill": {"teacher": {"name": "t"}, "learning_rate": 0.01},
    }
    spec = Spec.model_validate(document)
    student, teacher = (Model(name, small_vit(depth=1), CONTRACT, 5, random_weights=False) for name in "mt")
    before = {name: value.clone() for name, value in student.module.state_dict().items()}
    images = noise(8, (0, 1, 2, 3, 4, 0, 1, 2))
    inputs = make_inputs(
        spec,
        model=student,
        teacher=teacher,
        training_images=TuningImages(images.select(images.ids[:6]), images.select(images.ids[6:])),
        data=RunData(noise(4, (0, 1, 2, 3)), None),
    )
    threads = torch.get_num_threads()
    context = make_context(inputs, tmp_path, np.eye(4, 5, dtype=np.float32))
    with context.stages.folder:
        trained = run_model_passes(context)
        again = run_model_passes(context)
        assert [stage.name for stage in context.stages.folder.stages].count("distill") == 1
    torch.set_num_threads(threads)
    (job,) = jobs
    assert (job.images.labels, job.kept.labels) == ((0, 1, 2, 3, 4, 0), (1, 2))
    assert (job.settings.learning_rate, job.tokens, job.evaluation) == (0.01, "none", None)
    assert all(torch.equal(before[name], value) for name, value in student.module.state_dict().items())
    changed = trained.module.state_dict()
    assert all(torch.equal(2 * before[name], value) for name, value in changed.items())
    assert all(torch.equal(changed[name], value) for name, value in again.module.state_dict().items())
    (record,) = trained.dense.passes
    assert (record.name, record.settings, record.top1_after) == ("distill", "teacher t", trained.snapshot.top1)
    assert (trained.dense.slug, trained.dense.reference) == ("dense", trained.snapshot.logits)


def test_without_distillation_the_model_is_the_original(tmp_path: Path) -> None:
    inputs = make_inputs(Spec.model_validate({"model": {"name": "m"}}))
    context = make_context(inputs, tmp_path, np.eye(4, dtype=np.float32))
    trained = run_model_passes(context)
    assert trained.module is inputs.model.module
    assert trained.snapshot is context.original
    assert trained.dense.passes == ()
