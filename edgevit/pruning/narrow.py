"""Fewer blocks and a narrower embedding: what changes all layers of a plain vision transformer at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.model.over_batches import over_batches
from edgevit.model.program.copies import copy_with_shared_weights
from edgevit.pruning.gram import InputSums
from edgevit.pruning.refit import Reader, ridge_of
from edgevit.pruning.shrink import read_weights, set_weights


def without_blocks(module: nn.Module, gone: Sequence[int]) -> nn.Module:
    """Returns a copy of a plain vision transformer without some blocks, counted from 0; ``module`` stays as it is."""
    smaller: Any = copy_with_shared_weights(module)
    smaller.blocks = nn.Sequential(*(block for place, block in enumerate(smaller.blocks) if place not in gone))
    return smaller  # type: ignore[no-any-return]


def least_dims(module: nn.Module, batches: Iterable[Tensor], count: int) -> list[int]:
    """Returns the dimensions of the embedding that matter least to what reads it, ascending.

    Args:
        module: A plain vision transformer.
        batches: Images, float32 [n, channels, h, w].
        count: How many.

    Returns:
        Those with the least share of the variance of what the readers give, by their weights and what they read.
    """
    sums = {name: InputSums() for _, name in _readings(module)}
    handles = [module.get_submodule(name).register_forward_pre_hook(each.add) for name, each in sums.items()]
    try:
        for _ in over_batches(module, batches):
            pass
    finally:
        for handle in handles:
            handle.remove()
    shares = []
    for name, each in sums.items():
        variance = each.moments().covariance.diagonal() * (read_weights(module, name).weight ** 2).sum(axis=0)
        shares.append(variance / variance.sum())
    return sorted(np.argsort(np.mean(shares, axis=0), kind="stable")[:count].tolist())


def narrowed(module: nn.Module, gone: Sequence[int], batches: Iterable[Tensor] | None) -> nn.Module:
    """Returns a copy of a plain vision transformer whose embedding lacks some dimensions; ``module`` stays as it is.

    What reads the embedding behind a norm is refitted by least squares to what it gave, for the norm sees fewer dimensions.

    Args:
        module: A plain vision transformer, see :func:`edgevit.pruning.sub_network.is_plain`.
        gone: Dimensions that leave.
        batches: Images to refit on, float32 [n, channels, h, w]; None to build the shape alone.
    """
    width = int(module.embed_dim)  # type: ignore[arg-type]
    kept = [place for place in range(width) if place not in set(gone)]
    smaller = _sliced(copy.deepcopy(module), width, kept)
    for name, reader in _refitted(module, smaller, kept, batches) if batches is not None else ():
        set_weights(smaller.get_submodule(name), reader)
    found: nn.Module = smaller.eval().requires_grad_(False)
    return found


def _readings(module: Any) -> Iterator[tuple[str, str]]:
    """Each norm with the layer that reads what it gives."""
    for place in range(len(module.blocks)):
        yield f"blocks.{place}.norm1", f"blocks.{place}.attn.qkv"
        yield f"blocks.{place}.norm2", f"blocks.{place}.mlp.fc1"
    yield "norm", "head"


_INPUTS = ("attn.qkv", "mlp.fc1", "head")
_OUTPUTS = ("patch_embed.proj", "attn.proj", "mlp.fc2")


def _sliced(module: Any, width: int, kept: list[int]) -> Any:
    """The module with the embedding's dimensions that stay, in every layer and table that has them."""
    for name, part in module.named_modules():
        if isinstance(part, nn.LayerNorm) and part.normalized_shape == (width,):
            part.normalized_shape = (len(kept),)
            for each in ("weight", "bias"):
                if getattr(part, each) is not None:
                    setattr(part, each, nn.Parameter(getattr(part, each).detach()[kept]))
        elif name.endswith(_OUTPUTS):
            part.weight = nn.Parameter(part.weight.detach()[kept])
            part.bias = None if part.bias is None else nn.Parameter(part.bias.detach()[kept])
            setattr(part, "out_channels" if isinstance(part, nn.Conv2d) else "out_features", len(kept))
        elif name.endswith(_INPUTS):
            part.weight = nn.Parameter(part.weight.detach()[:, kept])
            part.in_features = len(kept)
        elif isinstance(getattr(part, "gamma", None), nn.Parameter):
            part.gamma = nn.Parameter(part.gamma.detach()[kept])
    for name in ("cls_token", "pos_embed", "reg_token"):
        if getattr(module, name, None) is not None:
            setattr(module, name, nn.Parameter(getattr(module, name).detach()[..., kept]))
    module.embed_dim = module.num_features = module.head_hidden_size = len(kept)
    return module


def _refitted(
    module: nn.Module, smaller: nn.Module, kept: list[int], batches: Iterable[Tensor]
) -> Iterator[tuple[str, Reader]]:
    sums: dict[str, InputSums] = {}
    handles = []

    def watch(norm: str, name: str) -> Any:
        of_smaller, each = smaller.get_submodule(norm), sums.setdefault(name, InputSums())

        def hook(_: nn.Module, read: tuple[Tensor, ...], given: Tensor) -> None:
            each.add(_, (torch.cat([given, of_smaller(read[0][..., kept])], dim=-1),))

        return hook

    for norm, name in _readings(module):
        handles.append(module.get_submodule(norm).register_forward_hook(watch(norm, name)))
    try:
        for _ in over_batches(module, batches):
            pass
    finally:
        for handle in handles:
            handle.remove()
    for name, each in sums.items():
        yield name, _fit(read_weights(module, name), each, len(kept))


def _fit(reader: Reader, sums: InputSums, left: int) -> Reader:
    """The weights for the last ``left`` of the inputs that were summed, to give what ``reader`` does with those before."""
    moments = sums.moments()
    whole = len(moments.mean) - left
    covariance = moments.covariance[whole:, whole:]
    damped = covariance + ridge_of(covariance) * np.eye(left)
    weight = np.linalg.solve(damped, moments.covariance[whole:, :whole] @ reader.weight.T).T
    return Reader(weight, reader.bias + reader.weight @ moments.mean[:whole] - weight @ moments.mean[whole:])
