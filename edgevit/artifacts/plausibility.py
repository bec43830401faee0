"""Whether a float model answers like one that was trained for these labels; if not, nothing made of it says anything."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.accuracy import Answers
from edgevit.errors import CheckFailed

LEAST_KAPPA = 0.1
"""Cohen's kappa up to which answers count as chance: 10 % of ImageNet's classes, 55 % of two classes of equal size."""
LEAST_IMAGES = 8
"""With fewer an answer by chance cannot be told from a poor model."""
_CLEAR = 0.5
"""Share of the images, 0..1, that an explanation has to make right."""
_LEAST_PER_CLASS = 3
"""Images per class on average, below which answers always look like another class order."""


def kappa(answers: Answers) -> float | None:
    """Returns how much better than chance answers agree with the labels; None where there are no labels.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960: the
    agreement beyond what the frequencies of labels and answers give by chance, over the largest possible one. A model
    that always gives the same answer has 0, however frequent that class is.

    Args:
        answers: To at least one image.
    """
    if answers.labels is None or answers.correct is None:
        return None
    count = len(answers.labels)
    labels, found = (
        np.bincount(values, minlength=answers.classes) / count for values in (answers.labels, answers.top1)
    )
    chance, agreement = float(labels @ found), float(answers.correct.mean())
    return 1.0 if chance >= 1 else (agreement - chance) / (1 - chance)


def check_plausible(answers: Answers, expected_top1: float | None, source: str) -> None:
    """Stops a run whose float model does not recognize the images.

    Args:
        answers: Of the float model.
        expected_top1: Least top-1 accuracy in percent; None where nobody said it, and chance is what it must beat.
        source: Of the images, for the message.

    Raises:
        CheckFailed: it is at chance, or below what was expected; the hint names likely causes.
    """
    if answers.correct is None:
        return
    top1 = 100 * float(answers.correct.mean())
    images = f"the float model recognizes {top1:.1f} % of the {len(answers.top1)} images of {source}"
    if expected_top1 is not None:
        if top1 < expected_top1:
            raise CheckFailed(f"{images}, less than the {expected_top1:g} % expected", _causes(answers))
    elif _is_chance(answers):
        raise CheckFailed(
            f"{images}: no better than chance", f"{_causes(answers)}; --expect-top1 0 goes on all the same"
        )


def chance_warning(answers: Answers) -> str | None:
    """Returns why an accuracy says nothing of a model; None where it is better than chance, or there are no labels."""
    return f"top-1 is no better than chance: {_causes(answers)}" if _is_chance(answers) else None


def _is_chance(answers: Answers) -> bool:
    found = kappa(answers)
    return found is not None and found <= LEAST_KAPPA and len(answers.top1) >= LEAST_IMAGES


def _causes(answers: Answers) -> str:
    """Likely causes, the one that explains the answers first."""
    order = "the order of the classes (class folders, labels, --class-offset)"
    others = (
        "mean and std of the normalization, the input size and crop, or weights that were not trained for these classes"
    )
    shift = _shift(answers)
    if shift is not None:
        return f"the answers are the labels {shift:+d}: add {shift} to --class-offset (0 when not given)"
    if _consistent(answers):
        return f"each class has an answer of its own, but another one: check {order}; else {others}"
    return f"check {others}, or {order}"


def _shift(answers: Answers) -> int | None:
    """By how much all labels are off."""
    assert answers.labels is not None
    assert answers.correct is not None
    for shift in (1, -1):
        if float((answers.top1 == answers.labels + shift).mean()) > max(_CLEAR, float(answers.correct.mean())):
            return shift
    return None


def _consistent(answers: Answers) -> bool:
    """Whether the images of most classes get one and the same answer, different ones for different classes."""
    assert answers.labels is not None
    labels = np.unique(answers.labels)
    if len(answers.labels) < _LEAST_PER_CLASS * len(labels):
        return False
    counts = [np.bincount(answers.top1[answers.labels == label], minlength=answers.classes) for label in labels]
    modes = {int(count.argmax()) for count in counts}
    share = sum(int(count.max()) for count in counts) / len(answers.labels)
    return share > _CLEAR and len(modes) > len(labels) / 2
