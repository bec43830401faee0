"""Which family of networks to start from, and why, as in the JSON document of ``edgevit recommend``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from edgevit.results.family import Family
from edgevit.results.measurement import Fit, LatencyInterval

Task: TypeAlias = Literal["classification", "dense"]
"""One answer for an image, or one for each place in it: segmentation, detection, depth, features of places."""
Pretraining: TypeAlias = Literal["none", "imagenet-1k", "larger"]
"""Weights at hand to start from: none, of ImageNet-1k's 1.28 M images, or of a larger set such as ImageNet-21k or LAION."""
Basis: TypeAlias = Literal["your run", "predicted", "published"]
"""What a reason rests on, the strongest first."""
Strength: TypeAlias = Literal["excludes", "measured", "rule"]
"""Of a reason: it rules a family out; it compares what was measured or predicted; it is a published rule of thumb."""


@dataclass(frozen=True)
class Situation:
    """What is known of a project before a network is chosen."""

    images: int | None = None
    """Training images; None where not said."""
    pretraining: Pretraining = "imagenet-1k"
    task: Task = "classification"
    device: str | None = None
    """Name of a device; None where not said, and then nothing is predicted."""
    device_kind: str | None = None
    """Such as "phone" or "single-board computer"."""
    max_latency_ms: float | None = None
    """On the device, for one image."""
    memory_bytes: float | None = None
    """For the weights."""
    resolution: tuple[int, int] | None = None
    """Height and width of the images in pixels; None where not said."""
    fine_detail: bool = False
    """Whether what counts is so small in the image that it may not be made smaller."""
    shift: bool = False
    """Whether images in use differ from the training images."""
    explanations: bool = False
    """Whether answers have to be explained."""

    @property
    def from_scratch(self) -> bool:
        """Whether there are no weights to start from."""
        return self.pretraining == "none"

    @property
    def full_size(self) -> tuple[int, int] | None:
        """Height and width that the network has to take; None where it may have its own input size."""
        return self.resolution if self.fine_detail or self.task == "dense" else None


@dataclass(frozen=True)
class OfferedNetwork:
    """A published network, with what is known of it in the situation."""

    name: str
    """timm's."""
    weights: str
    """Name with timm's tag of the weights that ``top1`` is of."""
    family: Family
    top1: float
    """Published top-1 on ImageNet-1k's validation set, as a fraction, at the weights' own input size."""
    top1_source: str
    input_size: tuple[int, int]
    """Height and width in pixels that MACs and latency are for."""
    macs: int
    weights_bytes: int
    """In the arithmetic of ``latency_ms``; in float32 where nothing is predicted."""
    unit: str | None = None
    """Compute unit of the device that runs it, and that ``latency_ms`` is for; None without a device, or where none does."""
    arithmetic: str | None = None
    """That ``latency_ms`` is for, such as "float32" or "int8": of those that the profile exports, the fastest."""
    latency_ms: LatencyInterval | None = None
    """Predicted; None without a device, where it does not run, or where too little is published of the device."""
    other_arithmetic: str | None = None
    other_latency_ms: LatencyInterval | None = None
    """Predicted in another arithmetic of the unit; None where it has none."""
    fits: Fit = "unknown"
    """Whether the predicted latency is within the budget; "unknown" without one."""
    basis: str = ""
    """What the prediction rests on, or why there is none."""


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for families or against them."""

    topic: str
    """Such as "data size" or "latency"; reasons of one topic may contradict each other."""
    text: str
    basis: Basis
    strength: Strength
    families: tuple[Family, ...]
    """That it speaks for, or rules out where ``strength`` is "excludes"; () where it speaks for none of them."""
    source: str


@dataclass(frozen=True)
class Side:
    """Reasons that speak for the same families."""

    families: tuple[Family, ...]
    reasons: tuple[int, ...]
    """Their places in the list of reasons, from 1 on."""


@dataclass(frozen=True)
class Contradiction:
    """Reasons of one topic of which no family satisfies all."""

    topic: str
    sides: tuple[Side, ...]
    resolved: str
    """Which of them the recommendation goes by, and why."""


@dataclass(frozen=True)
class Change:
    """A change of the situation that would change the answer."""

    what: str
    """Such as "images: 1,281,167 instead of 50,000"."""
    then: str
    """Such as "ViT, vit_tiny_patch16_224 first"."""


@dataclass(frozen=True)
class Recommendation:
    """The answer."""

    situation: Situation
    family: Family | None
    """To start from; None where no family is possible."""
    decided_by: str
    """The consideration that left one family."""
    networks: tuple[OfferedNetwork, ...]
    """Of the family, to be tried first, in this order."""
    offers: tuple[OfferedNetwork, ...]
    """Of each other family that is possible, what would be tried first."""
    profile: str | None
    """Shipped profile to compress with; None where there is none for the device."""
    profile_reason: str
    reasons: tuple[Reason, ...]
    contradictions: tuple[Contradiction, ...]
    changes: tuple[Change, ...]
    """The nearest ones."""
    advice: tuple[str, ...]
    """How to start, and what was assumed."""


def recommendation_json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a recommendation."""
    return TypeAdapter(Recommendation).json_schema(mode="serialization")
