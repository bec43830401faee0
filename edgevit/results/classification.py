"""What ``edgevit classify`` finds in images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassAnswer:
    """One class that an image may be of."""

    label: str
    probability: float
    """0..1."""


@dataclass(frozen=True)
class ClassifiedImage:
    """The answer to one image."""

    image: str
    """As the user named it."""
    answers: tuple[ClassAnswer, ...]
    """Most probable first."""
    inference_ms: float
    total_ms: float
    """Also reading, decoding and preprocessing."""


@dataclass(frozen=True)
class Classification:
    """The answers to all images."""

    images: tuple[ClassifiedImage, ...]
    notes: tuple[str, ...] = ()
    """What was done otherwise than the file states."""
