"""Cheaper models with no new operation: smaller images, or larger patches. The baseline that token reduction has to beat."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from edgevit.errors import UsageError, first_line
from edgevit.model.input_channels import input_channels
from edgevit.model.program.copies import copy_with_shared_weights
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.spec.token_plan import ResizePlan

_REFUSALS = (AssertionError, RuntimeError, ValueError, TypeError)
"""What timm's models and torch raise on a size that they cannot take."""

_USUAL_STRIDE = 32
"""Total stride of most hierarchical models: the sizes proposed instead of a refused one are multiples of it."""

_PROPOSALS = 4
"""How many sizes are tried to propose one."""

_FOURTEENTHS = (13, 12, 11, 10)
"""Of the present side of the image, of the smaller sizes to look at: 208, 192, 176 and 160 of 224 pixels."""


@dataclass(frozen=True)
class Resized:
    """A model that takes images of another size."""

    module: nn.Module
    input_size: tuple[int, int]
    """Height and width in pixels of the images that it takes."""


def resize(module: nn.Module, plan: ResizePlan, input_size: tuple[int, int]) -> Resized:
    """Returns a model for smaller images, or with larger and thus fewer patches; it has run once.

    Resolution: position embeddings and windows follow where timm's ``set_input_size`` moves them; any other model keeps
    its weights and has to run on images of that size as it is, as convolutions do.

    Patch: for timm's ``VisionTransformer`` (ViT, DeiT, distilled DeiT), ``Eva``, ``Beit`` and
    ``VisionTransformerRelPos`` with a square patch embedding. It is resized by the pseudo-inverse of bicubic upscaling
    (Beyer et al., "FlexiViT", 2023), the position embedding is interpolated, both by timm. The image becomes as many
    whole patches as come nearest to its size, so that no border is cut: 224 x 224 pixels become 216 x 216 with patches
    of 18.

    Args:
        module: Classifier, float32 [n, 3, h, w] to logits [n, classes], in eval mode; stays as it is.
        plan: Resolution or patch in pixels.
        input_size: Height and width in pixels that the model takes now.

    Raises:
        UsageError: see :func:`check_resizable`.
    """
    check_resizable(module, plan, input_size)
    if plan.method == "resolution":
        return _resized(module, (plan.size, plan.size))
    return _resized(module, _whole_patches(plan.size, input_size), patch_size=(plan.size, plan.size))


def check_resizable(module: nn.Module, plan: ResizePlan, input_size: tuple[int, int]) -> None:
    """Refuses a plan that :func:`resize` would refuse, without copying the weights.

    What the arithmetic of sizes and patches does not decide, the model does: its weights are run on one image of the new
    size.

    Args:
        module: As for :func:`resize`.
        plan: As for :func:`resize`.
        input_size: As for :func:`resize`.

    Raises:
        UsageError: the model cannot be resized so, or its tokens would not become fewer; names the nearest size that works.
    """
    present = input_size[0] if plan.method == "resolution" else _own_patch(module)
    if plan.size == present and input_size[0] == input_size[1]:
        raise UsageError(f"{plan} is no reduction: it is what the model has", "give a smaller image or larger patches")
    check = _check_input if plan.method == "resolution" else _check_patches
    check(module, plan.size, input_size)


def smaller_sizes(module: nn.Module, input_size: tuple[int, int]) -> tuple[int, ...]:
    """Returns a few smaller sides of square images that a model takes as it is, with position embeddings interpolated.

    They are near 13, 12, 11 and 10 fourteenths of the present one. Each is a multiple of the patch where there is one,
    else of the largest power of 2 that is no more than a fourteenth, for strides are such.

    Args:
        module: As for :func:`resize`.
        input_size: As for :func:`resize`.

    Returns:
        In pixels, falling; none where the model takes no other size or its images are not square.
    """
    height, width = input_size
    if height != width:
        return ()
    step = _step(module)
    if step == 1:
        step = 2 ** int(math.log2(max(height / 14, 1)))
    near = dict.fromkeys((part * height + 7 * step) // (14 * step) * step for part in _FOURTEENTHS)
    return tuple(size for size in near if 0 < size < height and _is_resizable(module, size, input_size))


def _is_resizable(module: nn.Module, size: int, input_size: tuple[int, int]) -> bool:
    try:
        _check_input(module, size, input_size)
    except UsageError:
        return False
    return True


def _check_input(module: nn.Module, resolution: int, input_size: tuple[int, int]) -> None:
    height, width = input_size
    if height != width:
        raise UsageError(
            f"resolution:{resolution} makes square images, and this model takes {height} x {width}",
            "it would change the aspect ratio; bring a model with a square input",
        )
    _check_resolution(resolution, height, _step(module))
    try:
        _try_size(module, (resolution, resolution))
    except _REFUSALS as error:
        raise UsageError(
            f"the model cannot take {resolution} x {resolution} images: {first_line(error)}",
            _other_size(module, resolution, height),
        ) from error


def _check_patches(module: nn.Module, patch: int, input_size: tuple[int, int]) -> None:
    own = _own_patch(module)
    if own is None:
        raise UsageError(
            f"patch:{patch} needs a plain vision transformer (ViT, DeiT) whose patches one square convolution embeds",
            f"this {type(module).__name__} can use resolution:N, which resizes the image",
        )
    if not _reduces(patch, own, input_size):
        raise UsageError(
            f"patch:{patch} is no reduction: the model has {_tokens(own, input_size)} patches of {own} x {own} pixels in "
            f"{input_size[0]} x {input_size[1]}",
            _other_patch(patch, own, input_size),
        )
    try:
        _try_size(module, _whole_patches(patch, input_size), patch_size=(patch, patch))
    except _REFUSALS as error:
        raise UsageError(
            f"the model cannot take patches of {patch} x {patch} pixels: {first_line(error)}",
            "use resolution:N, which resizes the image",
        ) from error


def _resized(module: nn.Module, size: tuple[int, int], **patches: Any) -> Resized:
    """A copy for images of ``size``, which has run on one."""
    resized = copy.deepcopy(module)
    _set_size(resized, size, **patches)
    return Resized(resized, size)


def _try_size(module: nn.Module, size: tuple[int, int], **patches: Any) -> None:
    """Raises what the model raises on images of ``size``, found out with a copy that shares the model's weights."""
    # timm's writes into no weight; a user's own ``set_input_size`` might, so it gets weights of its own
    shares = not hasattr(module, "set_input_size") or type(module).__module__.startswith("timm.")
    _set_size((copy_with_shared_weights if shares else copy.deepcopy)(module), size, **patches)


def _set_size(module: nn.Module, size: tuple[int, int], **patches: Any) -> None:
    """Changes a model for images of ``size``, and runs it on one."""
    if hasattr(module, "set_input_size"):
        cast(Any, module).set_input_size(img_size=size, **patches)
    with torch.no_grad():
        module(torch.zeros(1, input_channels(module), *size))


def _step(module: nn.Module) -> int:
    """Pixels that the side of an image has to be a multiple of; timm crops or pads others, silently in some models."""
    embed: Any = getattr(module, "patch_embed", None)
    if hasattr(module, "set_input_size") and hasattr(embed, "feat_ratio"):
        return math.lcm(*embed.feat_ratio(as_scalar=False))
    return 1


def _check_resolution(resolution: int, own: int, step: int) -> None:
    """Refuses a size that is no smaller, or not a multiple of the patch."""
    smaller = 0 < resolution < own
    if smaller and resolution % step == 0:
        return
    below = min(resolution, own - 1) // step * step
    near = [f"resolution:{size}" for size in (below, below + step) if 0 < size < own]
    if step == 1:
        hint = f"give a size in pixels below {own}"
    elif near:
        hint = f"nearest: {' or '.join(near)}"
    else:
        hint = f"one patch fills its {own} x {own} image, which cannot be made smaller"
    why = (
        f"is not a multiple of the model's patch, {step} pixels"
        if smaller
        else f"is no reduction: {own} is the present"
    )
    raise UsageError(f"resolution:{resolution} {why}", hint)


def _other_size(module: nn.Module, refused: int, own: int) -> str:
    """Hint for a size that the model refused: the nearest that it takes."""
    sizes = sorted(range(_USUAL_STRIDE, own, _USUAL_STRIDE), key=lambda size: abs(size - refused))
    tried = [size for size in sizes if size != refused][:_PROPOSALS]
    for size in tried:
        try:
            _try_size(module, (size, size))
        except _REFUSALS:
            continue
        return f"resolution:{size} works"
    also = f"; tried {', '.join(map(str, tried))} too" if tried else ""
    return f"its size seems fixed at {own} x {own}{also}: leave the resolution as it is"


def _own_patch(module: nn.Module) -> int | None:
    """Side of the patches in pixels; None where they are not square, overlap, or more than they embeds the image."""
    ensure_torchvision_schemas()
    from timm.layers.patch_embed import PatchEmbed
    from timm.models.beit import Beit
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.vision_transformer_relpos import VisionTransformerRelPos

    # Swin has the same patch embedding, but its windows and merging depend on the grid of its own patches.
    if not isinstance(module, VisionTransformer | Eva | Beit | VisionTransformerRelPos):
        return None
    embed = module.patch_embed
    if type(embed) is not PatchEmbed:  # a convolutional stem
        return None
    height, width = embed.patch_size
    return int(height) if height == width and embed.proj.kernel_size == embed.proj.stride == (height, width) else None


def _grid(pixels: int, patch: int) -> int:
    """Number of patches that come nearest to a length in pixels; halves round up."""
    return max(1, (2 * pixels + patch) // (2 * patch))


def _whole_patches(patch: int, input_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width in pixels of the image that as many whole patches make as come nearest to the present size."""
    return patch * _grid(input_size[0], patch), patch * _grid(input_size[1], patch)


def _tokens(own: int, input_size: tuple[int, int]) -> int:
    """Number of patches that the model has now; it crops a border that is no whole patch."""
    return (input_size[0] // own) * (input_size[1] // own)


def _reduces(patch: int, own: int, input_size: tuple[int, int]) -> bool:
    """Whether larger patches are fewer: slightly larger ones may be as many on a small image, which then grows."""
    if not own < patch <= min(input_size):
        return False
    return _grid(input_size[0], patch) * _grid(input_size[1], patch) < _tokens(own, input_size)


def _other_patch(refused: int, own: int, input_size: tuple[int, int]) -> str:
    sizes = [size for size in range(own + 1, min(input_size) + 1) if _reduces(size, own, input_size)]
    if not sizes:
        return "larger patches leave no fewer; use resolution:N, which resizes the image"
    return f"nearest: patch:{min(sizes, key=lambda size: abs(size - refused))}"
