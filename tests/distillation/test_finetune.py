"""Label-free fine-tuning: nearer to the teacher, repeatable, never worse, and bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from safetensors.torch import load_file  # noqa: E402

from edgevit.distillation.finetune import finetune  # noqa: E402
from edgevit.distillation.finetune_job import Finetuned, FinetuneJob  # noqa: E402
from edgevit.distillation.parameters import is_small  # noqa: E402
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402

BATCH = 32
"""Views in a step of the jobs here."""


def before(found: Finetuned) -> float:
    """Divergence of the untuned student."""
    return found.curve[0].divergence


def after(found: Finetuned) -> float:
    """Divergence of the step whose weights were taken."""
    return min(point.divergence for point in found.curve)


@pytest.mark.slow
def test_it_answers_more_like_its_teacher(job: FinetuneJob) -> None:
    found = finetune(job)
    assert after(found) < 0.8 * before(found)
    assert found.curve[0].images_seen == 0
    assert found.curve[-1].images_seen == 20 * BATCH
    assert found.images_seen == min(found.curve, key=lambda point: point.divergence).images_seen
    assert all(torch.isfinite(value).all() for value in load_file(found.weights).values())


@pytest.mark.slow
def test_one_seed_gives_equal_weights_whatever_the_number_of_threads(job: FinetuneJob, tmp_path: Path) -> None:
    short = replace(job, settings=replace(job.settings, images_seen=4 * BATCH))
    first = finetune(short)
    threaded = replace(short.settings, threads=3)
    again = finetune(replace(short, weights=tmp_path / "again.safetensors", settings=threaded))
    other = finetune(replace(short, weights=tmp_path / "o.safetensors", settings=replace(short.settings, seed=1)))
    assert first.weights.read_bytes() == again.weights.read_bytes()
    assert first.curve == again.curve
    assert first.curve != other.curve


@pytest.mark.slow
def test_the_teacher_itself_has_nothing_to_learn(job: FinetuneJob, programs: dict[str, Path]) -> None:
    found = finetune(replace(job, student=programs["dense"], settings=replace(job.settings, images_seen=2 * BATCH)))
    assert abs(before(found)) < 1e-9  # KL(p, p) = 0
    assert found.images_seen == 0


@pytest.mark.slow
def test_the_cheap_rung_leaves_the_weights_of_layers_as_they_are(job: FinetuneJob, digits: Model) -> None:
    found = finetune(replace(job, settings=replace(job.settings, parameters="small", learning_rate=3e-3)))
    tuned = load_file(found.weights)
    dense = {f"vit.{name}": value for name, value in digits.module.named_parameters()}
    assert tuned.keys() == {name for name, value in dense.items() if is_small(value)}
    assert {"vit.cls_token", "vit.pos_embed", "vit.norm.weight", "vit.head.bias"} <= tuned.keys()
    assert "vit.head.weight" not in tuned
    assert any(not torch.equal(tuned[name], dense[name]) for name in tuned)
    assert after(found) < before(found)


def test_predictions_that_are_infinite_at_once_are_an_error(job: FinetuneJob, programs: dict[str, Path]) -> None:
    with pytest.raises(CandidateFailed, match="the predictions are not finite before its first step"):
        finetune(replace(job, student=programs["infinite"]))


def test_a_model_without_parameters_is_refused(job: FinetuneJob, programs: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="no parameter to fine-tune"):
        finetune(replace(job, student=programs["constant"]))


@pytest.mark.slow
def test_one_that_was_stopped_goes_on_to_the_weights_of_an_unbroken_one(
    job: FinetuneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, settings=replace(job.settings, images_seen=6 * BATCH))
    unbroken = finetune(job)
    again = replace(job, weights=tmp_path / "again" / "w.safetensors")
    again.weights.parent.mkdir()
    steps: list[int] = []

    def stop(step: int) -> None:
        steps.append(step)
        if step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edgevit.distillation.training.report_progress", lambda done, total, note: stop(done))
        with pytest.raises(KeyboardInterrupt):
            finetune(again)
    monkeypatch.setattr("edgevit.distillation.training.report_progress", lambda done, total, note: steps.append(done))
    found = finetune(again)
    assert steps == [1, 2, 3, 4, 4, 5, 6]  # it was stopped before it looked at the fourth
    assert found.curve == unbroken.curve
    assert found.weights.read_bytes() == unbroken.weights.read_bytes()
    assert [path.name for path in again.weights.parent.iterdir()] == ["w.safetensors"]
