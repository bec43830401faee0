"""Which images a run takes, and what is checked before it takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.data.images import open_images
from edgevit.data.sampling import check_images, choose_data, refuse_overlap, split_for_tuning
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from tests.data.pictures import save

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def ignore(done: int, total: int) -> None:
    """Progress callback that ignores what it is told."""


def test_every_broken_image_is_named(classes: Path) -> None:
    (classes / "a" / "0.png").write_bytes(b"not an image")
    whole = (classes / "b" / "1.png").read_bytes()
    (classes / "b" / "1.png").write_bytes(whole[: len(whole) // 2])
    (classes / "c" / "1.png").write_bytes(b"")
    with pytest.raises(UsageError, match="3 broken images") as caught:
        check_images(open_images(str(classes)), 3, CONTRACT, ignore)
    assert all(name in caught.value.message for name in ("a/0.png", "b/1.png", "c/1.png"))
    assert "a/1.png" not in caught.value.message


def test_labels_outside_the_model_are_refused_before_any_image_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 10]))
    with pytest.raises(UsageError, match=r"label 10 is outside the model's 10 classes \(0 to 9\)"):
        check_images(
            open_images(str(tmp_path / "a.npz")), 10, CONTRACT, lambda done, total: pytest.fail("an image was read")
        )
    check_images(open_images(str(tmp_path / "a.npz")), 11, CONTRACT, ignore)


def test_progress_reaches_the_end(classes: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_images(open_images(str(classes)), 3, CONTRACT, lambda done, total: seen.append((done, total)))
    assert seen == [(number, 9) for number in range(1, 10)]


@pytest.fixture
def many(tmp_path: Path) -> str:
    """Of class 0, 1 and 2: 20, 40 and 60 different images."""
    pixels = np.arange(120 * 16, dtype=np.int64).reshape(120, 4, 4)
    np.savez(tmp_path / "many.npz", images=(pixels % 251).astype(np.uint8), labels=np.repeat([0, 1, 2], [20, 40, 60]))
    return str(tmp_path / "many.npz")


@pytest.mark.parametrize("share", ["20%", "5 %", "12.5%", "50%"])
def test_a_percentage_holds_out_that_part_of_every_class(many: str, share: str) -> None:
    data = choose_data(many, share, None, None, 0)
    assert data.evaluation is not None and data.calibration is not None
    fraction = float(share.rstrip(" %")) / 100
    for label, count in ((0, 20), (1, 40), (2, 60)):
        assert data.calibration.labels is not None and data.evaluation.labels is not None
        assert data.calibration.labels.count(label) == round(fraction * count)
        assert data.evaluation.labels.count(label) == count - round(fraction * count)
    assert not set(data.evaluation.ids) & set(data.calibration.ids)
    again = choose_data(many, share, None, None, 0)
    assert again.calibration is not None and again.calibration.ids == data.calibration.ids
    other = choose_data(many, share, None, None, 1)
    assert other.calibration is not None and other.calibration.ids != data.calibration.ids


@pytest.mark.parametrize(
    ("calibration", "message"),
    [("0%", "cannot hold out"), ("100%", "cannot hold out"), ("250%", "cannot hold out"), ("0.1%", "one side of the split empty"),
     ("-5%", "no such image source")],
)  # fmt: skip
def test_a_split_that_leaves_nothing_is_refused(many: str, calibration: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_data(many, calibration, None, None, 0)


def test_a_percentage_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="there are none"):
        choose_data(None, "20%", None, None, 0)


def test_samples_are_chosen_by_the_seed(many: str) -> None:
    first, same, other = (choose_data(many, None, 30, None, seed).evaluation for seed in (0, 0, 1))
    assert first is not None and same is not None and other is not None
    assert len(first) == 30
    assert first.ids == same.ids != other.ids
    everything = choose_data(many, None, None, None, 0).evaluation
    assert everything is not None and len(everything) == 120


def test_the_default_is_128_calibration_images_or_all(tmp_path: Path, many: str) -> None:
    np.savez(tmp_path / "lots.npz", images=np.random.default_rng(0).integers(0, 256, (200, 4, 4), dtype=np.uint8))
    lots = choose_data(None, str(tmp_path / "lots.npz"), None, None, 0).calibration
    few = choose_data(None, many, None, None, 0).calibration
    assert lots is not None and few is not None
    assert (len(lots), len(few)) == (128, 120)


@pytest.mark.parametrize(
    ("samples", "calibration_samples", "message"),
    [(121, None, "121 evaluation images were asked for"), (None, 61, "61 calibration images were asked for")],
)
def test_too_few_images_are_refused(
    many: str, tmp_path: Path, samples: int | None, calibration_samples: int | None, message: str
) -> None:
    np.savez(tmp_path / "c.npz", images=np.full((60, 4, 4), 7, np.uint8))
    with pytest.raises(UsageError, match=message):
        choose_data(many, str(tmp_path / "c.npz"), samples, calibration_samples, 0)


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 4), np.uint8), labels=np.array([5, 5, 5]))
    with pytest.raises(UsageError, match="are all of one class"):
        choose_data(str(tmp_path / "a.npz"), None, None, None, 0)


def test_one_class_only_may_calibrate(many: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 5, 5), np.uint8), labels=np.array([5, 5, 5]))
    data = choose_data(many, str(tmp_path / "a.npz"), None, None, 0)
    assert data.calibration is not None and data.calibration.labels == (5, 5, 5)


def test_overlap_is_found_by_content_not_by_name(classes: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save(other / "new.png", 5000)
    (other / "copy.png").write_bytes((classes / "b" / "2.png").read_bytes())
    with pytest.raises(UsageError, match=r"1 calibration images of .* such as b/2.png") as caught:
        choose_data(str(classes), str(other), None, None, 0)
    assert caught.value.hint and "20%" in caught.value.hint
    (other / "copy.png").unlink()
    assert choose_data(str(classes), str(other), None, None, 0).calibration is not None


def test_overlap_with_training_images_is_named_so(classes: Path) -> None:
    images = open_images(str(classes))
    with pytest.raises(UsageError, match="9 training images"):
        refuse_overlap(images, images, "training")


@pytest.mark.parametrize("seed", range(5))
def test_identical_images_go_to_one_part_together(tmp_path: Path, seed: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    twice = np.concatenate([pixels, pixels[:12]])  # twelve are there twice, six of them in both classes
    np.savez(tmp_path / "a.npz", images=twice, labels=np.r_[np.repeat([0, 1], 15), np.repeat([0, 1], 6)])
    data = choose_data(str(tmp_path / "a.npz"), "50%", None, None, seed)
    assert data.evaluation is not None and data.calibration is not None
    assert len(data.evaluation) + len(data.calibration) == 42
    assert not set(map(data.evaluation.sha256, data.evaluation.ids)) & set(
        map(data.calibration.sha256, data.calibration.ids)
    )
    assert 18 <= len(data.calibration) <= 24


# Images to fine-tune with.


def numbered(folder: Path, count: int, different: int) -> str:
    """Images of which so many are different."""
    pixels = np.zeros((count, 2, 2), np.uint8)
    pixels.reshape(count, 4)[:, :2] = np.stack(np.divmod(np.arange(count) % different, 251), axis=1)
    np.savez(folder / "numbered.npz", images=pixels, labels=np.zeros(count, np.int64))
    return str(folder / "numbered.npz")


@pytest.mark.parametrize(("count", "kept"), [(96, 32), (320, 32), (400, 40), (1024, 102)])
def test_a_tenth_is_kept_apart_but_at_least_32(tmp_path: Path, count: int, kept: int) -> None:
    images = open_images(numbered(tmp_path, count, count))
    split = split_for_tuning(images, 0)
    assert (len(split.train), len(split.kept)) == (count - kept, kept)
    assert sorted(split.train.ids + split.kept.ids) == sorted(images.ids)
    assert split_for_tuning(images, 0).kept.ids == split.kept.ids != split_for_tuning(images, 1).kept.ids


def test_of_more_images_1024_are_drawn_by_the_seed(tmp_path: Path) -> None:
    images = open_images(numbered(tmp_path, 1100, 1100))
    split = split_for_tuning(images, 0)
    assert (len(split.train), len(split.kept)) == (922, 102)
    assert split_for_tuning(images, 0).train.ids == split.train.ids != split_for_tuning(images, 1).train.ids


def test_no_image_is_in_both_parts_whatever_its_name(tmp_path: Path) -> None:
    images = open_images(numbered(tmp_path, 300, 100))
    split = split_for_tuning(images, 0)
    refuse_overlap(split.train, split.kept, "kept")
    assert len(split.train) + len(split.kept) == 300


def test_fewer_than_96_different_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 96 different images, .* gives 95") as caught:
        split_for_tuning(open_images(numbered(tmp_path, 200, 95)), 0)
    assert "--train" in str(caught.value.hint)
