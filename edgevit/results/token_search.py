"""How a token plan was found: block latencies, site costs, and the plans that were tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgevit.results.alias import alias
from edgevit.results.document import LATER
from edgevit.results.measurement import Interval
from edgevit.results.metric import Unit


@dataclass(frozen=True)
class BlockPoint:
    """Latency of one transformer block on a target."""

    tokens: int
    """Tokens in the block, prefix tokens included."""
    ms: float


@dataclass(frozen=True)
class SitePoint:
    """Extra latency of reducing tokens in a block on a target."""

    method: str
    tokens: int
    """Tokens that enter the block, prefix tokens included."""
    ms: float
    form: str
    """Export form of the faster of the two graphs: "gather" or "arithmetic"."""


@dataclass(frozen=True)
class TriedPlan:
    """A token plan that was evaluated in PyTorch."""

    plan: str
    predicted_ms: float
    """Sum over all blocks, from the table of block latencies."""
    divergence: Annotated[float, alias("damage")]
    """Sum over the sites of the KL divergence between the logits without and with the site alone, in nats; what a smaller
    image does is not in it."""
    drop_points: Annotated[float, alias("lost_points")]
    """Drop of top-1; without labels, share of images with another class; in percentage points."""
    samples: Annotated[int | None, LATER] = None
    """Images that it was evaluated on, those whose class is least certain first; the others are taken to keep theirs. None
    where it was evaluated on all."""


@dataclass(frozen=True)
class TriedSize:
    """The whole model on smaller images, evaluated in PyTorch."""

    size: int
    """Side of the square image in pixels."""
    macs: int
    drop_points: float
    """As of a :class:`TriedPlan`."""
    drop_interval: Interval | None = None
    """95 %, paired: of the change on the same images."""
    samples: int | None = None
    """As of a :class:`TriedPlan`."""
    tokens: int | None = None
    """That enter the first block, prefix tokens included; None where the search removes none."""


@dataclass(frozen=True)
class TunedPlan:
    """A plan that was fine-tuned for a short time, to see what fine-tuning regains."""

    plan: str
    predicted_ms: float | None
    """As of a :class:`TriedPlan`; None where there are no block latencies."""
    images_seen: int
    """Views of images at the step whose weights were taken."""
    seconds: float
    divergence_before: float
    """Mean over the images kept apart of KL(dense || untuned), in nats."""
    divergence_after: float
    """The same after the short fine-tuning."""
    drop_points_before: float
    """Drop on the images of the search, as of a :class:`TriedPlan`."""
    drop_points: float
    """The same after the short fine-tuning."""
    expected_points: float
    """Drop expected after the fine-tuning that follows, see :func:`edgevit.pipeline.token_search.tuned_search.expected`."""
    drop_interval: Interval | None = None
    """95 %, paired: of ``drop_points``."""


@dataclass(frozen=True)
class TokenSearch:
    """How the token plan of one backend was found."""

    backend: str
    target: str
    """"host", or the name of a device."""
    source: Literal["measured", "predicted", "none"]
    """Source of the block latencies: this host, or the cost model of a device; none where only the size of the image was
    searched for."""
    dense_ms: float | None
    """Sum over all blocks with all tokens, from the table; None where there is none."""
    blocks: tuple[BlockPoint, ...]
    """In float32, also where quantization follows; by increasing number of tokens."""
    sites: tuple[SitePoint, ...]
    prefix: int
    """Number of class, distillation and register tokens, which plans do not count and the numbers here do."""
    steps: tuple[int, ...]
    """Token counts that the search used: no larger count is as fast. Decreasing; the first is all tokens."""
    tried: tuple[TriedPlan, ...]
    """In the order in which they were tried."""
    plan: str | None
    """The plan found; None if none is both faster and within the limit."""
    predicted_ms: float | None
    limit_points: float
    """Largest drop allowed, in percentage points."""
    samples: int
    """Images that the drop is a share of."""
    note: str = ""
    """Why there is no plan, or why the search ended early."""
    sizes: Annotated[tuple[TriedSize, ...], LATER] = ()
    """Smaller images that were tried, falling; the last one may be the first that exceeds the limit, below which none was
    tried."""
    metric: Annotated[str, LATER] = ""
    """What drops are of where the spec names a metric; "" for top-1, and without labels agreement with the float model."""
    unit: Annotated[Unit, LATER] = "%"
    """Of the metric; drops and ``limit_points`` are in percentage points for "%", else in this unit."""
    tuned: Annotated[tuple[TunedPlan, ...], LATER] = ()
    """Where fine-tuning follows: plans that were tuned for a short time, the fastest first, until one was expected to keep the
    limit. Untuned ones were tried up to a multiple of it."""
