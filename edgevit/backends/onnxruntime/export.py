"""Writes ONNX from a captured program with torch's own exporter."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch.export import ExportedProgram

from edgevit.backends.onnxruntime.fused_attention import expand_masks, join_heads
from edgevit.backends.output_names import output_names

OPSET = 18
"""LayerNormalization is one op since opset 17; per-channel QDQ needs 13."""
FUSED_OPSET = 23
"""GELU is one op since opset 20, attention since 23."""


def export(program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
    """Writes ``model.onnx``: float32, static shapes, weights inside.

    Args:
        program: One input; logits as the only output, or named outputs.
        folder: Exists.
        fused: Whether GELU and attention become one op each, which ONNX Runtime has since release 1.23.

    Returns:
        The file.

    Raises:
        RuntimeError: torch's exporter returned nothing.
    """
    path = folder / "model.onnx"
    exported = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=FUSED_OPSET if fused else OPSET,
        input_names=["input"],
        output_names=list(output_names(program)),
        verbose=False,
    )
    if exported is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = exported.model_proto
    _remove_traces(model)
    if fused:
        expand_masks(model)
        join_heads(model)
    onnx.save(model, path)
    return path


def _remove_traces(model: onnx.ModelProto) -> None:
    """Removes what torch notes of each node and value: files and lines of the code that was captured, on this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
