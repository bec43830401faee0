"""How a token plan was found: block times, site costs, and the plans that were tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class BlockPoint:
    """Time of one transformer block on a target."""

    tokens: int
    """All that go through it, prefix tokens included."""
    ms: float


@dataclass(frozen=True)
class SitePoint:
    """What reducing tokens in a block costs on a target, beyond the time of the block itself."""

    method: str
    tokens: int
    """All that enter the block, prefix tokens included."""
    ms: float
    form: str
    """How the faster of the two graphs picks tokens: "gather" or "arithmetic"."""


@dataclass(frozen=True)
class TriedPlan:
    """A token plan that was carried out in PyTorch."""

    plan: str
    predicted_ms: float
    """All blocks, by the table of block times."""
    divergence: Annotated[float, Field(alias="damage")]
    """What single sites did to the model's answers, added up; in nats."""
    drop_points: Annotated[float, Field(alias="lost_points")]
    """Drop of top-1; without labels, share of images with another class; in percentage points."""


@dataclass(frozen=True)
class TokenSearch:
    """How the token plan of one backend was found."""

    backend: str
    target: str
    """"host", or the name of a device."""
    source: Literal["measured", "predicted"]
    """Where the block times come from: this host, or the cost model of a device."""
    dense_ms: float
    """All blocks with all tokens, by the table."""
    blocks: tuple[BlockPoint, ...]
    """In float32, whatever follows; by rising number of tokens."""
    sites: tuple[SitePoint, ...]
    prefix: int
    """Class, distillation and register tokens, which plans do not count and the numbers here do."""
    steps: tuple[int, ...]
    """Numbers of tokens that the search used: no larger one is as fast. Falling; the first is all of them."""
    tried: tuple[TriedPlan, ...]
    """In the order of trying."""
    plan: str | None
    """None if no plan is both faster and within the limit."""
    predicted_ms: float | None
    limit_points: float
    """Lost points allowed."""
    samples: int
    """Images that lost points were counted on."""
    note: str = ""
    """Why there is no plan."""
