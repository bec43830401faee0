"""Token maths: pure functions on tensors, apart from any model."""

from __future__ import annotations

import torch


def class_attention(attention: torch.Tensor, num_prefix_tokens: int) -> torch.Tensor:
    """Scores patch tokens by how much the class token attends to them.

    Source: Liang et al., "Not All Patches are What You Need: Expediting Vision Transformers via Token
    Reorganizations", ICLR 2022 (EViT).

    Args:
        attention: Softmax attention, float [batch, heads, tokens, tokens]; the class token is token 0.
        num_prefix_tokens: Tokens before the patches (class, distillation, register), 1 or more.

    Returns:
        Mean over heads, float [batch, tokens - num_prefix_tokens], each in 0..1.
    """
    return attention[:, :, 0, num_prefix_tokens:].mean(dim=1)


def keep_top(tokens: torch.Tensor, scores: torch.Tensor, keep: int, num_prefix_tokens: int) -> torch.Tensor:
    """Keeps the prefix tokens and the ``keep`` best patch tokens, best first.

    Which of equal scores stays is the runtime's choice in ``torch.topk``; they are exchangeable by score.

    Args:
        tokens: float [batch, tokens, channels].
        scores: float [batch, tokens - num_prefix_tokens].
        keep: Patch tokens to keep, 1 ≤ keep ≤ tokens - num_prefix_tokens; constant, so that shapes are static.
        num_prefix_tokens: Tokens at the front that never leave.

    Returns:
        float [batch, num_prefix_tokens + keep, channels].

    Raises:
        ValueError: ``keep`` is out of range.
    """
    patches = tokens.shape[1] - num_prefix_tokens
    if not 1 <= keep <= patches:
        raise ValueError(f"cannot keep {keep} of {patches} patch tokens")
    index = scores.topk(keep, dim=1).indices.unsqueeze(-1).expand(-1, -1, tokens.shape[2])
    return torch.cat([tokens[:, :num_prefix_tokens], tokens[:, num_prefix_tokens:].gather(1, index)], dim=1)


def cut_margin(scores: torch.Tensor, keep: int) -> torch.Tensor:
    """How clearly the last token that stays beats the first that leaves.

    Args:
        scores: float [batch, patches], positive.
        keep: As in :func:`keep_top`.

    Returns:
        float [batch], their difference relative to the larger; near 0, rounding decides which one stays. 1 where
        all stay.
    """
    if keep == scores.shape[1]:
        return torch.ones_like(scores[:, 0])
    best = scores.topk(keep + 1, dim=1).values
    return (best[:, keep - 1] - best[:, keep]) / best[:, keep - 1]
