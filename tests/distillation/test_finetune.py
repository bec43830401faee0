"""Label-free fine-tuning: nearer to the teacher, repeatable, never worse, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402

from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.distillation.finetune import (  # noqa: E402
    Finetuned,
    FinetuneJob,
    FinetuneSettings,
    _Gradients,
    finetune,
    is_small,
    part_size,
)
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.load import Model, load_model  # noqa: E402
from edgevit.model.program.capture import load_program, save_program  # noqa: E402
from edgevit.model.program.trainable import Trainable, capture_for_training  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402
from edgevit.spec.token_plan import ResizePlan, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402

BATCH = 32
SETTINGS = FinetuneSettings(
    parameters="all",
    images_seen=20 * BATCH,
    learning_rate=3e-4,
    batch_size=BATCH,
    feature_weight=1.0,
    mixed_share=0.5,
    patience=10,
    max_seconds=36_000.0,
    threads=1,
    device="cpu",
    seed=0,
)


@pytest.fixture(scope="module")
def digits() -> Model:
    return load_model(ModelSpec(name="digits_vit"), seed=0)


@pytest.fixture(scope="module")
def programs(digits: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The dense model, one with a quarter of the tokens, and one of a single weight, captured for training."""
    folder, size = tmp_path_factory.mktemp("programs"), digits.preprocessing.input_size
    modules: dict[str, nn.Module] = {
        "dense": digits.module,
        "reduced": reduce_tokens(digits.module, parse_plan("evit:0.5@2,3")),
        "infinite": Infinite().eval(),
        "constant": Constant().eval(),
    }
    for name, module in modules.items():
        save_program(capture_for_training(module, size), folder / f"{name}.pt2")
    return {name: folder / f"{name}.pt2" for name in modules}


class Infinite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float("inf")))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10] * self.scale


class Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10]


@pytest.fixture
def job(digits: Model, programs: dict[str, Path], tmp_path: Path) -> Iterator[FinetuneJob]:
    ids = open_images("digits:train").ids
    images = PreparedImages(replace(open_images("digits:train").samples, ids=ids[:96]), digits.preprocessing)
    kept = PreparedImages(replace(images.samples, ids=ids[96:140]), digits.preprocessing)
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield FinetuneJob(
            programs["reduced"], programs["dense"], images, kept, kept, SETTINGS, tmp_path / "w.safetensors"
        )
    torch.set_num_threads(threads)


def before(found: Finetuned) -> float:
    """Divergence of the untuned student."""
    return found.curve[0].divergence


def after(found: Finetuned) -> float:
    """Divergence of the step whose weights were taken."""
    return min(point.divergence for point in found.curve)


def test_it_answers_more_like_its_teacher(job: FinetuneJob) -> None:
    found = finetune(job)
    assert after(found) < 0.8 * before(found)
    assert found.curve[0].images_seen == 0
    assert found.curve[-1].images_seen == 20 * BATCH
    assert found.images_seen == min(found.curve, key=lambda point: point.divergence).images_seen
    assert all(torch.isfinite(value).all() for value in load_file(found.weights).values())


@pytest.mark.slow
def test_one_seed_gives_equal_weights_whatever_the_number_of_threads(job: FinetuneJob, tmp_path: Path) -> None:
    short = replace(job, settings=replace(SETTINGS, images_seen=4 * BATCH))
    first = finetune(short)
    threaded = replace(short.settings, threads=3)
    again = finetune(replace(short, weights=tmp_path / "again.safetensors", settings=threaded))
    other = finetune(replace(short, weights=tmp_path / "o.safetensors", settings=replace(short.settings, seed=1)))
    assert first.weights.read_bytes() == again.weights.read_bytes()
    assert first.curve == again.curve
    assert first.curve != other.curve


def test_the_teacher_itself_has_nothing_to_learn(job: FinetuneJob, programs: dict[str, Path]) -> None:
    found = finetune(replace(job, student=programs["dense"], settings=replace(SETTINGS, images_seen=2 * BATCH)))
    assert abs(before(found)) < 1e-9  # KL(p, p) = 0
    assert found.images_seen == 0


@pytest.mark.slow
def test_the_cheap_rung_leaves_the_weights_of_layers_as_they_are(job: FinetuneJob, digits: Model) -> None:
    found = finetune(replace(job, settings=replace(SETTINGS, parameters="small", learning_rate=3e-3)))
    tuned = load_file(found.weights)
    dense = {f"vit.{name}": value for name, value in digits.module.named_parameters()}
    assert tuned.keys() == {name for name, value in dense.items() if is_small(value)}
    assert {"vit.cls_token", "vit.pos_embed", "vit.norm.weight", "vit.head.bias"} <= tuned.keys()
    assert "vit.head.weight" not in tuned
    assert any(not torch.equal(tuned[name], dense[name]) for name in tuned)
    assert after(found) < before(found)


def test_a_loss_that_explodes_leaves_the_last_good_weights(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(SETTINGS, learning_rate=1e20)))
    assert "the loss was" in found.note
    assert found.images_seen == 0
    assert all(torch.isfinite(value).all() for value in load_file(found.weights).values())


def test_predictions_that_are_infinite_at_once_are_an_error(job: FinetuneJob, programs: dict[str, Path]) -> None:
    with pytest.raises(CandidateFailed, match="the predictions of the untuned model are not finite"):
        finetune(replace(job, student=programs["infinite"]))


def test_a_model_without_parameters_is_refused(job: FinetuneJob, programs: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="no parameter to fine-tune"):
        finetune(replace(job, student=programs["constant"]))


@pytest.mark.slow
def test_it_stops_when_the_divergence_no_longer_falls(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(SETTINGS, learning_rate=1.0, patience=2)))
    assert found.note == "the divergence no longer fell"
    assert len(found.curve) == 3
    assert found.images_seen == 0


@pytest.mark.slow
def test_steps_become_fewer_where_time_is_short(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(SETTINGS, max_seconds=0.01)))
    assert found.curve[-1].images_seen == 3 * BATCH


@pytest.mark.slow
def test_a_student_of_smaller_images_has_views_of_its_own_size(job: FinetuneJob, digits: Model, tmp_path: Path) -> None:
    """Its program takes no others."""
    resized = resize(digits.module, ResizePlan("resolution", 16), digits.preprocessing.input_size)
    save_program(capture_for_training(resized.module, (16, 16)), tmp_path / "small.pt2")
    kept = replace(job.kept, preprocessing=replace(digits.preprocessing, input_size=(16, 16)))
    settings = replace(SETTINGS, images_seen=BATCH)
    found = finetune(replace(job, student=tmp_path / "small.pt2", kept_for_student=kept, settings=settings))
    assert found.curve[-1].images_seen == BATCH


def test_a_batch_is_computed_in_equal_parts() -> None:
    assert [part_size(size) for size in (64, 32, 20, 17, 7, 2)] == [16, 16, 10, 1, 7, 2]


def test_gradients_are_those_of_the_loss(job: FinetuneJob) -> None:
    """Against the finite difference of the loss along the gradient, on the same views."""
    teacher, student = (Trainable(load_program(job.teacher)) for _ in range(2))
    trained = list(student.parameters.values())
    for parameter in trained:
        parameter.mul_(1.02).requires_grad_(True)
    with ThreadPoolExecutor(2) as pool:
        gradients = _Gradients(teacher, student, trained, job, pool)

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


def test_one_that_was_stopped_goes_on_to_the_weights_of_an_unbroken_one(
    job: FinetuneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = replace(job, settings=replace(SETTINGS, images_seen=6 * BATCH))
    unbroken = finetune(job)
    again = replace(job, weights=tmp_path / "again" / "w.safetensors")
    again.weights.parent.mkdir()
    steps: list[int] = []

    def stop(step: int) -> None:
        steps.append(step)
        if step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edgevit.distillation.finetune.report_progress", lambda done, total, note: stop(done))
        with pytest.raises(KeyboardInterrupt):
            finetune(again)
    monkeypatch.setattr("edgevit.distillation.finetune.report_progress", lambda done, total, note: steps.append(done))
    found = finetune(again)
    assert steps == [1, 2, 3, 4, 4, 5, 6]  # it was stopped before it looked at the fourth
    assert found.curve == unbroken.curve
    assert found.weights.read_bytes() == unbroken.weights.read_bytes()
    assert [path.name for path in again.weights.parent.iterdir()] == ["w.safetensors"]
