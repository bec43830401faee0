"""The graph of a model by name, captured from PyTorch: no runtime has to make a file of it first."""

from __future__ import annotations

from torch import nn

from edgevit.devices.captured_graph import captured_graph
from edgevit.devices.published_models import products_for_attention
from edgevit.errors import UsageError, first_line
from edgevit.model.names import kind_of
from edgevit.pipeline.model_inputs import open_model
from edgevit.results.graph import Graph
from edgevit.spec.spec import ModelSpec

_OF_TIMM = ("timm", "hub", "local")
_REFUSALS = (
    RuntimeError,
    NotImplementedError,
    ValueError,
    TypeError,
    AssertionError,
    KeyError,
    IndexError,
    AttributeError,
)
"""What models and torch raise on a tensor without values, or on a size that they cannot take."""


def model_graph(spec: ModelSpec) -> tuple[Graph, tuple[int, int]]:
    """Captures a model as it is in inference: branches that merge are merged, attention is written out as products.

    Args:
        spec: The model; its preprocessing may have another input size than its own.

    Returns:
        Its ops, and the height and width of its images.

    Raises:
        UsageError: there is no such model, it does not take such images, or nothing can be captured of it.
    """
    with products_for_attention():
        model = open_model(spec, seed=0)
    takes = model.preprocessing
    module = _merged(model.module) if kind_of(spec.name) in _OF_TIMM else model.module
    try:
        graph = captured_graph(module, (takes.channels, *takes.input_size))
    except _REFUSALS as error:
        size = " x ".join(map(str, takes.input_size))
        raise UsageError(
            f"no graph of {spec.name} for {size} images can be captured: {first_line(error)}",
            "give --export onnx or tflite, which predicts for the file",
        ) from error
    return graph, takes.input_size


def _merged(module: nn.Module) -> nn.Module:
    from timm.utils.model import reparameterize_model

    merged: nn.Module = reparameterize_model(module)
    return merged.eval()
