"""What of an artifact a compute unit runs, and why not the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FallbackReason = Literal[
    "format",
    "dynamic_shape",
    "foreign_op",
    "unknown_op",
    "op",
    "numerics",
    "rank",
    "axis_length",
    "per_channel_weights",
    "float_io",
    "asymmetric",
    "int32_bias",
    "activation_scales",
]
"""Why an op, or the whole artifact, does not run on a unit: the runtime does not read the format; a shape is left open; the
op is none of the format's own (Flex, custom); edgevit does not know what it computes; the runtime lacks it there; it lacks
it in these numbers; a tensor has too many axes; an axis is too long; weights have a scale for each channel; inputs and
outputs are float, which the processor converts; integers are unsigned or have a zero point other than 0; biases are integers; an
activation has a scale for each channel."""


@dataclass(frozen=True)
class Fallback:
    """Ops of one name that a unit does not run, for one reason."""

    op: str
    """Native name, or what of the whole artifact does not fit, such as "the format of .xml files"."""
    reason: FallbackReason
    detail: str
    """Such as "in float" or "with 5 axes"; "" where the name says it all."""
    count: int
    change: str
    """What to do about it, such as "--form arithmetic selects tokens without it"."""

    @property
    def blocks(self) -> bool:
        """Whether the artifact does not run whole on the unit because of it."""
        return self.reason != "float_io"

    @property
    def text(self) -> str:
        """For people, such as "TRANSPOSE with 5 axes (12 x)"."""
        words = f"{self.op} {self.detail}".strip().replace(" ,", ",")
        return words if self.reason in ("format", "dynamic_shape", "float_io") else f"{words} ({self.count} x)"


@dataclass(frozen=True)
class UnitSupport:
    """What a compute unit would run of an artifact."""

    unit: str
    runtime: str
    """Name of the runtime that would run it there; "" where none reads the format."""
    fallbacks: tuple[Fallback, ...]
    """Most frequent first; none where the unit runs the whole artifact."""
    partitions: int
    """Parts of the graph that run on the unit: 1 where it runs whole, 0 where none does."""
    mac_share: float
    """Share of the multiply-accumulates that run on the unit, 0..1."""

    @property
    def runs(self) -> bool:
        """Whether the whole artifact runs on the unit."""
        return not any(fallback.blocks for fallback in self.fallbacks)

    @property
    def unsupported_ops(self) -> tuple[str, ...]:
        """For people: what does not run on the unit."""
        return tuple(fallback.text for fallback in self.fallbacks if fallback.blocks)
