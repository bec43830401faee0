"""Puts the normalization of pixels into an ONNX graph, before all that is there."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgevit.backends.layout import guess_layout
from edgevit.backends.pixels import free_name, no_float_image, offset_and_divisor


def embed_normalization(path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Lets a file take pixels, see :meth:`edgevit.backends.Backend.embed_normalization`.

    The axes are put in order first, while a pixel is a byte, and then: Cast, Sub, Div.

    Args:
        path: Main file; what it keeps beside it stays there.
        mean: Of each channel.
        std: Of each channel.

    Raises:
        UsageError: its input is not one float32 image.
    """
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    given = _image_input(graph, path)
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {each.name for each in (*graph.initializer, *graph.input)}
    name, axes = given.name, list(given.type.tensor_type.shape.dim)
    is_first = guess_layout(tuple(axis.dim_value or 1 for axis in axes)) == "NCHW"
    made = {
        step: free_name(f"{name}_{step}", taken)
        for step in ("bytes", "floats", "offset", "divisor", "centered", "normalized")
    }
    _rename(graph, name, made["normalized"])
    shape = (1, -1, 1, 1) if is_first else (-1,)
    constants = zip(("offset", "divisor"), offset_and_divisor(mean, std), strict=True)
    graph.initializer.extend(numpy_helper.from_array(value.reshape(shape), made[step]) for step, value in constants)
    steps = [
        helper.make_node(
            "Cast", [made["bytes"] if is_first else name], [made["floats"]], made["floats"], to=TensorProto.FLOAT
        ),
        helper.make_node("Sub", [made["floats"], made["offset"]], [made["centered"]], made["centered"]),
        helper.make_node("Div", [made["centered"], made["divisor"]], [made["normalized"]], made["normalized"]),
    ]
    if is_first:
        steps.insert(0, helper.make_node("Transpose", [name], [made["bytes"]], made["bytes"], perm=[0, 3, 1, 2]))
        axes = [axes[0], *axes[2:], axes[1]]
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*steps, *nodes])
    kept = [onnx.TensorShapeProto.Dimension.FromString(axis.SerializeToString()) for axis in axes]
    given.type.tensor_type.elem_type = TensorProto.UINT8
    del given.type.tensor_type.shape.dim[:]
    given.type.tensor_type.shape.dim.extend(kept)
    onnx.save(model, path)


def _image_input(graph: onnx.GraphProto, path: Path) -> onnx.ValueInfoProto:
    weights = {initializer.name for initializer in graph.initializer}
    inputs = [given for given in graph.input if given.name not in weights]
    if (
        len(inputs) != 1
        or len(inputs[0].type.tensor_type.shape.dim) != 4
        or inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT
    ):
        raise no_float_image(path)
    return inputs[0]


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Lets what reads a tensor read another one, also in the graphs of branches and loops."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                _rename(inner, old, new)
    for output in graph.output:
        if output.name == old:
            output.name = new
