"""Stored predictions: they add up, are replayed bit for bit, and are taken for nothing but what they were made of."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from edgevit.distillation.teacher_cache import CacheKey, TeacherCache, dense, size_bytes, top_logits  # noqa: E402
from edgevit.errors import DiskFull, UsageError  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402

CONTRACT = Preprocessing((8, 8), (0.5,) * 3, (0.5,) * 3)
KEY = CacheKey("teacher", "a" * 64, CONTRACT, "b" * 64, images=10, views="8x8 seed 0", classes=20, kept=5)
PLACES = np.array([7, 0, 3], np.int64)


def _logits(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


class _Teacher:
    """Answers with logits that differ from call to call, as those of no real teacher may."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Tensor:
        self.calls += 1
        return _logits(3, 20, seed=self.calls)


@pytest.mark.parametrize(("classes", "kept"), [(20, 5), (20, 19), (20, 20), (1000, 100)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e6])
def test_stored_probabilities_add_up_to_one(classes: int, kept: int, scale: float) -> None:
    found = dense(top_logits(_logits(6, classes, scale=scale), kept), classes)
    assert torch.isfinite(found).all()
    assert torch.allclose(found.exp().sum(dim=1), torch.ones(6), atol=1e-5)


def test_kept_classes_have_their_probability_and_the_others_equal_parts_of_the_rest() -> None:
    logits = _logits(6, 20)
    expected, found = logits.softmax(dim=1), dense(top_logits(logits, 5), 20).exp()
    order = logits.argsort(dim=1, descending=True)
    kept, others = order[:, :5], order[:, 5:]
    assert torch.allclose(found.gather(1, kept), expected.gather(1, kept), rtol=0.01)  # float16
    parts = found.gather(1, others)
    assert torch.equal(parts, parts[:, :1].expand_as(parts))
    assert torch.allclose(parts.sum(dim=1), expected.gather(1, others).sum(dim=1), rtol=0.01)
    assert torch.allclose(dense(top_logits(logits, 20), 20).exp(), expected, rtol=0.01)


def test_a_replay_is_bit_identical_and_asks_the_teacher_for_nothing(tmp_path: Path) -> None:
    teacher = _Teacher()
    written = TeacherCache(tmp_path, KEY, 2).predictions(1, PLACES, teacher)
    again = TeacherCache(tmp_path, KEY, 2)  # as another run would
    assert torch.equal(again.predictions(1, PLACES, teacher), written)
    assert torch.equal(again.predictions(1, PLACES[::-1], teacher), written.flip(0))
    assert teacher.calls == 1
    assert not torch.equal(again.predictions(0, PLACES, teacher), written)  # another epoch, other views
    assert teacher.calls == 2


def test_a_batch_that_is_half_there_keeps_what_is_stored(tmp_path: Path) -> None:
    teacher = _Teacher()
    cache = TeacherCache(tmp_path, KEY, 1)
    first = cache.predictions(0, PLACES, teacher)
    mixed = cache.predictions(0, np.array([7, 1, 3]), teacher)
    assert torch.equal(mixed[[0, 2]], first[[0, 2]])
    assert torch.equal(mixed[1:2], dense(top_logits(_logits(3, 20, seed=2)[1:2], 5), 20))
    assert teacher.calls == 2


@pytest.mark.parametrize(
    "change",
    [
        {"teacher_sha256": "c" * 64}, {"images_sha256": "c" * 64}, {"views": "8x8 seed 1"}, {"kept": 6},
        {"preprocessing": dataclasses.replace(CONTRACT, interpolation="bilinear")}, {"teacher": "other"},
    ],
)  # fmt: skip
def test_predictions_of_another_teacher_or_data_are_not_taken(tmp_path: Path, change: dict[str, Any]) -> None:
    teacher = _Teacher()
    TeacherCache(tmp_path, KEY, 1).predictions(0, PLACES, teacher)
    TeacherCache(tmp_path, dataclasses.replace(KEY, **change), 1).predictions(0, PLACES, teacher)
    assert teacher.calls == 2


def test_a_folder_that_was_moved_is_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(KEY, views="others")
    mine, theirs = TeacherCache(tmp_path / "a", KEY, 1).folder, TeacherCache(tmp_path / "b", other, 1).folder
    theirs.rename(mine.parent / "kept")
    mine.rename(mine.with_name("old"))
    (mine.parent / "kept").rename(mine)
    with pytest.raises(UsageError, match="another teacher"):
        TeacherCache(tmp_path / "a", KEY, 1)
    (mine / "key.json").write_text("{")
    with pytest.raises(UsageError, match=r"key\.json is not the key"):
        TeacherCache(tmp_path / "a", KEY, 1)


def test_a_damaged_record_is_asked_for_again(tmp_path: Path) -> None:
    teacher = _Teacher()
    cache = TeacherCache(tmp_path, KEY, 1)
    cache.predictions(0, PLACES, teacher)
    (file,) = cache.folder.glob("epoch-*.bin")
    content = bytearray(file.read_bytes())
    content[size_bytes(KEY, 1) // 10 * 7] ^= 1  # of the image at place 7
    file.write_bytes(content)
    TeacherCache(tmp_path, KEY, 1).predictions(0, PLACES[1:], lambda: pytest.fail("these are whole"))
    TeacherCache(tmp_path, KEY, 1).predictions(0, PLACES, teacher)
    assert teacher.calls == 2


def test_the_size_is_told_before_anything_is_written(tmp_path: Path) -> None:
    cache = TeacherCache(tmp_path, KEY, 3)
    for epoch in range(3):
        cache.predictions(epoch, PLACES, _Teacher())
    assert sum(file.stat().st_size for file in cache.folder.glob("epoch-*.bin")) == size_bytes(KEY, 3)
    imagenet = dataclasses.replace(KEY, images=50_000, classes=1000, kept=100)
    assert size_bytes(imagenet, 1) == 50_000 * (100 * (2 + 2) + 2 + 4)


def test_without_room_it_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    huge = dataclasses.replace(KEY, images=10**12, classes=1000, kept=100)
    with pytest.raises(DiskFull, match="GB") as caught:
        TeacherCache(tmp_path / "cache", huge, 100)
    assert caught.value.hint
    assert not (tmp_path / "cache").exists()


def test_predictions_that_are_not_finite_are_not_stored(tmp_path: Path) -> None:
    cache = TeacherCache(tmp_path, KEY, 1)
    with pytest.raises(UsageError, match="not finite"):
        cache.predictions(0, PLACES, lambda: torch.full((3, 20), float("nan")))
    cache.predictions(0, PLACES, _Teacher())


def test_classes_beyond_16_bits_are_stored_too(tmp_path: Path) -> None:
    many = dataclasses.replace(KEY, classes=70_000)
    logits = torch.zeros(1, 70_000)
    logits[0, 69_999] = 20.0
    found = TeacherCache(tmp_path, many, 1).predictions(0, np.array([4]), lambda: logits)
    assert int(found.argmax()) == 69_999


_WRITER = """
import sys, time
from pathlib import Path
import numpy as np, torch
from edgevit.distillation.teacher_cache import TeacherCache
from tests.distillation.test_teacher_cache import KEY, _logits
cache = TeacherCache(Path(sys.argv[1]), KEY, 1)
cache.predictions(0, np.array([7, 0, 3]), lambda: _logits(3, 20, seed=1))
print("written", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_what_a_killed_run_stored_is_there_for_the_next(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path], stdout=subprocess.PIPE, env=environment) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"written\n"
        run.kill()
    found = TeacherCache(tmp_path, KEY, 1).predictions(0, PLACES, lambda: pytest.fail("all are stored"))
    assert torch.equal(found, dense(top_logits(_logits(3, 20, seed=1), 5), 20))
