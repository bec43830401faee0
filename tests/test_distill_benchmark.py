"""The benchmark of distillation compares like with like, and adds up what it is to add up; in miniature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("torch")

from benchmarks.distill import Asked, Pair, Training, digits, with_and_without, write_images


@dataclass(frozen=True)
class Recorded(Asked):
    """Trains nothing: a student with a teacher comes out 10 points better, one of a later seed 1 point."""

    trained: list[Training] = field(default_factory=list)

    def train(self, trainings: Sequence[Training]) -> list[Any]:
        self.trained.extend(trainings)
        scores = [0.5 + 0.1 * ("teacher" in each.settings) + 0.01 * each.seed for each in trainings]
        after = [SimpleNamespace(after=SimpleNamespace(top1=score)) for score in scores]
        return [SimpleNamespace(seconds=60.0, evaluation=each) for each in after]


def _asked(kind: type[Asked], out: Path) -> Any:
    return kind(out, data=None, seeds=None, epochs=None, teacher_epochs=None, accelerator="cpu")


def test_students_differ_in_their_teacher_and_its_loss_alone(tmp_path: Path) -> None:
    asked = _asked(Recorded, tmp_path)
    digits(asked)
    without, taught = asked.trained[:3], asked.trained[3:]
    assert [each.seed for each in without] == [each.seed for each in taught] == [3, 4, 5]
    for one, other in zip(without, taught, strict=True):
        assert one.model == other.model
        assert {key: value for key, value in other.settings.items() if key not in ("teacher", "loss")} == one.settings


def test_the_gain_is_that_of_the_means(tmp_path: Path) -> None:
    asked = _asked(Recorded, tmp_path)
    pair = Pair("pair", {"name": "student"}, {"name": "teacher"}, {}, {"epochs": 2}, {"loss": "nkd"}, range(2))
    rows = with_and_without(asked, pair, "≥ 2 pt")
    student = {"name": "student", "random_weights": True}
    assert asked.trained[0] == Training("pair-labels-0", student, {}, {"epochs": 2}, 0)
    assert asked.trained[3].settings == {"epochs": 2, "loss": "nkd", "teacher": {"name": "teacher"}}
    assert rows == [
        ("pair", "labels alone", "50.5 % (50.0 %, 51.0 %)", "2 min 00 s", ""),
        ("pair", "teacher and labels: +10.0 pt", "60.5 % (60.0 %, 61.0 %)", "2 min 00 s", "≥ 2 pt"),
    ]


@pytest.mark.slow
def test_models_are_trained_by_the_command_and_read_back(tmp_path: Path) -> None:
    model = {"name": "digits_cnn", "random_weights": True}
    sources = {"train": "digits:train", "evaluation": "digits:calibration"}
    trainings = [Training(f"cnn-{seed}", model, sources, {"epochs": 1}, seed) for seed in (0, 1)]
    asked = _asked(Asked, tmp_path)
    reports = asked.train(trainings)
    assert [report.spec["seed"] for report in reports] == [0, 1]
    assert reports[0].weights_sha256 != reports[1].weights_sha256
    assert asked.train(trainings) == reports


def test_many_images_are_links_to_few(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 60, 20, seed=0)
    files = sorted((tmp_path / "images").rglob("*.jpg"), key=lambda file: file.name)
    assert len(files) == 60
    assert len({file.stat().st_ino for file in files}) == len({file.read_bytes() for file in files}) == 20
    assert {file.parent.name for file in files} == {f"class-{number}" for number in range(10)}
    assert all(Image.open(file).size == (224, 224) for file in files[:20])
    other = tmp_path / "others"
    write_images(other, 20, 20, seed=1)
    assert not {file.read_bytes() for file in files} & {file.read_bytes() for file in other.rglob("*.jpg")}


def test_models_of_the_benchmark_take_what_they_are_trained_on() -> None:
    import torch

    from benchmarks import distill_models

    for factory, tokens in (
        (distill_models.digits_vit_of_64_patches, 65),
        (distill_models.cifar_vit, 65), (distill_models.cifar_cnn, None),
    ):  # fmt: skip
        net: Any = factory().eval()
        with torch.no_grad():
            assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
        assert net.pretrained_cfg["input_size"] == (3, 32, 32)
        assert tokens is None or net.pos_embed.shape[1] == tokens
