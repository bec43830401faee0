"""What simulating an int8 artifact depends on, read from the artifact, in a child process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.quantization.simulate import Int8Scheme, LayerNumerics
from edgevit.spec.recipe import Recipe


@dataclass(frozen=True)
class ReadInt8Job:
    """An artifact to read."""

    backend: str
    artifact: Path
    recipe: Recipe
    """By which it was made."""


def read_int8_scheme(job: ReadInt8Job) -> Int8Scheme:
    """Returns how an artifact computes.

    Raises:
        UsageError: it cannot be read.
    """
    backend = get_backend(job.backend)
    graph = backend.read_graph(job.artifact)
    return Int8Scheme(
        arithmetic=backend.arithmetic,
        preparations=job.recipe.preparations,
        ranges=job.recipe.ranges,
        reduce_range=job.recipe.reduce_range,
        layers=tuple(LayerNumerics(op.macs, graph.weights_of(op), op.numerics) for op in graph.layers),
        int8_adds=any(op.kind == "elementwise" and op.numerics == "int8_static" for op in graph.ops),
    )
