"""Turns a module into the one static float32 graph that every exporter starts from.

Re-parameterizable blocks are merged and batch normalization is folded into the convolution or linear layer before
it, so that export and calibration see the network as it will run.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from edgevit.errors import UsageError
from edgevit.torchvision_schemas import ensure_torchvision_schemas

FOLDING_TOLERANCE = 1e-4
"""Largest relative difference that merging and folding may make (it is rounding, about 1e-6)."""

_ATTENTION = (torch.ops.aten.scaled_dot_product_attention.default, torch.ops.aten.softmax.int, torch.ops.aten._softmax.default)
_CONVOLUTIONS = (torch.ops.aten.conv1d.default, torch.ops.aten.conv2d.default, torch.ops.aten.conv2d.padding)


def capture(module: nn.Module, input_size: tuple[int, int]) -> ExportedProgram:
    """Captures a classifier with a static shape, batch 1.

    Args:
        module: float32 [n, 3, h, w] to logits [n, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.

    Returns:
        A program with one input, ``input`` float32 [1, 3, h, w], and one output, logits float32 [1, classes].

    Raises:
        UsageError: torch.export cannot capture the module, or its fused form does not compute the same.
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(1, 3, *input_size, generator=generator)
    with torch.inference_mode():
        expected = module(example)
    merged = _reparameterize(copy.deepcopy(module))
    try:
        program = torch.export.export(_Classifier(merged), (example,))
    except (RuntimeError, ValueError, TypeError, torch._dynamo.exc.TorchDynamoException) as error:
        raise UsageError(
            f"torch.export cannot capture the model: {str(error).strip().splitlines()[0]}",
            "data-dependent control flow and shapes cannot be exported",
        ) from error
    folded = cast(fx.GraphModule, program.module())
    if fold_batch_norm(folded):
        program = torch.export.export(folded, (example,))
    actual = cast(nn.Module, program.module())(example)
    difference = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= FOLDING_TOLERANCE:
        raise UsageError(f"the captured model differs from the module by {difference:.1e} (relative)")
    return program


class _Classifier(nn.Module):
    """Gives the input of the exported graph its name."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.module(input))


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes a program so that another process can load it."""
    torch.export.save(program, path)


def load_program(path: Path) -> ExportedProgram:
    """Loads a program that :func:`save_program` wrote in this run."""
    ensure_torchvision_schemas()
    return torch.export.load(path)


def is_transformer(program: ExportedProgram) -> bool:
    """Whether the network has attention: a softmax or fused attention that feeds further layers."""
    return any(node.op == "call_function" and node.target in _ATTENTION for node in program.graph.nodes)


def count_macs(program: ExportedProgram) -> int:
    """Counts multiply-accumulate operations of one inference by running it under torch's FLOP counter."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    module = cast(nn.Module, program.module())
    example = program.example_inputs
    if example is None:
        raise UsageError("the program was saved without example inputs")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(*example[0])
    return int(counter.get_total_flops()) // 2


def _reparameterize(module: nn.Module) -> nn.Module:
    """Merges multi-branch blocks into their inference form, where timm's modules know how."""
    ensure_torchvision_schemas()
    from timm.utils import reparameterize_model

    return cast(nn.Module, reparameterize_model(module, inplace=True)).eval()


def fold_batch_norm(module: fx.GraphModule) -> int:
    """Folds every batch normalization into the convolution or linear layer that alone feeds it, in place.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.

    Returns:
        How many were folded.
    """
    folded = 0
    for norm in list(module.graph.nodes):
        if norm.op != "call_function" or norm.target is not torch.ops.aten.batch_norm.default:
            continue
        layer = norm.args[0]
        fuse = _fuser(layer)
        if fuse is None or len(layer.users) != 1:
            continue
        weight, bias, gamma, beta, mean, var = (
            _value(module, node) for node in (layer.args[1], _argument(layer, 2), *norm.args[1:5])
        )
        if weight is None or mean is None or var is None:
            continue
        new_weight, new_bias = fuse(weight, bias, mean, var, norm.args[7], gamma, beta)
        with module.graph.inserting_before(layer):
            parameters = [_attach(module, f"_folded_{folded}_{name}", value) for name, value in (("weight", new_weight), ("bias", new_bias))]
        layer.args = (layer.args[0], *parameters, *layer.args[3:])
        layer.kwargs = {key: value for key, value in layer.kwargs.items() if key not in ("weight", "bias")}
        norm.replace_all_uses_with(layer)
        module.graph.erase_node(norm)
        folded += 1
    if folded:
        module.graph.eliminate_dead_code()
        module.recompile()
    return folded


def _fuser(layer: Any) -> Any:
    if not isinstance(layer, fx.Node) or layer.op != "call_function":
        return None
    if layer.target in _CONVOLUTIONS:
        return fuse_conv_bn_weights
    return fuse_linear_bn_weights if layer.target is torch.ops.aten.linear.default else None


def _argument(node: fx.Node, position: int) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get("bias")


def _value(module: fx.GraphModule, node: Any) -> torch.Tensor | None:
    """The tensor behind a parameter node, or None."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        return None
    owner: Any = module
    for part in str(node.target).split("."):
        owner = getattr(owner, part)
    return cast(torch.Tensor, owner)


def _attach(module: fx.GraphModule, name: str, value: torch.Tensor) -> fx.Node:
    module.register_parameter(name, nn.Parameter(value.detach().clone(), requires_grad=False))
    return module.graph.get_attr(name)
