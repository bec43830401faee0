"""Which images a run uses: drawn by the seed, disjoint, and checked before use."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.data.array_form import check_form
from edgevit.data.images import ImageSet, digests, open_images
from edgevit.data.in_order import map_in_order
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

DEFAULT_CALIBRATION_SAMPLES = 128
LEAST_TUNING_IMAGES = 96
"""For fine-tuning: fewer are learnt by heart."""
_MOST_TUNING_IMAGES = 1024
"""More would hardly help, and take longer to check and decode."""
_LEAST_KEPT = 32
_MOST_KEPT = 2_048
_KEPT_SHARE = 0.1


@dataclass(frozen=True)
class RunData:
    """The images of a run; the calibration set shares no image with any other."""

    evaluation: ImageSet | None
    calibration: ImageSet | None
    others: tuple[ImageSet, ...] = ()
    """Further images to evaluate on, with labels; they do not choose."""
    masks: np.ndarray | None = None
    """uint8 [n, h, w]: the class of each pixel of the output for each evaluation image, see :mod:`edgevit.data.masks`."""

    @property
    def targets(self) -> np.ndarray | None:
        """The labels of the evaluation images as metrics read them, [n, ...]; None where there are none."""
        if self.masks is not None:
            return self.masks
        return self.evaluation.targets if self.evaluation else None


def choose_data(
    evaluation: str | None,
    calibration: str | None,
    samples: int | None,
    calibration_samples: int | None,
    seed: int,
    most_calibration: int = DEFAULT_CALIBRATION_SAMPLES,
) -> RunData:
    """Draws the images of a run, by the seed.

    Args:
        evaluation: Source of labelled images, or None.
        calibration: Another source, or a percentage of the evaluation images, such as "20%", to hold out; or None.
        samples: Number of evaluation images; all when None.
        calibration_samples: Number of calibration images; up to ``most_calibration`` when None.
        seed: Of the random draw.
        most_calibration: Where their number is not given.

    Raises:
        UsageError: a set is smaller than asked, the evaluation set has one class only, or the sets overlap. A poor
            calibration set is no error, see :mod:`edgevit.data.calibration_warnings`.
    """
    evaluation_set = open_images(evaluation) if evaluation else None
    calibration_set: ImageSet | None
    held_out = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", calibration or "")
    if held_out:
        if evaluation_set is None:
            raise UsageError(
                f"calibration {calibration!r} is a part of the evaluation images, but there are none", "give --data"
            )
        evaluation_set, calibration_set = _split(evaluation_set, float(held_out[1]) / 100, seed)
    else:
        calibration_set = open_images(calibration, "training") if calibration else None
    if calibration_set is not None:
        count = min(most_calibration, len(calibration_set)) if calibration_samples is None else calibration_samples
        calibration_set = _draw(calibration_set, count, seed, "calibration")
    if evaluation_set is not None:
        evaluation_set = sample_images(evaluation_set, samples or len(evaluation_set), seed, "evaluation")
    if evaluation_set is not None and calibration_set is not None and not held_out:
        refuse_overlap(evaluation_set, calibration_set, "calibration")
    return RunData(evaluation_set, calibration_set)


@dataclass(frozen=True)
class TuningImages:
    """Images to train with; the two sets share none."""

    train: ImageSet
    kept: ImageSet
    """Kept apart: the step whose answers are best on them is taken."""


def split_for_tuning(images: ImageSet, seed: int) -> TuningImages:
    """Draws up to 1,024 images by the seed, and keeps a tenth of them apart, but at least 32.

    Identical images go to one part together.

    Args:
        images: To fine-tune with.
        seed: Of the random draw.

    Raises:
        UsageError: they are fewer than 96 different ones.
    """
    images = _draw(images, min(len(images), _MOST_TUNING_IMAGES), seed, "fine-tuning")
    return _kept_apart(images, seed, "fine-tuning", "give a source of more with --train or --calibration")


def split_for_training(images: ImageSet, seed: int) -> TuningImages:
    """Keeps a tenth of images apart, but at least 32 and at most 2,048; identical images go to one part together.

    Args:
        images: To train with.
        seed: Of the random draw.

    Raises:
        UsageError: they are fewer than 96 different ones.
    """
    return _kept_apart(images, seed, "training", "give a source of more with --train")


def _kept_apart(images: ImageSet, seed: int, what: str, hint: str) -> TuningImages:
    same = _identical(images)
    if len(same) < LEAST_TUNING_IMAGES:
        raise UsageError(
            f"{what} needs at least {LEAST_TUNING_IMAGES} different images, {images.source} gives {len(same)}", hint
        )
    wanted = min(_MOST_KEPT, max(_LEAST_KEPT, int(_KEPT_SHARE * len(images))))
    kept: set[int] = set()
    for place in np.random.default_rng(seed).permutation(len(same)):
        if len(kept) >= wanted:
            break
        kept.update(same[place])
    train = tuple(image_id for index, image_id in enumerate(images.ids) if index not in kept)
    return TuningImages(images.select(train), images.select(tuple(images.ids[index] for index in sorted(kept))))


def balanced_sample(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Draws images by the seed, as equally many of each class as there are; without labels, any.

    Args:
        images: To draw from.
        count: How many.
        seed: Of the random draw.

    Returns:
        The images in the order of the source.

    Raises:
        UsageError: there are fewer than ``count``.
    """
    if count > len(images):
        raise UsageError(f"{images.source} has {len(images)} images, not {count}", f"ask for {len(images)} or fewer")
    drawn: Counter[int] = Counter()
    turns = []
    for number, place in enumerate(np.random.default_rng(seed).permutation(len(images)).tolist()):
        label = images.labels[place] if images.labels else number
        turns.append((drawn[label], number, place))
        drawn[label] += 1
    chosen = sorted(place for _, _, place in sorted(turns)[:count])
    return images.select(tuple(images.ids[place] for place in chosen))


def check_images(
    images: ImageSet, num_classes: int, contract: Preprocessing, on_progress: Callable[[int, int], None]
) -> None:
    """Decodes every image once and checks the labels, before anything expensive starts.

    Args:
        images: To check.
        num_classes: Number of outputs of the model; a single one stands for two classes, and 0 is a model without classes, for
            which labels mean nothing.
        contract: Of the model that takes them.
        on_progress: Progress callback: images done, and in all.

    Raises:
        UsageError: images of another kind than the model takes; broken images, the first ten named; a label outside the
            model's classes.
    """
    check_form(images.form, images.source, contract)
    labels = images.labels if num_classes else None
    num_classes = max(num_classes, 2)  # a single logit decides between two classes by its sign
    outside = sorted({label for label in labels or () if label >= num_classes})
    if outside:
        raise UsageError(
            f"{images.source}: label {outside[-1]} is outside the model's {num_classes} classes (0 to {num_classes - 1})",
            "is it the right model, or the right number of classes?",
        )
    broken = []
    for done, error in enumerate(map_in_order(functools.partial(_error_of, images, contract), images.ids), start=1):
        if error is not None:
            broken.append(error.message.removeprefix(f"{images.source}: "))
        on_progress(done, len(images))
    refuse_broken(images.source, broken)


def refuse_broken(source: str, broken: Sequence[str]) -> None:
    """Refuses images that cannot be read, all at once.

    Args:
        source: Of the images.
        broken: What is wrong with each of them; empty for none.

    Raises:
        UsageError: there are some; the first ten are told.
    """
    if broken:
        more = f"\n  and {len(broken) - 10} more" if len(broken) > 10 else ""
        raise UsageError(
            f"{source}: {len(broken)} broken images:\n  " + "\n  ".join(broken[:10]) + more, "fix or remove them"
        )


def _error_of(images: ImageSet, contract: Preprocessing, image_id: str) -> UsageError | None:
    try:
        images.picture(image_id, contract)
    except UsageError as error:
        return error
    return None


def sample_images(images: ImageSet, count: int, seed: int, what: str) -> ImageSet:
    """Draws images to evaluate on, by the seed, in the order of the source.

    Args:
        images: To draw from.
        count: Number of images, at least 1.
        seed: Of the random draw.
        what: Purpose of the images, for messages: "evaluation".

    Raises:
        UsageError: there are fewer, none are asked for, or those drawn are all of one class.
    """
    images = _draw(images, count, seed, what)
    if images.labels is not None and len(set(images.labels)) < 2:
        raise UsageError(
            f"the {len(images)} {what} images of {images.source} are all of one class", "give images of several classes"
        )
    return images


def refuse_overlap(images: ImageSet, others: ImageSet, what: str) -> None:
    """Refuses two sets that share an image, compared by its stored bytes.

    Args:
        images: One set, such as the evaluation images.
        others: The set that must be disjoint from it.
        what: Purpose of ``others``, for the message: "calibration".

    Raises:
        UsageError: they share an image; the message names one.
    """
    seen = dict(zip(digests(images), images.ids, strict=True))
    shared = [seen[digest] for digest in digests(others) if digest in seen]
    if shared:
        raise UsageError(
            f"{len(shared)} {what} images of {others.source} are in {images.source} too, such as {shared[0]}",
            "give sets that share no image; --calibration 20% holds out a part of --data",
        )


def _draw(images: ImageSet, count: int, seed: int, what: str) -> ImageSet:
    if count < 1:
        raise UsageError(f"{count} {what} images were asked for", "give at least 1")
    if count > len(images):
        raise UsageError(
            f"{count} {what} images were asked for, {images.source} has {len(images)}", f"give at most {len(images)}"
        )
    if count < len(images):
        order = np.random.default_rng(seed).permutation(len(images))[:count]
        images = images.select(tuple(images.ids[index] for index in sorted(order)))
    return images


def _split(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Holds out ``share`` of every class, 0..1; returns the rest and the held-out set.

    Identical images go to one of the two together.
    """
    if not 0 < share < 1:
        raise UsageError(
            f"cannot hold out {share:.0%} of the evaluation images for calibration", "between 0 % and 100 %"
        )
    generator = np.random.default_rng(seed)
    labels = images.labels if images.labels is not None else (0,) * len(images)
    groups = _identical(images)  # a group is of the class of its first
    first = np.asarray([labels[group[0]] for group in groups])
    held: set[int] = set()
    for label in np.unique(first):
        wanted, taken = round(share * labels.count(int(label))), 0
        for place in generator.permutation(np.flatnonzero(first == label)):
            if taken >= wanted:
                break
            held.update(groups[place])
            taken += len(groups[place])
    if not held or len(held) == len(images):
        raise UsageError(
            f"{share:.0%} of {len(images)} images leaves one side of the split empty",
            "give another share, or more images that differ",
        )
    rest = images.select(tuple(image_id for index, image_id in enumerate(images.ids) if index not in held))
    return rest, images.select(tuple(image_id for index, image_id in enumerate(images.ids) if index in held))


def _identical(images: ImageSet) -> list[list[int]]:
    """Places of the images, those of identical ones together."""
    same: dict[str, list[int]] = {}
    for index, digest in enumerate(digests(images)):
        same.setdefault(digest, []).append(index)
    return list(same.values())
