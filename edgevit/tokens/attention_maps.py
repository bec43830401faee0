"""Attention maps, rollout and patch assignments as pure functions on tensors, independent of any model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def attention_weights(query: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Returns softmax attention.

    Args:
        query: float [batch, heads, tokens, width].
        keys: float [batch, heads, tokens, width].
        scale: Factor of the products, as in the model's attention.

    Returns:
        float [batch, heads, tokens, tokens]; each row, of one query, sums to 1.
    """
    return ((query * scale) @ keys.transpose(-2, -1)).softmax(dim=-1)


def rollout(attentions: Sequence[Tensor]) -> Tensor:
    """Returns attention rollout: attention multiplied through all blocks, from the last one's output to the first's input.

    Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3: half of each token
    bypasses attention by the residual connection, so that a block contributes 0.5 A + 0.5 I.

    Args:
        attentions: Mean over heads of each block, in order, float [batch, tokens, tokens], rows that sum to 1; at least
            one block.

    Returns:
        float [batch, tokens, tokens]: the share that each input token, by column, has in each output token, by row. Rows
        sum to 1.
    """
    itself = torch.eye(attentions[0].shape[-1]).to(attentions[0])
    flow = itself
    for attention in attentions:
        passed = 0.5 * attention + 0.5 * itself
        flow = (passed / passed.sum(dim=-1, keepdim=True)) @ flow
    return flow


def read_patches(flow: Tensor, prefix: int, *, class_token: bool) -> Tensor:
    """Returns the share of each patch in what the head reads: the class token, or else the mean over all patches.

    Args:
        flow: float [batch, tokens, tokens] from :func:`rollout`.
        prefix: Number of tokens before the patches: class and distillation token, registers.
        class_token: Whether the first of them is the class token.

    Returns:
        float [batch, patches]; the share of prefix tokens is left out, so the sum is below 1.
    """
    row = flow[:, 0] if class_token else flow[:, prefix:].mean(dim=1)
    return row[:, prefix:]


def centre_distances(grid: tuple[int, int], patch: tuple[int, int]) -> Tensor:
    """Returns the distances between the centres of patches.

    Args:
        grid: Rows and columns of patches; tokens are in row-major order.
        patch: Height and width of a patch in pixels.

    Returns:
        Euclidean distances in pixels, float32 [patches, patches].
    """
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    centres = torch.stack([rows.flatten() * patch[0], columns.flatten() * patch[1]], dim=1).float()
    offsets = centres.unsqueeze(0) - centres.unsqueeze(1)
    return offsets.square().sum(dim=2).sqrt()


def mean_distance(attention: Tensor, distances: Tensor) -> Tensor:
    """Returns the mean attention distance of each head: the distance to patches weighted by attention, over all queries.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, section 4.5 and figure 7. Attention to and
    from other tokens has no distance; it is left out, and the rest of each row is normalized.

    Args:
        attention: From query patches to key patches, float [batch, heads, patches, patches].
        distances: float [patches, patches], see :func:`centre_distances`.

    Returns:
        float [batch, heads], in the unit of ``distances``; a query without attention to any patch counts as 0.
    """
    total = attention.sum(dim=-1)
    return ((attention * distances).sum(dim=-1) / total.clamp_min(torch.finfo(total.dtype).tiny)).mean(dim=-1)


def kept_patches(sources: Tensor) -> Tensor:
    """Returns which patches are kept as a token of their own after pruning.

    Args:
        sources: float [batch, tokens, patches]: 1 where a token is a patch, less where the patch is part of a fused
            token, 0 elsewhere; see :meth:`edgevit.tokens.reduction.ReducedModel.sources`.

    Returns:
        bool [batch, patches].
    """
    return (sources == 1).any(dim=1)


def merged_groups(sources: Tensor) -> Tensor:
    """Returns the token that each patch is part of after merging.

    Args:
        sources: float [batch, tokens, patches]; more than 0 where a patch is part of a token.

    Returns:
        int64 [batch, patches], the index of the token, or -1 for a patch that is in none.
    """
    largest, token = sources.max(dim=1)
    return token.where(largest > 0, torch.full_like(token, -1))
