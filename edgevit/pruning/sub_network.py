"""Depth, heads, MLPs, width and patch size of a plain vision transformer, chosen together from one trained model.

The space is that of AutoFormer (Chen et al., 2021); there is no supernet here, so what each change alone does to the predictions
decides, and what reads less than before is refitted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from edgevit.errors import UsageError
from edgevit.model.forward_cost import forward_cost
from edgevit.model.over_batches import over_batches
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.pruning.narrow import least_dims, narrowed, without_blocks
from edgevit.pruning.prune import Judge, OnProgress, PartWidth, PruningImages, prune
from edgevit.spec.pruning_plan import PruningPlan
from edgevit.spec.token_plan import ResizePlan
from edgevit.tokens.resize import resize

_MOST_GONE = 0.25
"""Of the blocks, the heads and the embedding, that leave at most."""
_SINGLE_MLP = 0.25
_WIDTHS = 2
"""Steps of the embedding that may leave."""


@dataclass(frozen=True)
class SubNetwork:
    """How a smaller vision transformer differs from the trained one."""

    patch: int
    """Pixels; larger ones are fewer tokens."""
    blocks_gone: tuple[int, ...]
    """Counted from 0."""
    dims_gone: tuple[int, ...]
    """Of the embedding."""
    heads_gone: int
    mlp_share: float
    """Of the hidden units that leave."""

    def __str__(self) -> str:
        return (
            f"patches of {self.patch}, {len(self.blocks_gone)} blocks, {len(self.dims_gone)} dimensions, {self.heads_gone} heads and"
            f" {100 * self.mlp_share:.0f} % of the hidden units left"
        )


@dataclass(frozen=True)
class FoundSubNetwork:
    """A smaller vision transformer."""

    module: nn.Module
    input_size: tuple[int, int]
    """Height and width of its images: whole patches."""
    shape: SubNetwork
    widths: tuple[PartWidth, ...]
    divergence: float
    expected: float
    """See :class:`edgevit.pruning.prune.Pruned`."""


def check_plain(module: nn.Module) -> None:
    """Refuses a model that is no plain vision transformer of timm with a linear head behind its norm.

    Raises:
        UsageError: it is another one.
    """
    ensure_torchvision_schemas()
    from timm.models.vision_transformer import Attention, Block, VisionTransformer

    vit: Any = module
    plain = (
        type(module) is VisionTransformer
        and all(type(block) is Block and type(block.attn) is Attention for block in vit.blocks)
        and vit.global_pool in ("token", "avg")
        and isinstance(vit.head, nn.Linear)
        and isinstance(vit.fc_norm, nn.Identity)
        and isinstance(vit.norm_pre, nn.Identity)
        and vit.attn_pool is None
    )
    if not plain:
        raise UsageError(
            f"--prune macs=… chooses depth, width and the rest of a plain vision transformer, and the model is {type(module).__name__}",
            "give mlp=…, heads=… or channels=…, as far as it has them",
        )


def find_sub_network(
    module: nn.Module,
    share: float,
    images: PruningImages,
    step: int,
    on_progress: OnProgress = lambda done, total: None,
) -> FoundSubNetwork:
    """Returns the sub-network of so many MACs for which what its changes do alone adds up to least; ``module`` stays as it is.

    Args:
        module: A plain vision transformer, see :func:`check_plain`.
        share: Of the MACs, that stays at most.
        images: To decide by, as ``module`` takes them.
        step: What widths are rounded to.
        on_progress: See :func:`edgevit.pruning.prune.prune`.

    Raises:
        UsageError: no sub-network has so few.
    """
    space = _Space(module, images, step, on_progress)
    fitting = list(space.points(share))
    if not fitting:
        raise UsageError(f"--prune macs={share:g}: no sub-network has so few", "give a larger share")
    expected, shape = min(fitting, key=lambda each: (each[0], str(each[1])))
    smaller, input_size = build_shape(module, images.images.preprocessing.input_size, shape, images)
    theirs = images.resized(input_size)
    plan = PruningPlan(mlp=shape.mlp_share or None, heads=shape.heads_gone or None)
    widths: tuple[PartWidth, ...] = ()
    if plan != PruningPlan():
        pruned = prune(smaller, plan, theirs, step, on_progress)
        smaller, widths = pruned.module, pruned.widths
    return FoundSubNetwork(smaller, input_size, shape, widths, space.judge.divergence(smaller, theirs), expected)


def build_shape(
    module: nn.Module, input_size: tuple[int, int], shape: SubNetwork, images: PruningImages | None
) -> tuple[nn.Module, tuple[int, int]]:
    """Returns a model of a shape but for its heads and MLPs, and the size of its images.

    Args:
        module: The trained one; stays as it is.
        input_size: Of its images.
        shape: That is built.
        images: To refit on; None for weights that will be replaced.
    """
    vit: Any = module
    smaller = module
    if shape.patch != vit.patch_embed.patch_size[0]:
        resized = resize(module, ResizePlan("patch", shape.patch), input_size)
        smaller, input_size = resized.module, resized.input_size
    if shape.blocks_gone:
        smaller = without_blocks(smaller, shape.blocks_gone)
    if shape.dims_gone:
        smaller = narrowed(smaller, shape.dims_gone, images.resized(input_size).batches() if images else None)
    return smaller, input_size


def larger_patches(patch: int, side: int) -> tuple[int, ...]:
    """Returns the sizes of patches to look at: with which there are one and two fewer along a side.

    Args:
        patch: Pixels of a patch now.
        side: Of the image, the shorter one.
    """
    now = side // patch
    sizes = {fewer: next(size for size in range(patch + 1, side + 1) if round(side / size) <= fewer) for fewer in (now - 1, now - 2)
             if fewer >= 2}  # fmt: skip
    return tuple(sorted(set(sizes.values())))


class _Space:
    """What can change, and what each change does alone."""

    def __init__(self, module: nn.Module, images: PruningImages, step: int, on_progress: OnProgress) -> None:
        self.judge = Judge(module, images)
        vit: Any = module
        self._vit = vit
        self._images, self._step = images, step
        self._size = images.images.preprocessing.input_size
        self._patch = int(self._vit.patch_embed.patch_size[0])
        self._none = SubNetwork(self._patch, (), (), 0, 0.0)
        self._macs: dict[SubNetwork, float] = {}
        self._dense = self._cost(self._none)
        blocks, embedding = len(self._vit.blocks), int(self._vit.embed_dim)
        work = blocks + _WIDTHS + 4
        self._blocks = []
        for place in range(blocks):
            on_progress(place, work)
            self._blocks.append((self._alone(replace(self._none, blocks_gone=(place,))), place))
        self._blocks.sort()
        self._widths: dict[tuple[int, ...], float] = {(): 0.0}
        for count in range(1, _WIDTHS + 1):
            on_progress(blocks + count, work)
            if count * step <= _MOST_GONE * embedding:
                dims = tuple(least_dims(module, images.batches(), count * step))
                self._widths[dims] = self._alone(replace(self._none, dims_gone=dims))
        self._patches = {self._patch: 0.0}
        for patch in larger_patches(self._patch, min(self._size)):
            self._patches[patch] = self._alone(replace(self._none, patch=patch))
        on_progress(work - 2, work)
        self._head = self._pruned_alone(PruningPlan(heads=1))
        on_progress(work - 1, work)
        self._mlp = self._pruned_alone(PruningPlan(mlp=_SINGLE_MLP))

    def points(self, share: float) -> Iterator[tuple[float, SubNetwork]]:
        """Every combination within the MACs, with the sum of what its changes do alone, in nats.

        Of hidden units as many leave as are needed; their divergence is taken to grow with the square of their share, that of heads
        with the square of their number, as single changes of one kind do not add up.
        """
        blocks = range(int(_MOST_GONE * len(self._blocks)) + 1)
        heads = range(int(_MOST_GONE * sum(block.attn.num_heads for block in self._vit.blocks)) + 1)
        for patch, dims, count, gone in itertools.product(self._patches, self._widths, blocks, heads):
            first = tuple(sorted(place for _, place in self._blocks[:count]))
            base = replace(self._none, patch=patch, dims_gone=dims, blocks_gone=first, heads_gone=gone)
            nats = (
                self._patches[patch]
                + self._widths[dims]
                + sum(each for each, _ in self._blocks[:count])
                + gone**2 * self._head
            )
            over = self._estimate(base) - share * self._dense
            mlp = max(0.0, over / self._mlp_macs(base))
            if mlp <= 0.5:
                yield nats + self._mlp * (mlp / _SINGLE_MLP) ** 2, replace(base, mlp_share=round(mlp, 4))

    def _estimate(self, shape: SubNetwork) -> float:
        """MACs without a part of the MLPs."""
        whole = self._cost(replace(shape, heads_gone=0))
        return whole - shape.heads_gone * self._head_macs(shape)

    def _mlp_macs(self, shape: SubNetwork) -> float:
        block = self._vit.blocks[0].mlp
        left = (self._vit.embed_dim - len(shape.dims_gone)) * 2 * block.fc1.out_features
        return float(left * self._tokens(shape) * (len(self._vit.blocks) - len(shape.blocks_gone)))

    def _head_macs(self, shape: SubNetwork) -> float:
        tokens, width = self._tokens(shape), self._vit.embed_dim - len(shape.dims_gone)
        head: int = self._vit.blocks[0].attn.head_dim
        return float(tokens * head * (4 * width + 2 * tokens))

    def _tokens(self, shape: SubNetwork) -> int:
        patches = round(self._size[0] / shape.patch) * round(self._size[1] / shape.patch)
        return patches + int(self._vit.num_prefix_tokens)

    def _cost(self, shape: SubNetwork) -> float:
        if shape not in self._macs:
            (self._macs[shape],) = over_batches(
                self._counted, (shape,)
            )  # in one thread, which other work disturbs less
        return self._macs[shape]

    def _counted(self, shape: SubNetwork) -> float:
        return forward_cost(*build_shape(self._vit, self._size, shape, None)).macs

    def _alone(self, shape: SubNetwork) -> float:
        smaller, size = build_shape(self._vit, self._size, shape, self._images)
        return max(0.0, self.judge.divergence(smaller, self._images.resized(size)))

    def _pruned_alone(self, plan: PruningPlan) -> float:
        return max(0.0, prune(self._vit, plan, self._images, self._step).divergence)
