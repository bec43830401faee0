"""Token maths: pure functions on tensors, apart from any model.

All take and give patch tokens alone, so that class, distillation and register tokens cannot leave, and all counts are
constants, so that shapes are static. Whatever has to be chosen is chosen by :func:`ranks`, which has one answer for
every input, ties included. The two export forms of each function give the same bits:

* "gather": TopK, Gather, ArgMax and compare;
* "arithmetic": none of these, for delegates and NPUs that lack them. Choices become matrices of zeros and ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.spec.token_plan import Form

_STEEP = 6e4
"""Fits float16. Two steps of it tell apart any two float32 numbers of magnitude 1 or more."""
_LEAST_WEIGHT = 1e-3
"""Of a token that gets no attention at all, where 1 is what it would get if all got the same."""


class Patches(NamedTuple):
    """Patch tokens on their way through a model."""

    tokens: Tensor
    """float [batch, patches, channels]."""
    sizes: Tensor
    """float [batch, patches, 1], 1 or more: how many patches of the image each one stands for."""


def ranks(scores: Tensor) -> Tensor:
    """Place of each score when sorted from the highest; of equal ones the first comes first.

    Uses subtraction, multiplication, clamping and a sum only: differences are made steep and clipped, twice, so that
    nothing leaves the range of float16 for the worse.

    Args:
        scores: float [batch, n], each 1 or more, so that different ones differ by 2^-23 or more.

    Returns:
        float [batch, n], whole numbers 0..n-1, each once.
    """
    n = scores.shape[1]
    ahead = ((scores.unsqueeze(1) - scores.unsqueeze(2)) * _STEEP).clamp(-1, 1)
    beaten_by = (ahead * _STEEP + _first_wins(scores)).clamp(-1, 1)  # 1 if by that one, else -1
    return (beaten_by.sum(dim=2) + n) / 2


def take(values: Tensor, order: Tensor, first: int, last: int, form: Form) -> Tensor:
    """Picks rows by their rank.

    Args:
        values: float [batch, n, channels], finite.
        order: float [batch, n], from :func:`ranks`.
        first: Rank of the first row to take, 0..n-1.
        last: Rank after that of the last one, first+1..n.
        form: See the module; both give the same bits.

    Returns:
        float [batch, last - first, channels], by rising rank.
    """
    batch, n, channels = values.shape
    if form == "arithmetic":
        wanted = torch.arange(first, last, dtype=order.dtype, device=order.device)
        chosen = (1 - (order.unsqueeze(1) - wanted.unsqueeze(1)).abs()).relu()
        return chosen @ values
    index = (-order).topk(last, dim=1).indices[:, first:]
    if batch > 1:  # rows of the flat tensor, for Gather along one axis is what runtimes do fast
        index = index + torch.arange(batch, device=index.device).unsqueeze(1) * n
    return F.embedding(index, values.reshape(batch * n, channels))  # LiteRT adds range checks to index_select


def nearest(similarity: Tensor, form: Form) -> Tensor:
    """Marks the most similar host of each mover; the first one of equals.

    Args:
        similarity: float [batch, hosts, movers], each 1 or more.
        form: See the module; both give the same bits.

    Returns:
        Zeros and ones, float [batch, hosts, movers], one 1 for each mover.
    """
    hosts = torch.arange(similarity.shape[1], device=similarity.device).unsqueeze(1)
    if form == "gather":
        return (similarity.argmax(dim=1, keepdim=True) == hosts).to(similarity.dtype)
    behind = ((similarity.amax(dim=1, keepdim=True) - similarity) * _STEEP).clamp(-1, 1)
    among_best = (1 - behind * _STEEP).relu()
    order = among_best * (similarity.shape[1] - hosts).to(similarity.dtype)
    return (1 - (order.amax(dim=1, keepdim=True) - order)).relu()


def cosine(hosts: Tensor, movers: Tensor) -> Tensor:
    """Cosine similarity plus 2, so 1..3, which :func:`nearest` and :func:`ranks` can tell apart.

    Args:
        hosts: float [batch, m, channels].
        movers: float [batch, n, channels].

    Returns:
        float [batch, m, n]; 2 where a vector is zero.
    """
    # Transposed before the division: a product with a transposed factor is no product to LiteRT, but a linear layer.
    return _unit(hosts, dim=2) @ _unit(movers.transpose(1, 2), dim=1) + 2


def _unit(vectors: Tensor, dim: int) -> Tensor:
    # 1e-6, not less: the ONNX exporter takes an added constant up to 1e-8 for a zero, and leaves it out.
    return vectors * (vectors.square().sum(dim=dim, keepdim=True) + 1e-6).rsqrt()


def attention_received(query: Tensor, keys: Tensor, scale: float, log_sizes: Tensor | None) -> Tensor:
    """Scores tokens by how much a query attends to them.

    Source: Liang et al., "Not All Patches are What You Need: Expediting Vision Transformers via Token
    Reorganizations", ICLR 2022 (EViT), with the query of the class token.

    Args:
        query: float [batch, heads, 1, width].
        keys: float [batch, heads, tokens, width].
        scale: Of the products, as in the model's attention.
        log_sizes: Added to the products, float [batch, 1, 1, tokens]; None for no merged tokens.

    Returns:
        Softmax attention, mean over heads, float [batch, tokens], each in 0..1.
    """
    products = (query * scale) @ keys.transpose(-2, -1)
    if log_sizes is not None:
        products = products + log_sizes
    return products.softmax(dim=-1).mean(dim=1).squeeze(1)


def evit(tokens: Tensor, attention: Tensor, keep: int, form: Form) -> Tensor:
    """Keeps the patches that are attended to most, best first (EViT, see :func:`attention_received`).

    Args:
        tokens: float [batch, n, channels].
        attention: float [batch, n], each in 0..1.
        keep: 1..n.
        form: See the module.

    Returns:
        float [batch, keep, channels].
    """
    return take(tokens, ranks(_weights(attention) + 1), 0, keep, form)


def evit_fused(tokens: Tensor, attention: Tensor, keep: int, form: Form) -> Tensor:
    """Keeps the best patches but one, and sums all others, weighted by attention, in one token (EViT, section 3.2).

    The sum over those that leave is taken as the sum over all less that over those that stay.

    Args:
        tokens: float [batch, n, channels].
        attention: float [batch, n], each in 0..1; not normalised over those that leave, as in the paper.
        keep: 2..n-1, the fused token included.
        form: See the module.

    Returns:
        float [batch, keep, channels], the fused token last.
    """
    channels = tokens.shape[2]
    weighted = tokens * attention.unsqueeze(2)
    kept = evit(torch.cat([tokens, weighted], dim=2), attention, keep - 1, form)
    fused = weighted.sum(dim=1, keepdim=True) - kept[:, :, channels:].sum(dim=1, keepdim=True)
    return torch.cat([kept[:, :, :channels], fused], dim=1)


def tome(patches: Patches, metric: Tensor, keep: int, form: Form) -> Patches:
    """Merges the most similar patches: every second one may go into the nearest of the others, by size-weighted mean.

    Source: Bolya et al., "Token Merging: Your ViT but Faster", ICLR 2023, bipartite soft matching. Which patches can
    meet depends on their order.

    Args:
        patches: n of them.
        metric: What to compare, float [batch, n, width]; in the paper the mean of the heads' keys.
        keep: ceil(n / 2)..n-1.
        form: See the module.

    Returns:
        ``keep`` patches: those of the first half that stayed, in their order, then the second half.
    """
    n, channels = patches.tokens.shape[1:]
    movers, hosts = _halves(torch.cat([patches.tokens * patches.sizes, patches.sizes], dim=2))
    similarity = cosine(*reversed(_halves(metric)))
    stay = movers.shape[1] - (n - keep)
    stays = (1 - (n - keep - ranks(similarity.amax(dim=1))).relu()).relu()  # no clamp to 0..1: XNNPACK refuses it
    leaves = 1 - stays
    hosts = hosts + (nearest(similarity, form) * leaves.unsqueeze(1)) @ movers
    sums = torch.cat([take(movers, _order_of_stayers(stays), 0, stay, form), hosts], dim=1) if stay else hosts
    return Patches(sums[:, :, :channels] / sums[:, :, channels:], sums[:, :, channels:])


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Rows 1, 3, 5 … and rows 0, 2, 4 …, as in the paper's code, where the class token comes before them.

    A slice with a step is not an op that every delegate has.
    """
    batch, n, channels = values.shape
    pairs = values[:, : n // 2 * 2].reshape(batch, n // 2, 2 * channels)
    even, odd = pairs[:, :, :channels], pairs[:, :, channels:]
    return odd, (torch.cat([even, values[:, n - 1 :]], dim=1) if n % 2 else even)


def _order_of_stayers(stays: Tensor) -> Tensor:
    """For each 1 in [batch, n] the number of ones before it; for each 0, n or more."""
    n = stays.shape[1]
    before_less_after = (stays.unsqueeze(1) * _first_wins(stays)).sum(dim=2)
    return (before_less_after + stays.sum(dim=1, keepdim=True)) / 2 + (1 - stays) * n


def _first_wins(like: Tensor) -> Tensor:
    """1 in [i, j] where j comes before i, else -1; for n columns of a tensor, in its dtype.

    Not by ``tril``, which is an op that chooses; nor as a constant, which not every exporter takes from a function.
    """
    place = torch.arange(like.shape[1], dtype=like.dtype, device=like.device)
    return ((place.unsqueeze(1) - place) * 2 - 1).clamp(-1, 1)


def squeeze(patches: Patches, attention: Tensor, metric: Tensor, keep: int, form: Form) -> Patches:
    """Keeps the patches that are attended to most, and merges each of the others into the most similar one kept.

    A hybrid: EViT ranks; that the others are squeezed into the nearest kept one is Wei et al., "Joint Token Pruning and
    Squeezing", CVPR 2023 (TPS); ToMe's keys tell what is similar, and its sizes go on. Tokens are averaged by the
    attention they received, so that what matters little changes little.

    Args:
        patches: n of them.
        attention: float [batch, n], each in 0..1.
        metric: What to compare, float [batch, n, width].
        keep: 1..n-1.
        form: See the module.

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
    """Attention relative to what each token would get if all got the same; never 0, to divide by."""
    return attention * attention.shape[1] + _LEAST_WEIGHT


def cut_margin(attention: Tensor, keep: int) -> Tensor:
    """How clearly the last token that stays beats the first that leaves.

    Args:
        attention: float [batch, n], positive.
        keep: 1..n-1.

    Returns:
        float [batch], their difference relative to the larger; near 0, rounding decides which one stays.
    """
    best = attention.topk(keep + 1, dim=1).values
    return (best[:, keep - 1] - best[:, keep]) / best[:, keep - 1]


def nearest_margins(similarity: Tensor) -> Tensor:
    """How clearly the most similar host of each mover beats the second.

    Args:
        similarity: float [batch, hosts, movers], see :func:`cosine`.

    Returns:
        float [batch, movers], their difference; 1 where there is only one host.
    """
    if similarity.shape[1] == 1:
        return torch.ones_like(similarity[:, 0])
    best = similarity.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def tome_margin(metric: Tensor, keep: int) -> Tensor:
    """The closest decision that :func:`tome` takes, float [batch]: who leaves, and where to."""
    similarity = cosine(*reversed(_halves(metric)))
    best = similarity.amax(dim=1)
    leaving = metric.shape[1] - keep
    order = best.argsort(dim=1, descending=True)
    where = nearest_margins(similarity).gather(1, order[:, :leaving]).amin(dim=1)
    return torch.minimum(where, cut_margin(best, leaving)) if leaving < best.shape[1] else where


def squeeze_margin(attention: Tensor, metric: Tensor, keep: int) -> Tensor:
    """The closest decision that :func:`squeeze` takes, float [batch]: who stays, and who goes where."""
    order = attention.argsort(dim=1, descending=True).unsqueeze(2).expand_as(metric)
    in_order = metric.gather(1, order)
    where = nearest_margins(cosine(in_order[:, :keep], in_order[:, keep:])).amin(dim=1)
    return torch.minimum(where, cut_margin(attention, keep))
