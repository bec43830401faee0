"""Finds the layers of a float artifact that belong to modules of the PyTorch model, for a recipe to leave them in float."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.errors import CandidateFailed
from edgevit.model.program.module_names import ModuleLayer, aligned_modules, is_in_module, modules_of
from edgevit.results.graph import Graph


@dataclass(frozen=True)
class FloatLayersJob:
    """A float artifact whose layers are to be found."""

    backend: str
    artifact: Path
    """May have been rewritten before it was exported."""
    program: Path
    """Captured, before it was rewritten."""
    modules: tuple[str, ...]
    """Whose layers are wanted."""


@dataclass(frozen=True)
class FloatLayers:
    """Layers of an artifact."""

    layers: tuple[str, ...]
    """Their ops by name, in order."""


def find_float_layers(job: FloatLayersJob) -> FloatLayers:
    """Returns the layers of an artifact that lie in some modules.

    Raises:
        CandidateFailed: its layers cannot be matched with modules, or one of the modules has none.
    """
    from edgevit.model.program.capture import load_program
    from edgevit.model.program.module_names import module_layers

    graph = get_backend(job.backend).read_graph(job.artifact)
    paths = layer_modules(graph, module_layers(load_program(job.program)))
    if not any(paths):
        raise CandidateFailed(
            "its layers cannot be matched with modules of the model, so none can be kept in float by name"
        )
    for module in job.modules:
        if not any(is_in_module(path, module) for path in paths):
            raise CandidateFailed(f"no layer of the artifact belongs to {module}")
    return FloatLayers(
        tuple(
            op.name
            for op, path in zip(graph.layers, paths, strict=True)
            if any(is_in_module(path, module) for module in job.modules)
        )
    )


def layer_modules(graph: Graph, known: tuple[ModuleLayer, ...]) -> tuple[str, ...]:
    """Returns the module path of each layer of an artifact, whether rewrites have split layers or not; all "" if unknown.

    Args:
        graph: Of a float artifact.
        known: The layers of the program before any rewrite.
    """
    paths = modules_of(graph, known)
    return paths if any(paths) else aligned_modules([graph.weights_of(op) for op in graph.layers], known)
