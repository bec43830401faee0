"""Changes the inputs of ONNX's Attention op to the form that ONNX Runtime supports and computes fastest.

The op can read query, key and value before they become heads, so that nothing has to be permuted: torch's exporter
passes four axes, [batch, heads, tokens, width], each made by a Reshape and a Transpose, and undone by two more. With
three axes and the number of heads the op does that itself. Source: Attention-23 in the operator list of ONNX.
"""

from __future__ import annotations

import onnx
from onnx import helper

from edgevit.backends.onnxruntime.fused_ops import attribute

_HEADS_AND_TOKENS = [0, 2, 1, 3]


def join_heads(model: onnx.ModelProto) -> int:
    """Replaces Attention with four axes by Attention with three, in place.

    One with a past or further outputs stays, and so does one whose query or key is changed head by head.

    Args:
        model: With the shapes of its tensors in ``value_info``, as exporters write them.

    Returns:
        How many were replaced.
    """
    graph = _Edges(model.graph)
    joined = 0
    for node in list(model.graph.node):
        if node.op_type != "Attention" or node.domain not in ("", "ai.onnx"):
            continue
        if len(node.input) < 3 or any(node.input[4:]) or any(node.output[1:]):
            continue
        inputs = [graph.before_heads(name) for name in node.input[:3]]
        output = graph.after_heads(node.output[0])
        if output is None or not all(inputs):
            continue
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        given |= {"q_num_heads": graph.shape(node.input[0])[1], "kv_num_heads": graph.shape(node.input[1])[1]}
        new = helper.make_node("Attention", [*map(str, inputs), *node.input[3:4]], [output], name=node.name, **given)
        graph.drop_maker_of(output)
        node.CopyFrom(new)
        joined += 1
    if joined:
        _drop_unread(model.graph)
    return joined


def expand_masks(model: onnx.ModelProto) -> int:
    """Expands masks that are the same for all queries to one row for each query, in place, as ONNX Runtime requires.

    Attention with three axes stays, and so does one whose shapes are not in the file.

    Args:
        model: With the shapes of its tensors in ``value_info``, as exporters write them.

    Returns:
        How many masks were expanded.
    """
    graph, expanded = _Edges(model.graph), {}
    for node in list(model.graph.node):
        if node.op_type != "Attention" or not any(node.input[3:4]):
            continue
        name, shape = node.input[3], graph.shape(node.input[3])
        heads = graph.shape(node.input[0])
        if len(heads) != 4 or len(shape) < 2 or shape[-2] != 1 or heads[-2] == 1:
            continue
        queries = heads[-2]
        if (name, queries) not in expanded:
            expanded[name, queries] = _expand(
                model.graph, node, name, (*shape[:-2], queries, shape[-1]), graph.dtype(name)
            )
        node.input[3] = expanded[name, queries]
    return len(expanded)


def _expand(graph: onnx.GraphProto, reader: onnx.NodeProto, name: str, shape: tuple[int, ...], dtype: int) -> str:
    """Adds an Expand before the node that reads it; returns the name of its output."""
    lengths, made = f"{name}_lengths_{shape[-2]}", f"{name}_for_{shape[-2]}_queries"
    graph.initializer.append(helper.make_tensor(lengths, onnx.TensorProto.INT64, [len(shape)], shape))
    node = helper.make_node("Expand", [name, lengths], [made], name=made)
    graph.node.insert(list(graph.node).index(reader), node)
    graph.value_info.append(helper.make_tensor_value_info(made, dtype, shape))
    return made


class _Edges:
    """Which node makes and which nodes read each tensor of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._makers = {name: node for node in graph.node for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._outputs = {value.name for value in graph.output}
        self._values = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a tensor in the file; () where there is none, or a length is open."""
        if name not in self._values:
            return ()
        dims = self._values[name].type.tensor_type.shape.dim
        return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else ()

    def dtype(self, name: str) -> int:
        """Returns the element type of a tensor in the file, as a number of ONNX's ``TensorProto.DataType``."""
        return int(self._values[name].type.tensor_type.elem_type)

    def before_heads(self, name: str) -> str | None:
        """Returns the tensor [batch, tokens, heads x width] that one of [batch, heads, tokens, width] is made from."""
        transpose = self._makers.get(name)
        if transpose is None or not _swaps(transpose):
            return None
        reshape = self._makers.get(transpose.input[0])
        if reshape is None or reshape.op_type != "Reshape":
            return None
        return reshape.input[0] if self._cuts_last(self.shape(reshape.input[0]), transpose.input[0]) else None

    def after_heads(self, name: str) -> str | None:
        """Returns the tensor [batch, tokens, heads x width] that one of [batch, heads, tokens, width] only becomes."""
        transpose = self._only_reader(name)
        if transpose is None or not _swaps(transpose):
            return None
        reshape = self._only_reader(transpose.output[0])
        if reshape is None or reshape.op_type != "Reshape":
            return None
        return reshape.output[0] if self._cuts_last(self.shape(reshape.output[0]), transpose.output[0]) else None

    def drop_maker_of(self, name: str) -> None:
        """Removes the node that makes a tensor."""
        self._graph.node.remove(self._makers[name])

    def _only_reader(self, name: str) -> onnx.NodeProto | None:
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self._outputs else None

    def _cuts_last(self, whole: tuple[int, ...], name: str) -> bool:
        """Returns whether a tensor of four axes is one of three axes whose last was split in two."""
        cut = self.shape(name)
        return len(cut) == 4 and whole == (cut[0], cut[1], cut[2] * cut[3])


def _swaps(node: onnx.NodeProto) -> bool:
    return node.op_type == "Transpose" and list(attribute(node, "perm", [])) == _HEADS_AND_TOKENS


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Removes the nodes that nothing reads any more, with their constants and ``value_info``."""
    outputs = {value.name for value in graph.output}
    while True:
        read = outputs | {name for node in graph.node for name in node.input}
        idle = [node for node in graph.node if not read & set(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    made = {name for node in graph.node for name in node.output} | {tensor.name for tensor in constants}
    values = [value for value in graph.value_info if value.name in made]
    del graph.value_info[:]
    graph.value_info.extend(values)
