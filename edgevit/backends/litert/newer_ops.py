"""Ops of a file that are newer than the runtime: named, with the runtime that runs them, and never computed wrongly in silence."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from edgevit.backends.litert.tables import Model, Operator, Subgraph, read_model
from edgevit.errors import UsageError

FORMER = "tflite-runtime"
"""The distribution under its former name, of which the last release is 2.14."""
_PER_CHANNEL = (2, 17)
"""TensorFlow Lite that computes FULLY_CONNECTED with a scale for each row of its weights: version 12 of the op, according to
``runtime_version.cc`` of TensorFlow. Quantizers leave the version of the op as it was, so that an older runtime loads the file, takes the
first scale for all rows and gives wrong values: 2.14 was seen to do so with float and with int8 data."""
_UNKNOWN = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_OTHER_RUNTIME = "ai-edge-litert has newer ops: pip install ai-edge-litert, which takes the place of tflite-runtime"


def unknown_op(error: Exception, path: Path, runtime: str, version: str) -> UsageError | None:
    """Returns the error for an op that a runtime does not know; None where it said something else.

    Args:
        error: What the runtime raised when it loaded the file.
        path: The file.
        runtime: Distribution of the runtime.
        version: Of it.
    """
    found = _UNKNOWN.search(str(error))
    if not found:
        return None
    newer = f"install a newer {runtime}, or make the file with an older converter"
    return UsageError(
        f"{path} has {found[1]} version {found[2]}, which {runtime} {version} does not know",
        _OTHER_RUNTIME if runtime == FORMER else newer,
    )


def refuse_wrong_ops(path: Path, runtime: str, version: str) -> None:
    """Refuses a file that a runtime would load and compute wrongly.

    Args:
        path: The file, which the runtime has loaded.
        runtime: Distribution of the runtime.
        version: Of it.

    Raises:
        UsageError: it has a fully connected op with a scale for each row of its weights, and the runtime is older than that.
    """
    if runtime != FORMER or _numbers(version) >= _PER_CHANNEL:
        return
    try:
        model = read_model(path.read_bytes())
        found = sum(_has_row_scales(model, graph, each) for graph in model.subgraphs for each in graph.operators)
    except (struct.error, IndexError, ValueError) as error:
        raise UsageError(f"{path} is damaged: its flatbuffer cannot be parsed ({error})", "export it again") from error
    if found:
        raise UsageError(
            f"{path} has {found} FULLY_CONNECTED with a scale for each row of the weights (version 12, TensorFlow Lite 2.17), which"
            f" {runtime} {version} computes wrongly",
            _OTHER_RUNTIME,
        )


def _has_row_scales(model: Model, graph: Subgraph, operator: Operator) -> bool:
    if model.codes[operator.code].builtin != "FULLY_CONNECTED":
        return False
    weights = graph.tensors[operator.inputs[1]]
    return weights.type in ("INT8", "INT4") and weights.scale_count > 1


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
