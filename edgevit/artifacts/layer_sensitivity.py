"""How much each layer loses when it alone is quantized, by the backend's own quantizer and runtime."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import run_once
from edgevit.artifacts.make import as_input_of
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.verify import compare
from edgevit.backends import Backend, Session, get_backend
from edgevit.data.images import ImageSet
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CheckFailed
from edgevit.model.program.module_names import ModuleLayer, modules_of
from edgevit.results.candidate import Verification
from edgevit.results.graph import Graph, Op
from edgevit.results.output import Output
from edgevit.results.sensitivity import LayerSensitivity
from edgevit.run.child_process import report_progress
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS, OpKind, Recipe
from edgevit.spec.schemes import SCHEMES

IMAGES = 32
"""That many calibration images, evenly spaced, tell the layers apart."""
_NOT_LAYERS: tuple[OpKind, ...] = (*TRANSFORMER_FLOAT_KINDS, "pooling")
_PRECISION = "f32"
"""The rest of the model is computed in float32, for bfloat16 alone would cost more than many layers do."""


@dataclass(frozen=True)
class SensitivityJob:
    """A float artifact whose layers are to be ranked."""

    backend: str
    parent: Path
    recipe: Recipe
    """How a layer is quantized; what it says of other layers and ops does not matter."""
    calibration: PreparedImages
    threads: int
    seed: int
    modules: tuple[ModuleLayer, ...] = ()
    """Layers of the program that the artifact was exported from; none where their names are not needed."""
    outputs: tuple[Output, ...] = ()
    """Of a model that is no classifier."""


@dataclass(frozen=True)
class Sensitivity:
    """All layers, the one that loses most first."""

    layers: tuple[LayerSensitivity, ...]
    images: int


def layer_sensitivity(job: SensitivityJob) -> Sensitivity:
    """Quantizes each layer by itself and compares the logits, or all outputs, with those of the float artifact.

    Layers are convolutions and linear layers; all else stays float. Lowest signal-to-noise ratio first; equal ones in
    the order of the graph.

    Raises:
        UsageError: an image cannot be read.
        CheckFailed: with one layer quantized, the model gives NaN or infinity; the layer is named.
    """
    backend = get_backend(job.backend)
    images = job.calibration.select(_evenly_spaced(len(job.calibration))).array()
    graph = backend.read_graph(job.parent)
    modules = modules_of(graph, job.modules)
    reference = _logits(backend.open_session(job.parent, job.threads, _PRECISION), images)
    found = []
    for position, layer in enumerate(graph.layers):
        snr_db: float | None = None
        agreement = None if job.outputs else 1.0
        if layer.kind in backend.schemes[job.recipe.scheme]:
            verification = _with_one(layer, graph, job, backend, images, reference)
            snr_db, agreement = verification.snr_db, verification.top1_agreement
        found.append(
            LayerSensitivity(layer.name, layer.kind, layer.macs, snr_db, agreement, position, modules[position])
        )
        report_progress(position + 1, len(graph.layers))
    found.sort(key=lambda layer: math.inf if layer.snr_db is None else layer.snr_db)
    return Sensitivity(tuple(found), len(images))


def choose_images(images: ImageSet) -> ImageSet:
    """Returns the calibration images that layers are compared on: up to 32, evenly spaced; idempotent."""
    return images.select(tuple(images.ids[place] for place in _evenly_spaced(len(images))))


def _evenly_spaced(images: int) -> tuple[int, ...]:
    count = min(images, IMAGES)
    return tuple(index * images // count for index in range(count))


def _with_one(
    layer: Op, graph: Graph, job: SensitivityJob, backend: Backend, images: np.ndarray, reference: np.ndarray
) -> Verification:
    """Quantizes one layer and compares the logits with those of the float artifact."""
    recipe = _only(layer, graph, job.recipe)
    calibration = as_input_of(graph, images) if SCHEMES[recipe.scheme].calibrated else None
    np.random.seed(job.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = backend.quantize(job.parent, recipe, calibration, Path(folder))
        logits = _logits(backend.open_session(path, job.threads, _PRECISION), images)
    try:
        if job.outputs:
            return compare_outputs(logits, reference, "float", None, job.outputs)
        return compare(logits, reference, "float", None)
    except CheckFailed as error:
        raise CheckFailed(f"with {layer.name} quantized, {error.message}", error.hint) from error


def _only(layer: Op, graph: Graph, recipe: Recipe) -> Recipe:
    """The recipe that quantizes one layer.

    Products of activations are named too, for NNCF quantizes query and key whatever kinds are to stay float.
    """
    multiply = (op for op in graph.ops if op.kind in (*LAYER_KINDS, "matmul") and op.macs)
    return Recipe(
        scheme=recipe.scheme,
        ranges=recipe.ranges,
        float_kinds=_NOT_LAYERS,
        float_layers=tuple(op.name for op in multiply if op.name != layer.name),
        rounding=recipe.rounding,
        reduce_range=recipe.reduce_range,
    )


def _logits(session: Session, images: np.ndarray) -> np.ndarray:
    return np.concatenate([run_once(session, image[None]) for image in images])
