"""Token reduction at one site, and what all models have in common that reduce tokens."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.spec.token_plan import Form, Site
from edgevit.tokens import maths
from edgevit.tokens.maths import Patches


class TokenReduction(nn.Module):
    """Reduction at one site, a module of its own so that its ops can be told from others in a graph."""

    def __init__(self, method: str, keep: int, form: Form) -> None:
        super().__init__()
        self.method = method
        self.keep = keep
        self.form: Form = form

    def forward(self, patches: Patches, attention: Tensor, metric: Tensor) -> Patches:
        """Returns fewer patches, as the functions of :mod:`edgevit.tokens.maths` do.

        Args:
            patches: All that enter.
            attention: float [batch, patches], each in 0..1.
            metric: float [batch, patches, width].
        """
        if self.method == "tome":
            return maths.tome(patches, metric, self.keep, self.form)
        if self.method == "squeeze":
            return maths.squeeze(patches, attention, metric, self.keep, self.form)
        prune = maths.evit if self.method == "evit" else maths.evit_fused
        kept = prune(patches.tokens, attention, self.keep, self.form)
        return Patches(kept, patches.sizes[:, : self.keep])

    def margin(self, attention: Tensor, metric: Tensor) -> Tensor:
        """Returns the smallest margin of the decisions, float [batch]; near 0, rounding decides."""
        if self.method == "tome":
            return maths.tome_margin(metric, self.keep)
        if self.method == "squeeze":
            return maths.squeeze_margin(attention, metric, self.keep)
        return maths.cut_margin(attention, self.keep - (self.method == "evit_fused"))

    @property
    def merges(self) -> bool:
        """Whether tokens stand for several patches afterwards, which attention has to take into account."""
        return self.method in ("tome", "squeeze")


@dataclass(frozen=True)
class SiteInputs:
    """What the decisions at a site depend on."""

    sizes: Tensor
    """float [batch, patches, 1], see :class:`edgevit.tokens.maths.Patches`."""
    attention: Tensor
    """float [batch, patches], see :func:`edgevit.tokens.maths.attention_received`."""
    metric: Tensor
    """Mean of the heads' keys, float [batch, patches, width]."""


class ReducedModel(nn.Module):
    """A classifier with fewer tokens after each site, in numbers that do not depend on the image."""

    sites: tuple[Site, ...]
    """Blocks and the patch tokens kept, by ascending block."""
    patches: int
    """Patch tokens of an image."""

    @property
    @abstractmethod
    def original(self) -> nn.Module:
        """The classifier as it was, with the parameters that this one computes with."""

    @abstractmethod
    def decisions(self, images: Tensor) -> list[tuple[TokenReduction, SiteInputs]]:
        """Returns the reduction of each site and what it decides by, for images float32 [n, 3, h, w]."""

    def margins(self, images: Tensor) -> Tensor:
        """Returns the smallest margin of each image over all sites, float32 [n, 1], of images float32 [n, 3, h, w]."""
        found = [reduction.margin(at.attention, at.metric) for reduction, at in self.decisions(images)]
        return torch.stack(found, dim=1).amin(dim=1, keepdim=True)

    def sources(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns which patches each token consists of after each site, for images float32 [n, 3, h, w].

        Returns:
            For each site, float [n, tokens, patches of the image]: more than 0 where a patch is part of a token, all 0
            for a pruned patch.
        """
        found = []
        parts = torch.eye(self.patches).expand(len(images), -1, -1)
        for reduction, at in self.decisions(images):
            parts = reduction(Patches(parts, at.sizes), at.attention, at.metric).tokens
            found.append(parts)
        return tuple(found)


class CutMargins(nn.Module):
    """A reduced model that returns margins instead of logits."""

    def __init__(self, reduced: ReducedModel) -> None:
        super().__init__()
        self.reduced = reduced

    def forward(self, images: Tensor) -> Tensor:
        """Returns margins float32 [n, 1] of images float32 [n, 3, h, w]."""
        return self.reduced.margins(images)


def log_sizes_of(sizes: Tensor, prefix: int) -> Tensor:
    """Returns what proportional attention adds to the products of all keys (ToMe, equation 1).

    Args:
        sizes: float [batch, patches, 1], see :class:`edgevit.tokens.maths.Patches`.
        prefix: Tokens before those of the patches.

    Returns:
        float [batch, 1, 1, tokens].
    """
    return F.pad(sizes.detach().log().transpose(1, 2), (prefix, 0)).unsqueeze(1)
