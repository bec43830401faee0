"""Constant folding in a captured graph: batch normalization into layers, and resampled parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from edgevit.model.program.derived import keeps_derivations
from edgevit.model.program.layers import CONVOLUTIONS, LINEAR, argument, attach, constant


def fold_batch_norm(module: fx.GraphModule) -> int:
    """Folds batch normalization into a convolution or linear layer, in place.

    That is the layer before it, if nothing else reads the layer's output; or the one after it, if nothing else reads
    the normalized values and the layer does not pad them.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.

    Returns:
        Number of folded normalizations.
    """
    folded = 0
    for norm in list(module.graph.nodes):
        if norm.op != "call_function" or norm.target is not torch.ops.aten.batch_norm.default:
            continue
        gamma, beta, mean, var = (_value(module, node) for node in norm.args[1:5])
        if mean is None or var is None or norm.args[5]:  # [5]: uses the batch's own statistics
            continue
        statistics = _Statistics(mean, var, norm.args[7], gamma, beta)
        before, after = norm.args[0], next(iter(norm.users), None)
        if _can_fold_back(norm, before):
            layer, fuse = before, _fold_back
        elif after is not None and _can_fold_on(norm, after):
            layer, fuse = after, _fold_on
        else:
            continue
        weight, bias = _value(module, layer.args[1]), _value(module, argument(layer, 2, "bias"))
        if weight is None:
            continue
        new_weight, new_bias = fuse(layer, weight, bias, statistics)
        with module.graph.inserting_before(layer):
            parameters = (
                _attach(module, f"_folded_{folded}_weight", new_weight),
                _attach(module, f"_folded_{folded}_bias", new_bias),
            )
        norm.replace_all_uses_with(before)
        layer.args = (layer.args[0], *parameters, *layer.args[3:])
        layer.kwargs = {key: value for key, value in layer.kwargs.items() if key not in ("weight", "bias")}
        module.graph.erase_node(norm)
        folded += 1
    if folded:
        module.graph.eliminate_dead_code()
        module.recompile()
    return folded


def fold_constant_resampling(module: fx.GraphModule) -> int:
    """Replaces every interpolation of parameters alone by its result, in place.

    timm's models with ``dynamic_img_size`` resample their position embeddings on each call, even to their present size;
    LiteRT has no such op, and with a static input the result is a constant.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.

    Returns:
        Number of replaced interpolations.
    """
    resampled = [
        node
        for node in module.graph.nodes
        if node.op == "call_function" and "upsample" in str(node.target) and _is_constant(node)
    ]
    for number, node in enumerate(resampled):
        with module.graph.inserting_before(node):
            constant = _attach(module, f"_resampled_{number}", _evaluate(module, node))
        node.replace_all_uses_with(constant)
    if resampled:
        module.graph.eliminate_dead_code()
        module.recompile()
    return len(resampled)


def _is_constant(node: fx.Node) -> bool:
    """Whether a node depends on parameters and numbers alone."""
    if node.op == "call_function":
        return bool(node.all_input_nodes) and all(map(_is_constant, node.all_input_nodes))
    return node.op == "get_attr"


def _evaluate(module: fx.GraphModule, node: fx.Node) -> Any:
    """The value of a node that depends on parameters alone."""
    if node.op == "get_attr":
        return _value(module, node)
    arguments, keywords = fx.node.map_arg((node.args, node.kwargs), lambda inner: _evaluate(module, inner))
    with torch.inference_mode():
        return cast(Any, node.target)(*arguments, **keywords)


@dataclass(frozen=True)
class _Statistics:
    """Parameters of a batch normalization in eval mode, each float32 [channels] but ``eps``."""

    mean: torch.Tensor
    var: torch.Tensor
    eps: float
    gamma: torch.Tensor | None
    beta: torch.Tensor | None


def _can_fold_back(norm: fx.Node, layer: Any) -> bool:
    return _is_layer(norm, layer) and len(layer.users) == 1


def _can_fold_on(norm: fx.Node, layer: fx.Node) -> bool:
    if not _is_layer(norm, layer) or len(norm.users) != 1 or layer.args[0] is not norm:
        return False
    if layer.target is LINEAR:
        return True
    padding = argument(layer, 4, "padding")
    return not any(padding) if isinstance(padding, list | tuple) else padding in (None, 0, "valid")


def _is_layer(norm: fx.Node, layer: Any) -> bool:
    """Whether a node is a convolution, or a linear layer over the axis that is normalized."""
    if not isinstance(layer, fx.Node) or layer.op != "call_function":
        return False
    return layer.target in CONVOLUTIONS or (layer.target is LINEAR and norm.meta["val"].ndim == 2)


def _fold_back(
    layer: fx.Node, weight: torch.Tensor, bias: torch.Tensor | None, norm: _Statistics
) -> tuple[torch.Tensor, torch.Tensor]:
    fuse: Any = fuse_linear_bn_weights if layer.target is LINEAR else fuse_conv_bn_weights
    gamma = torch.ones_like(norm.mean) if norm.gamma is None else norm.gamma
    beta = torch.zeros_like(norm.mean) if norm.beta is None else norm.beta
    return cast(tuple[torch.Tensor, torch.Tensor], fuse(weight, bias, norm.mean, norm.var, norm.eps, gamma, beta))


def _fold_on(
    layer: fx.Node, weight: torch.Tensor, bias: torch.Tensor | None, norm: _Statistics
) -> tuple[torch.Tensor, torch.Tensor]:
    """With weights [out, in / groups, ...]: W (s x + t) + b = (W s) x + (W t + b)."""
    scale = torch.rsqrt(norm.var + norm.eps)
    if norm.gamma is not None:
        scale = scale * norm.gamma
    shift = -norm.mean * scale
    if norm.beta is not None:
        shift = shift + norm.beta
    groups = 1 if layer.target is LINEAR else argument(layer, 6, "groups") or 1
    per_output = (len(weight), weight.shape[1], *[1] * (weight.ndim - 2))
    scales, shifts = (
        value.view(groups, -1).repeat_interleave(len(weight) // groups, 0).view(per_output) for value in (scale, shift)
    )
    constant = (weight * shifts).flatten(1).sum(1)
    return weight * scales, constant if bias is None else constant + bias


def _value(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    """The tensor behind a parameter node, or None."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    return constant(module, node)


def _attach(module: fx.GraphModule, name: str, value: torch.Tensor) -> fx.Node:
    if keeps_derivations(module):
        return attach(module, value)
    module.register_parameter(name, nn.Parameter(value.detach().clone(), requires_grad=False))
    return module.graph.get_attr(name)
