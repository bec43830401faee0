"""Turns a module into the one static float32 graph that every exporter starts from.

Re-parameterizable blocks are merged and batch normalization is folded into the convolution or linear layer beside
it, so that export and calibration see the network as it will run.
"""

from __future__ import annotations

import copy
import functools
import io
import itertools
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from edgevit.errors import UsageError
from edgevit.results import write_atomically
from edgevit.torchvision_schemas import ensure_torchvision_schemas

FOLDING_TOLERANCE = 1e-4
"""Largest relative difference that merging and folding may make (it is rounding, about 1e-6)."""

_FUSED_ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
_PRODUCTS = (
    torch.ops.aten.matmul.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten.baddbmm.default,
    torch.ops.aten.einsum.default,
)
_LINEAR = torch.ops.aten.linear.default
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
    example = _image_like(input_size)
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
    if not _is_static(program):
        raise UsageError("a shape inside the model depends on the image", "data-dependent control flow and shapes cannot be exported")
    folded = program.module()
    if fold_batch_norm(folded) + fold_constant_resampling(folded):
        program = torch.export.export(folded, (example,))
    actual = cast(nn.Module, program.module())(example).detach()
    difference = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= FOLDING_TOLERANCE:
        raise UsageError(f"the captured model differs from the module by {difference:.1e} (relative)")
    return program


def _image_like(size: tuple[int, int]) -> torch.Tensor:
    """Smooth colours with a little noise, float32 [1, 3, h, w], mean about 0 and deviation about 1.

    White noise would drive a network far out of the range its norms were made for, where float32 rounding alone
    (folded or not) moves the logits of a LeViT by 3 %.
    """
    generator = torch.Generator().manual_seed(0)
    colours = nn.functional.interpolate(torch.randn(1, 3, 6, 6, generator=generator), size=size, mode="bicubic")
    return colours + 0.1 * torch.randn(colours.shape, generator=generator)


class _Classifier(nn.Module):
    """Gives the input of the exported graph its name."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.module(input))


def _is_static(program: ExportedProgram) -> bool:
    """Whether every tensor has a shape of plain numbers."""
    values = (node.meta.get("val") for node in program.graph.nodes)
    return all(isinstance(length, int) for value in values if isinstance(value, torch.Tensor) for length in value.shape)


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes a program so that another process can load it."""
    buffer = io.BytesIO()  # torch's own writer has no words for a full disk
    torch.export.save(program, buffer)
    write_atomically(path, buffer.getvalue())


def load_program(path: Path) -> ExportedProgram:
    """Loads a program that :func:`save_program` wrote in this run."""
    ensure_torchvision_schemas()
    return torch.export.load(path)


def is_transformer(program: ExportedProgram) -> bool:
    """Whether the network has self-attention, softmax or linear: fused, or as two chained products of activations.

    Chained means that one factor of the second product comes from the first and the other does not, as in
    (q @ k) @ v and q @ (k @ v). Gates that only scale activations are not attention: squeeze-and-excite, selective
    kernels, but also the separable attention of MobileViTv2, whose layers are convolutions.
    """
    image = set(program.graph_signature.user_inputs)
    parts = [part.graph for part in program.graph_module.modules() if isinstance(part, fx.GraphModule)]
    return any(_has_attention(graph, image if graph is program.graph else None) for graph in parts)


def _has_attention(graph: fx.Graph, image: set[str] | None) -> bool:
    """See :func:`is_transformer`; in an inner graph, such as an autocast block's, every input counts as the image's."""
    products: dict[fx.Node, int] = {}
    """For every node that depends on the image: the products it comes from, as a bit set."""
    for node in graph.nodes:
        if node.target is _FUSED_ATTENTION:
            return True
        factors = [products[source] for source in node.all_input_nodes if source in products]
        if not factors and (node.op != "placeholder" if image is None else node.name not in image):
            continue
        products[node] = functools.reduce(operator.or_, factors, 0)
        if node.target in _PRODUCTS and len(factors) >= 2:
            if any(a & ~b for a, b in itertools.permutations(factors, 2)):
                return True
            products[node] |= 1 << len(products)
    return False


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
    """Folds batch normalization into a convolution or linear layer, in place.

    That is the layer before it, if it feeds nothing else; or the one after it, if nothing else reads the
    normalized values and no padding mixes with them.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.

    Returns:
        How many were folded.
    """
    folded = 0
    for norm in list(module.graph.nodes):
        if norm.op != "call_function" or norm.target is not torch.ops.aten.batch_norm.default:
            continue
        gamma, beta, mean, var = (_value(module, node) for node in norm.args[1:5])
        if mean is None or var is None or norm.args[5]:  # [5]: works with the batch's own statistics
            continue
        statistics = _Statistics(mean, var, norm.args[7], gamma, beta)
        before, after = norm.args[0], next(iter(norm.users), None)
        if _can_fold_back(norm, before):
            layer, fuse = before, _fold_back
        elif after is not None and _can_fold_on(norm, after):
            layer, fuse = after, _fold_on
        else:
            continue
        weight, bias = _value(module, layer.args[1]), _value(module, _argument(layer, 2, "bias"))
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

    timm's models with ``dynamic_img_size`` resample their position embeddings on each call, even to the size that
    they have; LiteRT has no such op, and with a static input the result is a constant.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.

    Returns:
        How many were replaced.
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
    """What a batch normalization in eval mode computes with, each [channels]."""

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
    if layer.target is _LINEAR:
        return True
    padding = _argument(layer, 4, "padding")
    return not any(padding) if isinstance(padding, list | tuple) else padding in (None, 0, "valid")


def _is_layer(norm: fx.Node, layer: Any) -> bool:
    """Whether a node is a convolution, or a linear layer over the axis that the norm works on."""
    if not isinstance(layer, fx.Node) or layer.op != "call_function":
        return False
    return layer.target in _CONVOLUTIONS or (layer.target is _LINEAR and norm.meta["val"].ndim == 2)


def _fold_back(
    layer: fx.Node, weight: torch.Tensor, bias: torch.Tensor | None, norm: _Statistics
) -> tuple[torch.Tensor, torch.Tensor]:
    fuse: Any = fuse_linear_bn_weights if layer.target is _LINEAR else fuse_conv_bn_weights
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
    groups = 1 if layer.target is _LINEAR else _argument(layer, 6, "groups") or 1
    per_output = (len(weight), weight.shape[1], *[1] * (weight.ndim - 2))
    scales, shifts = (
        value.view(groups, -1).repeat_interleave(len(weight) // groups, 0).view(per_output) for value in (scale, shift)
    )
    constant = (weight * shifts).flatten(1).sum(1)
    return weight * scales, constant if bias is None else constant + bias


def _argument(node: fx.Node, position: int, name: str) -> Any:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name)


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
