"""Training on a teacher, on labels, or on both: what it changes, what it keeps, and where it goes on."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402

from edgevit.distillation import distill as distilling  # noqa: E402
from edgevit.distillation.distill import LAST_GOOD  # noqa: E402
from edgevit.distillation.distill_job import DistillJob  # noqa: E402
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from tests.distillation.small import elsewhere, run_small, small_job, small_model  # noqa: E402

TEACHER = {"name": "net1"}

pytestmark = pytest.mark.usefixtures("one_thread")


def weights_of(job: DistillJob) -> dict[str, Any]:
    return load_file(job.weights)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_labels_alone_are_learned(tmp_path: Path) -> None:
    job = small_job(tmp_path, epochs=40)
    found, student = run_small(job)
    assert found.evaluated is not None
    assert found.evaluated.after.top1 > found.evaluated.before.top1 + 0.3
    assert found.evaluated.teacher is None
    assert found.evaluated.gain.low > 0
    assert (found.steps, len(found.curve)) == (120, 41)
    best = max(point.kept_top1 for point in found.curve)  # type: ignore[type-var]
    assert next(point.kept_top1 for point in found.curve if point.step == found.best_step) == best
    assert same(weights_of(job), dict(student.module.state_dict()))
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [int(row["step"]) for row in rows] == [point.step for point in found.curve]
    assert not job.weights.with_suffix(".checkpoint").exists()


@pytest.mark.parametrize("loss", ["kl", "hard", "nkd", "dist"])
def test_the_teacher_alone_is_learned_without_labels(tmp_path: Path, loss: str) -> None:
    job = small_job(tmp_path, teacher=TEACHER, loss=loss, use_labels="never", epochs=20)
    found, _ = run_small(job, teacher=small_model(1))
    assert found.curve[-1].kept_top1 is None
    first, last = found.curve[1].loss, found.curve[-1].loss
    assert first is not None and last is not None and last < first
    if loss == "kl":
        assert min(point.kept_loss for point in found.curve) < 0.7 * found.curve[0].kept_loss


def test_labels_that_are_not_used_change_nothing(tmp_path: Path) -> None:
    job = small_job(tmp_path, teacher=TEACHER, use_labels="never")
    run_small(job, teacher=small_model(1))
    before = weights_of(job)
    job = elsewhere(replace(job, images=replace(job.images, labels=None)), tmp_path / "again")
    run_small(job, teacher=small_model(1))
    assert same(before, weights_of(job))
    job = elsewhere(small_job(tmp_path, teacher=TEACHER), tmp_path / "labels")
    run_small(job, teacher=small_model(1))
    assert not same(before, weights_of(job))


def test_the_teacher_stays_as_it_is_and_so_does_its_batch_normalization(tmp_path: Path) -> None:
    teacher = small_model(1, norm=True)
    before = {name: value.clone() for name, value in teacher.module.state_dict().items()}
    run_small(small_job(tmp_path, teacher=TEACHER), small_model(0, norm=True), teacher)
    assert same(before, dict(teacher.module.state_dict()))
    assert not teacher.module.training


def test_one_seed_gives_one_result(tmp_path: Path) -> None:
    jobs = [elsewhere(small_job(tmp_path), tmp_path / name) for name in "ab"]
    jobs.append(elsewhere(replace(small_job(tmp_path), seed=1), tmp_path / "c"))
    for job in jobs:
        run_small(job)
    assert same(weights_of(jobs[0]), weights_of(jobs[1]))
    assert not same(weights_of(jobs[0]), weights_of(jobs[2]))


@pytest.mark.parametrize("stop_at", [4, 6])
def test_one_that_was_stopped_goes_on_to_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """Dropout, batch statistics, the order of the images and their views included."""
    job = small_job(tmp_path, epochs=3, augmentation={"views": "affine", "mixup": 0.2})
    unbroken, _ = run_small(job, small_model(0, norm=True))
    again = elsewhere(job, tmp_path / "again")
    steps: list[int] = []

    def report(done: int, total: int, note: str) -> None:
        steps.append(done)
        if steps.count(stop_at) == 1 and done == stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr("edgevit.distillation.training.report_progress", report)
    with pytest.raises(KeyboardInterrupt):
        run_small(again, small_model(0, norm=True))
    assert again.weights.with_suffix(".checkpoint").exists()
    found, _ = run_small(again, small_model(0, norm=True))
    began = 3 * ((stop_at - 1) // 3)
    assert steps == [*range(1, stop_at + 1), *range(began + 1, 10)]
    assert found.curve == unbroken.curve
    assert same(weights_of(again), weights_of(job))


def test_a_checkpoint_of_another_teacher_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = small_job(tmp_path, teacher=TEACHER, epochs=3)
    with monkeypatch.context() as patched:

        def stop(done: int, total: int, note: str) -> None:
            if done == 7:
                raise KeyboardInterrupt

        patched.setattr("edgevit.distillation.training.report_progress", stop)
        with pytest.raises(KeyboardInterrupt):
            run_small(job, teacher=small_model(1))
    steps: list[int] = []
    monkeypatch.setattr("edgevit.distillation.training.report_progress", lambda done, *_: steps.append(done))
    run_small(job, teacher=small_model(2))
    assert steps[0] == 1


def test_a_loss_that_is_not_finite_stops_it_and_leaves_the_last_good_weights_and_checkpoint(tmp_path: Path) -> None:
    job = small_job(tmp_path, epochs=3, learning_rate=1e30, warmup_share=0.5)
    with pytest.raises(CandidateFailed, match="training stopped: the loss was nan") as caught:
        run_small(job)
    assert "learning rate" in str(caught.value.hint)
    assert not job.weights.exists()
    kept = load_file(tmp_path / LAST_GOOD)
    assert all(value.isfinite().all() for value in kept.values())
    assert LAST_GOOD in caught.value.message


def test_it_stops_when_nothing_is_gained_any_more(tmp_path: Path) -> None:
    found, _ = run_small(small_job(tmp_path, epochs=50, learning_rate=1e-9, patience=2))
    assert len(found.curve) == 3 + (found.best_step > 0)
    assert found.notes == ("no better on the images kept apart in 2 looks",)


def test_branches_are_not_scored_on_what_is_evaluated(tmp_path: Path) -> None:
    """The images to evaluate on choose nothing."""
    job = small_job(tmp_path)
    run_small(job)
    other = elsewhere(replace(job, evaluation=None), tmp_path / "none")
    found, _ = run_small(other)
    assert found.evaluated is None
    assert same(weights_of(job), weights_of(other))


def test_a_student_with_nothing_to_train_is_refused(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    student = distilling.prepare_student(small_model(0), job.settings)
    student.module.requires_grad_(False)
    with pytest.raises(UsageError, match="no parameter to train"):
        distilling.train_student(job, student, None, distilling.Group("cpu"))


def test_the_teacher_cache_is_replayed_exactly(tmp_path: Path) -> None:
    job = small_job(tmp_path, teacher=TEACHER, teacher_cache=str(tmp_path / "cache"), augmentation={"views": "affine"})
    teacher = small_model(1)
    run_small(job, teacher=teacher)
    first, again = weights_of(job), elsewhere(job, tmp_path / "again")

    class Silenced(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) == 32:
                raise AssertionError("the teacher is asked again")
            return teacher.module(images)  # type: ignore[no-any-return]

    silenced = Silenced()
    silenced.state_dict = teacher.module.state_dict  # type: ignore[method-assign]
    run_small(again, teacher=replace(teacher, module=silenced))
    assert same(first, weights_of(again))


def test_features_are_matched_where_they_are_equally_wide(tmp_path: Path) -> None:
    job = small_job(tmp_path, teacher=TEACHER, feature_weight=1.0)
    run_small(job, teacher=small_model(1))
    with_features = weights_of(job)
    job = elsewhere(small_job(tmp_path, teacher=TEACHER), tmp_path / "without")
    run_small(job, teacher=small_model(1))
    assert not same(with_features, weights_of(job))
    with pytest.raises(UsageError, match=r"no features of one shape: \[12\] of the last layer, and \[20\]"):
        run_small(small_job(tmp_path, teacher=TEACHER, feature_weight=1.0), teacher=small_model(1, width=20))


def test_the_curve_begins_before_the_first_step(tmp_path: Path) -> None:
    found, _ = run_small(small_job(tmp_path))
    first, last = found.curve[0], found.curve[-1]
    assert (first.step, first.epoch, first.loss, first.learning_rate) == (0, 0.0, None, 0.0)
    assert (last.step, last.epoch) == (6, 2.0)
    assert last.loss is not None
    assert math.isfinite(last.loss)
