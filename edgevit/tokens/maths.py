"""Token pruning and merging as pure functions on tensors, independent of any model.

All functions take and return patch tokens alone, so that class, distillation and register tokens are never pruned, and
all counts are constants, so that shapes are static. Every selection is made by :func:`ranks`, which is deterministic,
also for ties. The two export forms of each function give bit-identical results:

* "gather": TopK, Gather, ArgMax and compare;
* "arithmetic": none of these, for delegates and NPUs that lack them. Selections become matrices of zeros and ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.spec.token_plan import Form

_STEEP = 6e4
"""Slope that fits float16. Applied twice, it separates any two float32 numbers of magnitude 1 or more."""
_LEAST_WEIGHT = 1e-3
"""Weight of a token that receives no attention at all; uniform attention gives 1."""


class Patches(NamedTuple):
    """Patch tokens at some point of a model."""

    tokens: Tensor
    """float [batch, patches, channels]."""
    sizes: Tensor
    """float [batch, patches, 1], 1 or more: number of image patches that each token stands for."""


def ranks(scores: Tensor) -> Tensor:
    """Returns the rank of each score in descending order; of equal scores the first comes first.

    Uses subtraction, multiplication, clamping and a sum only: differences are scaled up and clipped, twice, so that
    an overflow of float16 does no harm.

    Args:
        scores: float [batch, n], each 1 or more, so that distinct ones differ by 2^-23 or more.

    Returns:
        float [batch, n], integers 0..n-1, each once.
    """
    n = scores.shape[1]
    ahead = ((scores.unsqueeze(1) - scores.unsqueeze(2)) * _STEEP).clamp(-1, 1)
    beaten_by = (ahead * _STEEP + _first_wins(scores)).clamp(-1, 1)  # 1 if by that one, else -1
    return (beaten_by.sum(dim=2) + n) / 2


def take(values: Tensor, order: Tensor, first: int, last: int, form: Form) -> Tensor:
    """Selects rows by rank.

    Args:
        values: float [batch, n, channels], finite.
        order: float [batch, n], from :func:`ranks`.
        first: First rank to take, 0..n-1.
        last: Rank after the last one to take, first+1..n.
        form: Export form, see the module.

    Returns:
        float [batch, last - first, channels], by ascending rank.
    """
    batch, n, channels = values.shape
    if form == "arithmetic":
        wanted = torch.arange(first, last, dtype=order.dtype, device=order.device)
        chosen = (1 - (order.unsqueeze(1) - wanted.unsqueeze(1)).abs()).relu()
        return chosen @ values
    index = (-order).topk(last, dim=1).indices[:, first:]
    if batch > 1:  # rows of the flattened tensor, since runtimes are fastest at Gather along one axis
        index = index + torch.arange(batch, device=index.device).unsqueeze(1) * n
    return F.embedding(index, values.reshape(batch * n, channels))  # LiteRT adds range checks to index_select


def nearest(similarity: Tensor, form: Form) -> Tensor:
    """Marks the most similar destination of each source; the first one of equals.

    Args:
        similarity: float [batch, destinations, sources], each 1 or more.
        form: Export form, see the module.

    Returns:
        float [batch, destinations, sources] of zeros and ones, one 1 for each source.
    """
    destinations = torch.arange(similarity.shape[1], device=similarity.device).unsqueeze(1)
    if form == "gather":
        return (similarity.argmax(dim=1, keepdim=True) == destinations).to(similarity.dtype)
    behind = ((similarity.amax(dim=1, keepdim=True) - similarity) * _STEEP).clamp(-1, 1)
    among_best = (1 - behind * _STEEP).relu()
    order = among_best * (similarity.shape[1] - destinations).to(similarity.dtype)
    return (1 - (order.amax(dim=1, keepdim=True) - order)).relu()


def cosine(destinations: Tensor, sources: Tensor) -> Tensor:
    """Returns cosine similarity plus 2, thus 1..3, the range in which :func:`nearest` and :func:`ranks` are exact.

    Args:
        destinations: float [batch, m, channels].
        sources: float [batch, n, channels].

    Returns:
        float [batch, m, n]; 2 where a vector is zero.
    """
    # Transposed before the division: LiteRT takes a product with a transposed factor for a linear layer.
    return _unit(destinations, dim=2) @ _unit(sources.transpose(1, 2), dim=1) + 2


def _unit(vectors: Tensor, dim: int) -> Tensor:
    # 1e-6, not less: the ONNX exporter treats an added constant up to 1e-8 as zero and removes it.
    return vectors * (vectors.square().sum(dim=dim, keepdim=True) + 1e-6).rsqrt()


def attention_received(query: Tensor, keys: Tensor, scale: float, log_sizes: Tensor | None) -> Tensor:
    """Scores tokens by the attention that a query pays to them.

    Source: Liang et al., "Not All Patches are What You Need: Expediting Vision Transformers via Token
    Reorganizations", ICLR 2022 (EViT), with the query of the class token.

    Args:
        query: float [batch, heads, 1, width].
        keys: float [batch, heads, tokens, width].
        scale: Factor of the products, as in the model's attention.
        log_sizes: Added to the products, float [batch, 1, 1, tokens]; None without merged tokens.

    Returns:
        Softmax attention, mean over heads, float [batch, tokens], each in 0..1.
    """
    products = (query * scale) @ keys.transpose(-2, -1)
    if log_sizes is not None:
        products = products + log_sizes
    return products.softmax(dim=-1).mean(dim=1).squeeze(1)


def evit(tokens: Tensor, attention: Tensor, keep: int, form: Form) -> Tensor:
    """Keeps the patches that receive most attention, best first (EViT, see :func:`attention_received`).

    Args:
        tokens: float [batch, n, channels].
        attention: float [batch, n], each in 0..1.
        keep: Number of patches to keep, 1..n.
        form: Export form, see the module.

    Returns:
        float [batch, keep, channels].
    """
    return take(tokens, ranks(_weights(attention) + 1), 0, keep, form)


def evit_fused(tokens: Tensor, attention: Tensor, keep: int, form: Form) -> Tensor:
    """Keeps the best ``keep - 1`` patches and fuses all others in one token, weighted by attention (EViT, section 3.2).

    The sum over the pruned patches is computed as the sum over all minus the sum over those kept.

    Args:
        tokens: float [batch, n, channels].
        attention: float [batch, n], each in 0..1; not normalized over the pruned patches, as in the paper.
        keep: Number of tokens to keep, 2..n-1, the fused token included.
        form: Export form, see the module.

    Returns:
        float [batch, keep, channels], the fused token last.
    """
    channels = tokens.shape[2]
    weighted = tokens * attention.unsqueeze(2)
    kept = evit(torch.cat([tokens, weighted], dim=2), attention, keep - 1, form)
    fused = weighted.sum(dim=1, keepdim=True) - kept[:, :, channels:].sum(dim=1, keepdim=True)
    return torch.cat([kept[:, :, :channels], fused], dim=1)


def tome(patches: Patches, metric: Tensor, keep: int, form: Form) -> Patches:
    """Merges the most similar patches: every second one may join the nearest of the others, by size-weighted mean.

    Source: Bolya et al., "Token Merging: Your ViT but Faster", ICLR 2023, bipartite soft matching. Which patches can be
    merged depends on their order.

    Args:
        patches: n of them.
        metric: Vectors to compare, float [batch, n, width]; in the paper the mean of the heads' keys.
        keep: Number of patches to keep, ceil(n / 2)..n-1.
        form: Export form, see the module.

    Returns:
        ``keep`` patches: the sources that were not merged, in their order, then the destinations.
    """
    n, channels = patches.tokens.shape[1:]
    sources, destinations = _halves(torch.cat([patches.tokens * patches.sizes, patches.sizes], dim=2))
    similarity = cosine(*reversed(_halves(metric)))
    count = sources.shape[1] - (n - keep)
    kept = (1 - (n - keep - ranks(similarity.amax(dim=1))).relu()).relu()  # not by clamp, which XNNPACK lacks
    merged = 1 - kept
    sums = destinations + (nearest(similarity, form) * merged.unsqueeze(1)) @ sources
    if count:
        sums = torch.cat([take(sources, _order_of_kept(kept), 0, count, form), sums], dim=1)
    return Patches(sums[:, :, :channels] / sums[:, :, channels:], sums[:, :, channels:])


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Returns rows 1, 3, 5 … (sources) and rows 0, 2, 4 … (destinations), as in the paper's code behind a class token.

    Without a strided slice, which not every delegate has.
    """
    batch, n, channels = values.shape
    pairs = values[:, : n // 2 * 2].reshape(batch, n // 2, 2 * channels)
    even, odd = pairs[:, :, :channels], pairs[:, :, channels:]
    return odd, (torch.cat([even, values[:, n - 1 :]], dim=1) if n % 2 else even)


def _order_of_kept(kept: Tensor) -> Tensor:
    """Returns for each 1 in [batch, n] the number of ones before it; for each 0, n or more."""
    n = kept.shape[1]
    before_less_after = (kept.unsqueeze(1) * _first_wins(kept)).sum(dim=2)
    return (before_less_after + kept.sum(dim=1, keepdim=True)) / 2 + (1 - kept) * n


def _first_wins(like: Tensor) -> Tensor:
    """Returns [n, n] for n columns of a tensor, in its dtype: 1 in [i, j] where j comes before i, else -1.

    Without ``tril``, which selects; not as a constant, which not every exporter accepts inside a function.
    """
    place = torch.arange(like.shape[1], dtype=like.dtype, device=like.device)
    return ((place.unsqueeze(1) - place) * 2 - 1).clamp(-1, 1)


def squeeze(patches: Patches, attention: Tensor, metric: Tensor, keep: int, form: Form) -> Patches:
    """Keeps the patches that receive most attention, and merges each of the others into the most similar one kept.

    A hybrid: EViT's ranking; merging of pruned tokens into the nearest kept one as in Wei et al., "Joint Token Pruning
    and Squeezing", CVPR 2023 (TPS); ToMe's similarity of keys and its sizes. Tokens are averaged with the attention that
    they received as weights.

    Args:
        patches: n of them.
        attention: float [batch, n], each in 0..1.
        metric: Vectors to compare, float [batch, n, width].
        keep: Number of patches to keep, 1..n-1.
        form: Export form, see the module.

    Returns:
        ``keep`` patches, best first.
    """
    channels, width = patches.tokens.shape[2], metric.shape[2]
    weights = _weights(attention).unsqueeze(2)
    packed = torch.cat([patches.tokens * weights, weights, patches.sizes, metric], dim=2)
    packed = take(packed, ranks(weights.squeeze(2) + 1), 0, packed.shape[1], form)
    values, compared = packed[:, :, :-width], packed[:, :, -width:]
    assignment = nearest(cosine(compared[:, :keep], compared[:, keep:]), form)
    sums = values[:, :keep] + assignment @ values[:, keep:]
    return Patches(sums[:, :, :channels] / sums[:, :, channels : channels + 1], sums[:, :, channels + 1 :])


def _weights(attention: Tensor) -> Tensor:
    """Attention relative to uniform attention; never 0, since it is a divisor."""
    return attention * attention.shape[1] + _LEAST_WEIGHT


def cut_margin(attention: Tensor, keep: int) -> Tensor:
    """Returns the margin between the last token kept and the first one pruned.

    Args:
        attention: float [batch, n], positive.
        keep: Number of tokens kept, 1..n-1.

    Returns:
        float [batch], their difference relative to the larger; near 0, rounding decides which one is kept.
    """
    best = attention.topk(keep + 1, dim=1).values
    return (best[:, keep - 1] - best[:, keep]) / best[:, keep - 1]


def nearest_margins(similarity: Tensor) -> Tensor:
    """Returns the margin between the most similar destination of each source and the second.

    Args:
        similarity: float [batch, destinations, sources], see :func:`cosine`.

    Returns:
        float [batch, sources], their difference; 1 where there is only one destination.
    """
    if similarity.shape[1] == 1:
        return torch.ones_like(similarity[:, 0])
    best = similarity.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def tome_margin(metric: Tensor, keep: int) -> Tensor:
    """Returns the smallest margin of the decisions of :func:`tome`, float [batch]: which patches merge, and into which."""
    similarity = cosine(*reversed(_halves(metric)))
    best = similarity.amax(dim=1)
    merged = metric.shape[1] - keep
    order = best.argsort(dim=1, descending=True)
    where = nearest_margins(similarity).gather(1, order[:, :merged]).amin(dim=1)
    return torch.minimum(where, cut_margin(best, merged)) if merged < best.shape[1] else where


def squeeze_margin(attention: Tensor, metric: Tensor, keep: int) -> Tensor:
    """Returns the smallest margin of the decisions of :func:`squeeze`, float [batch]: which are kept, and merged where."""
    order = attention.argsort(dim=1, descending=True).unsqueeze(2).expand_as(metric)
    in_order = metric.gather(1, order)
    where = nearest_margins(cosine(in_order[:, :keep], in_order[:, keep:])).amin(dim=1)
    return torch.minimum(where, cut_margin(attention, keep))
