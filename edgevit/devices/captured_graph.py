"""The graph of a PyTorch model in the terms of an artifact's graph, captured on the meta device: nothing is computed.

It has what inference needs: no dropout, no training; attention is written out as products and a softmax.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from edgevit.devices.op_support import CAPTURED
from edgevit.results.graph import Graph, Op, Tensor, size_bytes
from edgevit.spec.recipe import OpKind

_NAMES: dict[OpKind, str] = {
    "conv": "convolution",
    "linear": "addmm mm bmm baddbmm linear matmul mv addmv",
    "elementwise": (
        "add mul div sub rsub pow sqrt rsqrt exp neg addcmul maximum minimum log abs square reciprocal where "
        "masked_fill lerp eq ne lt gt le ge bitwise_not logical_not sin cos floor round"
    ),
    "activation": (
        "relu hardtanh clamp clamp_min gelu silu hardswish sigmoid hardsigmoid tanh leaky_relu elu _prelu_kernel "
        "softplus mish erf"
    ),
    "softmax": "_softmax _safe_softmax",
    "normalization": "native_layer_norm native_group_norm linalg_vector_norm var_mean var",
    "pooling": (
        "max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d max_pool2d adaptive_max_pool2d avg_pool1d "
        "avg_pool3d _adaptive_avg_pool3d"
    ),
    "reduction": "mean sum amax amin max min argmax",
    "reshape": (
        "view _unsafe_view reshape unsqueeze squeeze expand alias detach t flatten _reshape_alias clone contiguous "
        "_to_copy lift_fresh constant_pad_nd slice_scatter"
    ),
    "layout": (
        "permute transpose cat stack roll pixel_shuffle pixel_unshuffle channel_shuffle flip slice split "
        "split_with_sizes select narrow chunk copy_ im2col col2im repeat unbind upsample_nearest2d "
        "upsample_bilinear2d upsample_bicubic2d reflection_pad2d replication_pad2d"
    ),
    "gather": "index gather embedding index_select",
    "topk": "topk sort",
}
_KINDS: dict[str, OpKind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm")
_FIRST_OUTPUT_ONLY = (*_BATCH_NORMS, "native_layer_norm", "native_group_norm", "max_pool2d_with_indices")


def captured_graph(module: torch.nn.Module, image: tuple[int, int, int]) -> Graph:
    """Captures one inference of a model on one image.

    The model is moved to the meta device and put into inference mode: it is of no use afterwards.

    Args:
        module: Takes float32 images [1, channels, height, width].
        image: Channels, height and width.

    Returns:
        Its ops, with the weights of a convolution as [out, in / groups, height, width].
    """
    module.eval().to("meta")
    _move_caches(module)
    recorder = _Recorder(module)
    with torch.no_grad(), recorder:
        made = module(recorder.input(torch.empty((1, *image), device="meta")))
    return recorder.graph(next(_tensors(made)))


def _move_caches(module: torch.nn.Module) -> None:
    """Moves tensors that modules keep as plain attributes."""
    for child in module.modules():
        for name, value in list(vars(child).items()):
            if isinstance(value, torch.Tensor) and value.device.type != "meta":
                setattr(child, name, value.to("meta"))
            elif isinstance(value, dict) and name.startswith("attention_bias"):
                value.clear()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down each call of an operator on something computed."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kept: list[torch.Tensor] = []
        """Keeps every tensor alive, so that no two share an id."""
        self._names: dict[int, str] = {}
        self._tensors: dict[str, Tensor] = {}
        self._ops: list[Op] = []
        self._inputs: list[str] = []
        for tensor in (*module.parameters(), *module.buffers()):
            self._add(tensor, constant=True)

    def input(self, image: torch.Tensor) -> torch.Tensor:
        """Makes a tensor the input of the graph."""
        self._inputs.append(self._add(image, constant=False))
        return image

    def graph(self, made: torch.Tensor) -> Graph:
        """Returns what was written down, with one output."""
        named = {*self._inputs, *(name for op in self._ops for name in (*op.inputs, *op.outputs))}
        tensors = tuple(tensor for name, tensor in self._tensors.items() if name in named)
        return Graph(CAPTURED, tuple(self._ops), tensors, tuple(self._inputs), (self._names[id(made)],))

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Runs the operator and writes it down."""
        result = func(*args, **(kwargs or {}))
        native = func._schema.name.split("::")[1]
        read = list(_tensors((args, kwargs or {})))
        inputs = [self._name(tensor) for tensor in read]
        made = list(_tensors(result))[: 1 if native in _FIRST_OUTPUT_ONLY else None]
        if all(self._tensors[name].constant for name in inputs):
            for tensor in made:
                if id(tensor) not in self._names:
                    self._add(tensor, constant=True)
            return result
        outputs = tuple(self._add(tensor, constant=False) for tensor in made)
        kind, macs = self._kind_and_macs(native, read, made, args)
        self._ops.append(Op(f"{native}:{len(self._ops)}", native, kind, tuple(inputs), outputs, macs))
        return result

    def _kind_and_macs(
        self, native: str, read: list[torch.Tensor], made: list[torch.Tensor], args: tuple[Any, ...]
    ) -> tuple[OpKind, int]:
        kind = _KINDS.get(native, _KINDS.get(native.rstrip("_"), "other"))
        if native in _BATCH_NORMS:
            return "elementwise", 0
        if kind == "conv":
            image, weights, groups = read[0], read[1], args[-1]
            values = image if args[6] else made[0]  # a transposed convolution
            depthwise = groups > 1 and weights.shape[1] == 1
            return "depthwise_conv" if depthwise else "conv", values[0].numel() * math.prod(weights.shape[1:])
        if kind == "linear":
            left, right = read[1:3] if native in ("addmm", "baddbmm", "addmv") else read[:2]
            constant = any(self._tensors[self._name(factor)].constant for factor in (left, right))
            return "linear" if constant else "matmul", made[0].numel() * left.shape[-1]
        return kind, 0

    def _name(self, tensor: torch.Tensor) -> str:
        """Name of a tensor; one that was not seen before was made in ``forward`` from nothing computed."""
        known = self._names.get(id(tensor))
        return known if known is not None else self._add(tensor, constant=True)

    def _add(self, tensor: torch.Tensor, constant: bool) -> str:
        name = f"t{len(self._kept)}"
        self._kept.append(tensor)
        self._names[id(tensor)] = name
        shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        self._tensors[name] = Tensor(name, shape, dtype, size_bytes(shape, dtype), constant)
        return name


def _tensors(value: object) -> Iterator[torch.Tensor]:
    """Yields the tensors in nested tuples, lists and dictionaries."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _tensors(inner)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
