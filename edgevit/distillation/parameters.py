"""Which parameters are trained, and how fast each: frozen layers, weight decay, layer-wise learning rates."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas


def freeze(module: nn.Module, blocks: int) -> None:
    """Excludes the embedding and the first blocks of a model from training, in place.

    Args:
        module: Of timm, which knows its layers.
        blocks: How many, ≥ 0; with 0, the embedding alone is frozen.

    Raises:
        UsageError: its layers are not known, or it has no more blocks than these.
    """
    layers = _layers(module, "--freeze")
    deepest = max(layers.values())  # the classifier; blocks are 1 .. deepest - 1
    if not 0 <= blocks < deepest:
        raise UsageError(
            f"--freeze {blocks}: the model has {deepest - 1} blocks, and the embedding before them",
            f"give 0 to {deepest - 1}",
        )
    for name, parameter in module.named_parameters():
        if layers[name] <= blocks:
            parameter.requires_grad_(False)


def to_train_mode(module: nn.Module) -> None:
    """Puts a model in training mode, but batch normalization of frozen layers, whose statistics would go on changing."""
    module.train()
    for part in module.modules():
        weights = list(part.parameters(recurse=False))
        if isinstance(part, _BatchNorm) and weights and not any(weight.requires_grad for weight in weights):
            part.eval()


def parameter_groups(module: nn.Module, weight_decay: float, layer_decay: float | None = None) -> list[dict[str, Any]]:
    """Returns the trained parameters in groups for an optimizer of torch or timm, by timm's functions.

    Norms, biases, tokens and position tables have no weight decay.

    Args:
        module: Frozen parameters are in no group.
        weight_decay: Of all other parameters, ≥ 0.
        layer_decay: Factor, 0 < factor ≤ 1, by which the learning rate of each layer is lower than that of the next one:
            ``lr_scale`` of a group, which timm's schedules apply (Bao et al., "BEiT", 2022). None for equal rates.

    Raises:
        UsageError: there is nothing to train, ``layer_decay`` is out of its range, or the layers are not known.
    """
    ensure_torchvision_schemas()
    from timm.optim import param_groups_layer_decay, param_groups_weight_decay  # type: ignore[attr-defined]

    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UsageError("the student has no parameter to train", "freeze fewer blocks, or name another student")
    without_decay = {name for name, parameter in module.named_parameters() if is_small(parameter)}
    if hasattr(module, "no_weight_decay"):
        without_decay |= set(cast(Any, module).no_weight_decay())
    if layer_decay is None:
        groups = param_groups_weight_decay(module, weight_decay, no_weight_decay_list=without_decay)
    else:
        if not 0 < layer_decay <= 1:
            raise UsageError(f"layer_decay = {layer_decay:g}", "give a factor above 0, at most 1, such as 0.75")
        _layers(module, "layer_decay")
        groups = param_groups_layer_decay(
            module, weight_decay, no_weight_decay_list=without_decay, layer_decay=layer_decay
        )
    return list(groups)


def is_small(parameter: Tensor) -> bool:
    """Returns whether a parameter is no weight of a layer: a bias, a norm's gain, a token or a table of positions.

    Args:
        parameter: Of any shape: those have one dimension, or a first one of length 1 before two others.
    """
    return parameter.ndim <= 1 or (parameter.ndim >= 3 and parameter.shape[0] == 1)


def _layers(module: nn.Module, asked: str) -> dict[str, int]:
    """Which layer each parameter is of: 0 is the embedding, 1 the first block, and the classifier comes last."""
    ensure_torchvision_schemas()
    from timm.models import group_parameters  # type: ignore[attr-defined]

    if not hasattr(module, "group_matcher"):
        raise UsageError(
            f"{asked} needs a model whose layers are known, and {type(module).__name__} does not tell them",
            "leave it out, or name a model of timm",
        )
    return dict(group_parameters(module, cast(Any, module).group_matcher(coarse=False), reverse=True))
