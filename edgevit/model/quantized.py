"""Refuses models and weights that are quantized already: compression cannot start from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from edgevit.errors import UsageError

_QUANTIZERS = (
    "torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.qat", "torch.ao.nn.intrinsic.qat",
    "torch.ao.quantization.fake_quantize", "torch.ao.quantization.observer", "torchao", "bitsandbytes", "optimum.quanto",
    "quanto", "brevitas", "pytorch_quantization", "modelopt.torch.quantization", "nncf.torch.quantization",
    "auto_gptq", "gptqmodel", "hqq", "compressed_tensors",
)  # fmt: skip
"""Modules of quantizers: a float model has none of their layers, observers and tensors."""

_STILL_FLOAT = ("FloatFunctional", "FXFloatFunctional")
"""Layers of ``torch.ao.nn.quantized`` that compute in float until the model is converted; torchvision's models have them."""

_MARKS = {
    "_packed_params", "weight_fake_quant", "activation_post_process", "weight_quantizer", "input_quantizer", "SCB",
    "weight_format", "qweight", "qzeros", "weight_packed", "quant_map", "absmax", "quant_state",
}  # fmt: skip
"""Parts of the keys that torch.ao, modelopt, bitsandbytes, GPTQ, AWQ and compressed-tensors write."""

_NARROW = {
    getattr(torch, name)
    for name in (
        "int8", "uint8", "qint8", "quint8", "qint32", "quint4x2", "quint2x4",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
    )
    if hasattr(torch, name)
}  # fmt: skip
"""Types that quantizers store weights in; which of the last exist depends on the version of torch."""

_QUANTIZED_OP = re.compile(r"quantize_per_|^quantized(_decomposed)?\.|^torchao\.")
"""Matches the target of a quantizing node of a graph; the first alternative matches torch's own functions too."""


def refuse_quantized_file(state: Mapping[Any, Any], module: nn.Module, where: str) -> None:
    """Refuses the state dict of a quantized model, whoever quantized it.

    An entry that the module has too, under the same key and of the same type, is no sign of that.

    Args:
        state: As it was read: keys to tensors, or to anything else.
        module: Float model that the weights are for.
        where: Source of the weights, for the message.

    Raises:
        UsageError: names the first entries that show it.
    """
    own = module.state_dict()
    scaled = {
        key.rpartition(".")[0] for key in state if isinstance(key, str) and "scale" in key.rpartition(".")[2].lower()
    }
    signs = []
    for key, value in state.items():
        mine = own.get(key)
        if not isinstance(key, str) or (mine is not None and _kind(mine) == _kind(value)):
            continue
        if _is_foreign(value) or (mine is not None and _is_narrow(value)):
            signs.append(f"{key} ({_kind(value)})")
        elif mine is None and not _MARKS.isdisjoint(key.split(".")):
            signs.append(key)
        elif mine is None and _is_narrow(value) and "weight" in key and key.rpartition(".")[0] in scaled:
            signs.append(f"{key} ({_kind(value)}, with a scale beside it)")
    if signs:
        raise _already_quantized(where, signs)


def refuse_quantized_pickle(error: Exception, where: str) -> None:
    """Refuses a file that torch would not read because it holds classes of a quantizer.

    Args:
        error: What torch raised.
        where: The file, for the message.

    Raises:
        UsageError: names the first of them.
    """
    pattern = rf"(?<![\w.])(?:{'|'.join(map(re.escape, _QUANTIZERS))})\.[\w.]*\w"
    found = list(dict.fromkeys(re.findall(pattern, str(error))))
    if found:
        raise _already_quantized(where, found) from error


def refuse_quantized_module(module: nn.Module, where: str) -> None:
    """Refuses a module with quantized layers, observers, fake quantization or integer weights.

    A model that is only prepared for quantization, with ``QuantStub`` and ``FloatFunctional``, is a float model.

    Args:
        module: To look at.
        where: Name or source of the module, for the message.

    Raises:
        UsageError: names the first parts that show it.
    """
    signs = list(_quantized_parts(module))
    if signs:
        raise _already_quantized(where, signs)


def _quantized_parts(module: nn.Module) -> Iterator[str]:
    for name, part in module.named_modules():
        if _is_quantizers(type(part)):
            yield f"{name or 'the module'} ({type(part).__name__})"
        if isinstance(part, fx.GraphModule):
            yield from (f"{name}.{node.name}".lstrip(".") for node in part.graph.nodes if _is_quantized_op(node))
    for name, parameter in module.named_parameters():
        if _is_foreign(parameter) or _is_narrow(parameter):
            yield f"{name} ({_kind(parameter)})"
    for name, buffer in module.named_buffers():
        if _is_foreign(buffer) or (_is_narrow(buffer) and "weight" in name.rpartition(".")[2]):
            yield f"{name} ({_kind(buffer)})"


def _is_quantizers(kind: type) -> bool:
    """Whether a class is, or descends from, one of a quantizer."""
    return any(
        base.__name__ not in _STILL_FLOAT
        and any(base.__module__ == one or base.__module__.startswith(f"{one}.") for one in _QUANTIZERS)
        for base in kind.__mro__
    )


def _is_foreign(value: Any) -> bool:
    """Whether a value is a quantized tensor of torch, or a tensor of a quantizer's own."""
    return isinstance(value, torch.Tensor) and (value.is_quantized or _is_quantizers(type(value)))


def _is_narrow(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in _NARROW


def _is_quantized_op(node: fx.Node) -> bool:
    return node.op == "call_function" and _QUANTIZED_OP.search(str(node.target)) is not None


def _kind(value: Any) -> str:
    """Type of a tensor's numbers: "int8"; the class of anything else."""
    if isinstance(value, torch.Tensor) and not _is_quantizers(type(value)):
        return str(value.dtype).removeprefix("torch.")
    return type(value).__name__


def _already_quantized(where: str, signs: list[str]) -> UsageError:
    return UsageError(
        f"{where} is quantized already: {shortened(signs)}",
        "edgevit quantizes by itself: give the float model or checkpoint that this one was made from",
    )


def shortened(items: Sequence[str], limit: int = 4) -> str:
    """Returns the first items of a list for a message, and how many more there are."""
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more
