"""What ``edgevit explain`` draws: where patches go, and where attention looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SiteView:
    """Where the patches of one image are after a site."""

    block: int
    """Counted from 1."""
    tokens: int
    """Patch tokens that go on."""
    merges: bool
    """Whether tokens stand for several patches; otherwise patches leave."""
    groups: npt.NDArray[np.int64]
    """[rows, columns]: the number of the token that a patch goes on in, or -1 for one that left. A patch that evit_fused
    sums up with others counts as one that left."""


@dataclass(frozen=True)
class ImageView:
    """What is drawn of one image."""

    title: str
    pixels: npt.NDArray[np.uint8]
    """What the model sees, [height, width, 3], before it is normalised; whole patches."""
    sites: tuple[SiteView, ...]
    rollout: npt.NDArray[np.float32]
    """Share of each patch in what the head reads, [rows, columns]; sums to 1."""


@dataclass(frozen=True)
class AttentionDistance:
    """How far heads look, see :func:`edgevit.tokens.attention_maps.mean_distance`."""

    picture: str
    pixels: tuple[tuple[float, ...], ...]
    """Of each head of each block, the mean over all images."""
    uniform_pixels: float
    """What a head that attends to all patches alike would have."""
