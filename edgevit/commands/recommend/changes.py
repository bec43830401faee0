"""What would change the answer: the nearest other values of each thing that is known of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgevit import units
from edgevit.commands.recommend.published import FOUR_K, image_thresholds
from edgevit.results.family import FAMILY_TITLES, Family
from edgevit.results.recommendation import Change, OfferedNetwork, Pretraining, Situation

_PRETRAINING: tuple[tuple[Pretraining, str], ...] = (
    ("none", "no weights to start from"),
    ("imagenet-1k", "weights of ImageNet-1k to start from"),
    ("larger", "weights of a larger set than ImageNet-1k to start from"),
)
_UP_TO_4K = (2160, 3840)


@dataclass(frozen=True)
class Answer:
    """What is compared: the family, and the network to try first."""

    family: Family | None
    first: str | None

    @property
    def words(self) -> str:
        """For people."""
        if self.family is None:
            return "no family is possible"
        return f"{FAMILY_TITLES[self.family]}, {self.first} first" if self.first else FAMILY_TITLES[self.family]


Answering = Callable[[Situation], Answer]
"""Answers a situation, with the device and the runs as they are."""


def changes(situation: Situation, offered: Sequence[OfferedNetwork], answer: Answering) -> tuple[Change, ...]:
    """Returns what would change the answer.

    Of the number of images, which changes the family, and of the latency and the memory, which change the network too, the nearest
    value below and above; of the rest every other value that changes the family.

    Args:
        situation: As it is.
        offered: Networks priced in it, whose latencies are the budgets at which an answer can change.
        answer: Answers another situation.
    """
    now = answer(situation)
    found = [
        *_images(situation, now, answer),
        *_latency(situation, now, offered, answer),
        *_memory(situation, now, offered, answer),
        *_others(situation, now, answer),
    ]
    return tuple(found)


def _images(situation: Situation, now: Answer, answer: Answering) -> Iterator[Change]:
    images = situation.images
    if images is None:
        yield from _first(
            ((f"{count:,} images", replace(situation, images=count)) for count in image_thresholds()), now, answer
        )
        return
    below = [threshold - 1 for threshold in reversed(image_thresholds()) if 1 < threshold <= images]
    above = [threshold for threshold in image_thresholds() if threshold > images]
    for counts in (below, above):
        asked = ((f"{count:,} images instead of {images:,}", replace(situation, images=count)) for count in counts)
        yield from _first(asked, now, answer)


def _latency(
    situation: Situation, now: Answer, offered: Sequence[OfferedNetwork], answer: Answering
) -> Iterator[Change]:
    budget = situation.max_latency_ms
    if budget is None:
        return
    both = (latency for network in offered for latency in (network.latency_ms, network.other_latency_ms))
    values = sorted({latency.p50 for latency in both if latency is not None})
    below = [value * (1 - 1e-9) for value in reversed(values) if value <= budget]
    above = [value for value in values if value > budget]
    for budgets in (below, above):
        asked = (
            (
                f"{units.milliseconds(value)} instead of {units.milliseconds(budget)}",
                replace(situation, max_latency_ms=value),
            )
            for value in budgets
        )
        yield from _two(tuple(asked), now, answer)


def _memory(
    situation: Situation, now: Answer, offered: Sequence[OfferedNetwork], answer: Answering
) -> Iterator[Change]:
    memory = situation.memory_bytes
    if memory is None:
        return
    values = sorted({network.weights_bytes for network in offered})
    below = [value - 1 for value in reversed(values) if value <= memory]
    above = [value for value in values if value > memory]
    for amounts in (below, above):
        asked = (
            (f"{units.size(value)} of weights instead of {units.size(memory)}", replace(situation, memory_bytes=value))
            for value in amounts
        )
        yield from _two(tuple(asked), now, answer)


def _others(situation: Situation, now: Answer, answer: Answering) -> Iterator[Change]:
    asked: list[tuple[str, Situation]] = [
        (words, replace(situation, pretraining=name)) for name, words in _PRETRAINING if name != situation.pretraining
    ]
    dense = situation.task == "dense"
    asked += [
        (
            "one answer for an image" if dense else "a dense task",
            replace(situation, task="classification" if dense else "dense"),
        ),
        (
            "images like the training images" if situation.shift else "images that differ from the training images",
            replace(situation, shift=not situation.shift),
        ),
        (
            "no explanations" if situation.explanations else "explanations",
            replace(situation, explanations=not situation.explanations),
        ),
    ]
    size = situation.resolution
    if size is None or size[0] * size[1] < FOUR_K:
        asked.append(("4K images", replace(situation, resolution=_UP_TO_4K)))
    if size is not None:
        asked.append(
            (
                "images that may be made smaller"
                if situation.fine_detail
                else "details that do not allow smaller images",
                replace(situation, fine_detail=not situation.fine_detail),
            )
        )
    for each in asked:
        yield from _first((each,), now, answer)


def _two(asked: Sequence[tuple[str, Situation]], now: Answer, answer: Answering) -> Iterator[Change]:
    """Yields the first of several situations whose answer differs, and the first whose family does."""
    yield from dict.fromkeys((*_first(asked, now, answer, only_family=False), *_first(asked, now, answer)))


def _first(
    asked: Iterable[tuple[str, Situation]], now: Answer, answer: Answering, only_family: bool = True
) -> Iterator[Change]:
    """Yields the first of several situations whose answer differs."""
    for words, situation in asked:
        then = answer(situation)
        if then.family != now.family or (not only_family and then != now):
            yield Change(words, then.words)
            return
