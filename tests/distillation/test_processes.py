"""Several processes that train one model end with equal weights, which are those of a single process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("accelerate")

from edgevit.distillation import processes  # noqa: E402
from edgevit.distillation.distill import train_student  # noqa: E402
from edgevit.distillation.distill_job import Distilled, DistillJob  # noqa: E402
from edgevit.distillation.processes import Group, join_group, launched, run_in_processes  # noqa: E402
from edgevit.distillation.student import prepare_student  # noqa: E402
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from tests.distillation.small import elsewhere, small_job, small_model  # noqa: E402


def train(job: DistillJob) -> Distilled:
    """In each process: the weights of its own go into a file."""
    torch.set_num_threads(1)
    group = join_group("cpu")
    student = prepare_student(small_model(0, dropout=0.0), job.settings)
    found = train_student(job, student, small_model(1), group)
    torch.save(dict(student.module.state_dict()), job.weights.with_name(f"{group.rank}.pt"))
    return found


def fail(job: DistillJob) -> Distilled:
    train(replace(job, settings=job.settings.model_copy(update={"learning_rate": 1e30, "warmup_share": 0.5})))
    raise AssertionError("it did not fail")


def read(job: DistillJob, rank: int) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(job.weights.with_name(f"{rank}.pt"))
    return state


@pytest.mark.slow
def test_two_processes_end_with_equal_weights_that_are_those_of_one_with_the_same_batch(tmp_path: Path) -> None:
    """30 of 96 images make batches of 24, 12 for each process; labels, teacher and 40 images kept apart."""
    job = small_job(tmp_path, teacher={"name": "net1"}, epochs=3, batch_size=30, augmentation={"views": "affine"})
    one, two = elsewhere(job, tmp_path / "one"), elsewhere(job, tmp_path / "two")
    expected, found = train(one), run_in_processes(train, two, 2)
    first, second, alone = read(two, 0), read(two, 1), read(one, 0)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.allclose(first[name], alone[name], atol=1e-5) for name in alone)
    assert found.curve[-1].loss == pytest.approx(expected.curve[-1].loss, rel=1e-4)
    assert found.curve[-1].kept_loss == pytest.approx(expected.curve[-1].kept_loss, rel=1e-4)
    assert found.evaluated == expected.evaluated
    assert sorted(path.name for path in two.weights.parent.iterdir()) == [
        "0.pt",
        "1.pt",
        "log.csv",
        "weights.safetensors",
    ]


@pytest.mark.slow
def test_what_one_of_them_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(CandidateFailed, match="training stopped: the loss was nan"):
        run_in_processes(fail, small_job(tmp_path, teacher={"name": "net1"}), 2)


def test_one_process_exchanges_nothing() -> None:
    group, module = Group("cpu"), torch.nn.Linear(2, 2)
    assert group.wrap(module) is module
    assert group.mean(torch.tensor(3.0)) == 3.0
    assert group.sum(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]
    group.wait()


def test_a_launcher_says_which_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched() == (2, 4)


def test_several_processes_without_accelerate_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="need accelerate") as caught:
        run_in_processes(train, small_job(tmp_path), 2)
    assert "edgevit[train]" in str(caught.value.hint)
