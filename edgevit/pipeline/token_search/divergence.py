"""Measures in PyTorch what single sites do to a model's predictions (see :mod:`edgevit.pipeline.token_search.site_divergence`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from edgevit.model.over_batches import over_batches
from edgevit.pipeline.token_search.parts import Parts
from edgevit.pipeline.token_search.site_divergence import DivergencePoint
from edgevit.spec.token_plan import Site

Shares = Mapping[str, tuple[float, ...]]

SHARES: Shares = {"squeeze": (0.85, 0.6, 0.35), "tome": (0.8, 0.5)}
"""Methods that are looked at, and the shares of patch tokens that stay; tome merges at most half of them at once."""

MOST_NATS = 0.3
"""Of one image; by then its class is most often lost, and more tells nothing about how many images lose theirs."""


def site_divergences(
    parts: Parts,
    batches: Iterable[Tensor],
    blocks: tuple[int, ...],
    shares: Shares = SHARES,
    on_batch: Callable[[int], None] = lambda done: None,
) -> tuple[DivergencePoint, ...]:
    """Measures what each site alone does, for every method and share.

    Args:
        parts: Of the model.
        batches: Images, float32 [n, 3, h, w].
        blocks: Where to reduce, counted from 1.
        shares: Of the patch tokens that stay, 0..1, by method.
        on_batch: Progress callback, called after each batch with the number of batches done.

    Returns:
        Mean over the images of KL(dense || reduced) of the softmax of the logits, in nats, of which each image counts at
        most ``MOST_NATS``: few images would else make up most of it. Shares that keep all patch tokens of a small image
        are left out.
    """
    patches = parts.shape.patches
    keeps = [
        (method, keep)
        for method, kept in shares.items()
        for keep in sorted({-int(-patches * share // 1) for share in kept}, reverse=True)
        if (patches + 1) // 2 <= keep < patches or (method != "tome" and keep < patches)
    ]
    sites = [(method, block, keep) for block in blocks for method, keep in keeps]
    if not sites:
        return ()

    def diverge(batch: Tensor) -> Tensor:
        """Nats, float64 [sites, images]."""
        entering, logits = parts.streams(batch, blocks)
        found = []
        for method, block, keep in sites:
            reduced = parts.tail(method, (Site(block, keep),))
            found.append(_divergence(logits, reduced(entering[block])))
        return torch.stack(found)

    found = []
    for part in over_batches(diverge, batches):
        found.append(part)
        on_batch(len(found))
    nats = torch.cat(found, dim=1).mean(dim=1).tolist()
    return tuple(
        DivergencePoint(method, block, keep / patches, nat)
        for (method, block, keep), nat in zip(sites, nats, strict=True)
    )


def _divergence(dense: Tensor, reduced: Tensor) -> Tensor:
    """KL(dense || reduced) of logits [n, classes] in nats, at most ``MOST_NATS``, float64 [n]."""
    expected, actual = dense.double().log_softmax(dim=1), reduced.double().log_softmax(dim=1)
    return (expected.exp() * (expected - actual)).sum(dim=1).clamp_max(MOST_NATS)
