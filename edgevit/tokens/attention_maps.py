"""What attention looks at and where patches go, as numbers: pure functions on tensors, apart from any model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def attention_weights(query: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Softmax attention.

    Args:
        query: float [batch, heads, tokens, width].
        keys: As ``query``.
        scale: Of the products, as in the model's attention.

    Returns:
        float [batch, heads, tokens, tokens]; each row, of one query, sums to 1.
    """
    return ((query * scale) @ keys.transpose(-2, -1)).softmax(dim=-1)


def rollout(attentions: Sequence[Tensor]) -> Tensor:
    """Follows attention through all blocks, from the tokens that leave the last one to those that enter the first.

    Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3: half of each token goes
    around attention, by the residual connection, so that a block passes on 0.5 A + 0.5 I.

    Args:
        attentions: Mean over heads of each block, in order, float [batch, tokens, tokens], rows that sum to 1; at least
            one block.

    Returns:
        float [batch, tokens, tokens]: the share that each token at the start, by column, has in one at the end, by row.
        Rows sum to 1.
    """
    itself = torch.eye(attentions[0].shape[-1]).to(attentions[0])
    flow = itself
    for attention in attentions:
        passed = 0.5 * attention + 0.5 * itself
        flow = (passed / passed.sum(dim=-1, keepdim=True)) @ flow
    return flow


def read_patches(flow: Tensor, prefix: int, *, class_token: bool) -> Tensor:
    """The share of each patch in what the head reads: the class token, or the mean of all patches where there is none.

    Args:
        flow: float [batch, tokens, tokens] from :func:`rollout`.
        prefix: Tokens before the patches: of the class, of distillation, registers.
        class_token: Whether the first of them is the class token.

    Returns:
        float [batch, patches]; what the prefix tokens hold themselves is left out, so the sum is below 1.
    """
    row = flow[:, 0] if class_token else flow[:, prefix:].mean(dim=1)
    return row[:, prefix:]


def centre_distances(grid: tuple[int, int], patch: tuple[int, int]) -> Tensor:
    """How far apart the centres of patches lie.

    Args:
        grid: Rows and columns of patches, in the order of the tokens row by row.
        patch: Height and width of a patch in pixels.

    Returns:
        Euclidean distances in pixels, float32 [patches, patches].
    """
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    centres = torch.stack([rows.flatten() * patch[0], columns.flatten() * patch[1]], dim=1).float()
    offsets = centres.unsqueeze(0) - centres.unsqueeze(1)
    return offsets.square().sum(dim=2).sqrt()


def mean_distance(attention: Tensor, distances: Tensor) -> Tensor:
    """How far each head looks: the mean over query patches of the distance to patches, weighted by attention to them.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, section 4.5 and figure 7. Attention to and
    from other tokens has no distance; it is left out, and the rest of each row counts as the whole.

    Args:
        attention: From patches to patches, float [batch, heads, patches, patches].
        distances: float [patches, patches], see :func:`centre_distances`.

    Returns:
        float [batch, heads], in the unit of ``distances``; a query that gives no patch any attention counts as 0.
    """
    total = attention.sum(dim=-1)
    return ((attention * distances).sum(dim=-1) / total.clamp_min(torch.finfo(total.dtype).tiny)).mean(dim=-1)


def kept_patches(sources: Tensor) -> Tensor:
    """Tells which patches go on as a token of their own, after pruning.

    Args:
        sources: float [batch, tokens, patches]: 1 where a token is a patch, less where it is a part of a fused token,
            and 0 elsewhere; see :meth:`edgevit.tokens.reduce.ReducedVisionTransformer.sources`.

    Returns:
        bool [batch, patches].
    """
    return (sources == 1).any(dim=1)


def merged_groups(sources: Tensor) -> Tensor:
    """Tells which token each patch goes on in, after merging.

    Args:
        sources: float [batch, tokens, patches]; more than 0 where a patch is part of a token.

    Returns:
        int64 [batch, patches], the number of the token, or -1 for a patch that is in none.
    """
    largest, token = sources.max(dim=1)
    return token.where(largest > 0, torch.full_like(token, -1))
