"""ONNX files that do a planted part more work than another one: they repeat one of its own layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from edgevit.backends import get_backend
from edgevit.measure.bench import noise_call
from edgevit.measure.core_wait import timer_without_waits

_QUICK = 10
"""Percentile of the runs that counts."""


def with_repeats(source: Path, target: Path, repeats: int) -> None:
    """Writes a file whose last depthwise convolution, with its activation, is done some more times, each on what the one
    before it gave.

    Args:
        source: An ONNX file of a network with depthwise convolutions of stride 1, each followed by an activation.
        target: What to write.
        repeats: How many more times, 0 or more.
    """
    model = onnx.load(source)
    nodes = list(model.graph.node)
    shapes = {each.name: tuple(each.dims) for each in model.graph.initializer}
    convolution = [node for node in nodes if node.op_type == "Conv" and _is_depthwise(node, shapes)][-1]
    activation = next(node for node in nodes if convolution.output[0] in node.input)
    last = activation.output[0]
    readers = [node for node in nodes if last in node.input]
    added = []
    for number in range(repeats):
        for node in (convolution, activation):
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{node.op_type}_repeat{number}"
            copy.input[0] = last
            copy.output[0] = last = f"{node.output[0]}_repeat{number}"
            added.append(copy)
    for reader in readers:
        for place, name in enumerate(reader.input):
            if name == activation.output[0]:
                reader.input[place] = last
    at = nodes.index(activation) + 1
    nodes[at:at] = added
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, target)


def slow_downs(files: Sequence[Path], runs: int) -> list[float]:
    """Returns by which part each file takes longer than the first, from single runs that alternate in one process.

    Args:
        files: ONNX files.
        runs: Of each file.
    """
    backend = get_backend("onnxruntime")
    calls = [noise_call(backend.open_session(file, 1, "fastest")) for file in files]
    times = np.empty((runs, len(files)))
    with timer_without_waits(1) as timed:
        for run in range(runs):
            for place, call in enumerate(calls):
                call()
                times[run, place] = timed(call)
    quick = np.percentile(times, _QUICK, axis=0)
    return [float(value / quick[0] - 1) for value in quick]


def _is_depthwise(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> bool:
    settings = {each.name: each for each in node.attribute}
    channels = shapes.get(node.input[1], (0,))[0]
    strides = list(settings["strides"].ints) if "strides" in settings else [1]
    return "group" in settings and settings["group"].i == channels > 1 and set(strides) == {1}
