"""Making artifacts, each in a child process (see :mod:`edgevit.run.child_process`)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from edgevit.backends import get_backend
from edgevit.backends.layout import guess_layout
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CandidateFailed, UsageError
from edgevit.results.artifact import TensorSpec
from edgevit.results.candidate import Verification
from edgevit.results.contract import Contract
from edgevit.results.graph import Graph
from edgevit.spec.recipe import Preparation, Recipe
from edgevit.spec.schemes import SCHEMES, Numerics
from edgevit.tokens.selection_ops import token_selection_ops, touched_selection

LEAST_SHARE = 0.3
"""Of the layers' MACs, or weights, that multiply as the scheme of an artifact says: a small network whose stem is left in
float, as some policies do, has half."""
LEAST_SHARE_MIXED = 0.2
"""The same for the scheme whose name says that layers stay float."""


@dataclass(frozen=True)
class ExportJob:
    """A captured program to write as a float32 artifact."""

    backend: str
    program: Path
    folder: Path
    """Appears whole, or not at all."""
    preparations: tuple[Preparation, ...] = ()
    """What is done to the program before, see :mod:`edgevit.quantization.prepare`, and whether fused ops are used, see
    :meth:`edgevit.backends.Backend.export`."""
    calibration: PreparedImages | None = None
    """For preparations; None where none needs images."""
    contract: Contract | None = None
    """For the file to carry; None for one that nobody will use on its own."""


@dataclass(frozen=True)
class QuantizeJob:
    """A float32 artifact to write in another scheme."""

    backend: str
    parent: Path
    recipe: Recipe
    calibration: PreparedImages | None
    seed: int
    folder: Path
    """Appears whole, or not at all."""
    contract: Contract | None = None
    """For the file to carry."""


@dataclass(frozen=True)
class MadeArtifact:
    """An artifact on disk and what its own graph says of it."""

    main: Path
    files: tuple[Path, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    macs: int
    params: int
    int8_mac_share: float
    numerics: str
    float_layer_count: int
    conversions: int
    float_weight_share: float = 0.0
    """Share of the layers' weights, 0..1, that stayed float although others are quantized; 0 for a float artifact."""
    float_layers: tuple[str, ...] = ()
    """The ops that hold them, most weights first."""
    embedding: Verification | None = None
    """Of one whose preprocessing is embedded, see :mod:`edgevit.artifacts.embed`."""


def export_float(job: ExportJob) -> MadeArtifact:
    """Exports a captured program as float32, prepared for int8 if the job says so.

    Raises:
        CandidateFailed: a preparation changed what the program computes.
        UsageError: a preparation needs calibration images and there are none, or one cannot be read.
    """
    from edgevit.model.program.capture import load_program

    backend, program = get_backend(job.backend), load_program(job.program)
    if job.preparations:
        from edgevit.quantization.prepare import prepare_program

        program, note = prepare_program(program, job.preparations, job.calibration)
        print(note)
    with WholeFolder(job.folder) as folder:
        main = backend.export(program, folder, fused="fused_ops" in job.preparations)
        if job.contract:
            backend.write_contract(main, job.contract)
    return describe(job.backend, job.folder / main.name)


def quantize(job: QuantizeJob) -> MadeArtifact:
    """Quantizes a float32 artifact with the runtime's own quantizer.

    Raises:
        CandidateFailed: what came out is not, or is hardly, what the scheme says; such a file is never offered.
    """
    backend = get_backend(job.backend)
    np.random.seed(job.seed)
    parent = backend.read_graph(job.parent)
    calibration = None if job.calibration is None else as_input_of(parent, job.calibration.array())
    with WholeFolder(job.folder) as folder:
        recipe = job.recipe.resolved(parent.layers)
        recipe = replace(recipe, float_layers=(*recipe.float_layers, *token_selection_ops(parent)))
        main = backend.quantize(job.parent, recipe, calibration, folder)
        graph = backend.read_graph(main)
        check_label(job.recipe.scheme, graph)
        check_share(job.recipe.scheme, graph)
        if job.contract:
            backend.write_contract(main, job.contract)
    return describe(job.backend, job.folder / main.name)


def as_input_of(graph: Graph, images: np.ndarray) -> np.ndarray:
    """Returns images with their axes in the order of a graph's input.

    Args:
        graph: With one input, of images.
        images: float32 [n, 3, h, w].
    """
    if guess_layout(graph.tensor[graph.inputs[0]].shape) != "NHWC":
        return images
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def check_label(scheme: str, graph: Graph) -> None:
    """Refuses a graph that does not multiply as its scheme says.

    Raises:
        CandidateFailed: another kind of numerics does more MACs than the scheme's own, dynamic int8 has a static part,
            or the ops that choose tokens are not float.
    """
    wanted = SCHEMES[scheme].numerics
    macs = {numerics: sum(op.macs for op in graph.layers if op.numerics == numerics) for numerics in get_args(Numerics)}
    quantized = {numerics: count for numerics, count in macs.items() if numerics != "float"}
    most = max(quantized, key=lambda numerics: quantized[numerics]) if any(quantized.values()) else "float"
    if most != wanted or (wanted == "int8_dynamic" and macs["int8_static"]):
        raise CandidateFailed(f"asked for {scheme}, but the layers of the file are {graph.numerics}")
    touched = touched_selection(graph)
    if touched:
        raise CandidateFailed(f"the choice of tokens would be made in integers: {', '.join(touched)}")
    if scheme == "mixed_wi8_ai8" and not graph.float_layer_count:
        raise CandidateFailed(f"asked for {scheme}, but no layer of the file is in float")


def check_share(scheme: str, graph: Graph) -> None:
    """Refuses a graph in which so few layers do what its scheme says that the name of the scheme would mislead.

    What counts are the MACs of layers, or, for a scheme that is to make the file small, their weights.

    Raises:
        CandidateFailed: the scheme's numerics have less than ``LEAST_SHARE`` of them.
    """
    numerics, least = SCHEMES[scheme].numerics, LEAST_SHARE_MIXED if scheme == "mixed_wi8_ai8" else LEAST_SHARE
    by_weights = numerics == "int8_weights"
    share = graph.weight_share(numerics) if by_weights else graph.layer_share(numerics)
    if numerics != "float" and share < least:
        what = "weights" if by_weights else "MACs"
        raise CandidateFailed(
            f"asked for {scheme}, but only {100 * share:.2g} % of the {what} of its layers would be that, and"
            f" {100 * least:g} % are the least that bears the name: the rest stays float"
        )


def describe(backend_name: str, main: Path) -> MadeArtifact:
    """Returns what an artifact that lies alone in its folder is.

    Args:
        backend_name: Of its backend.
        main: Main file.

    Raises:
        UsageError: it cannot be read, or has several inputs or outputs.
    """
    backend = get_backend(backend_name)
    session = backend.open_session(main, 1, "f32")
    graph = backend.read_graph(main)
    if len(session.inputs) != 1:
        raise UsageError(
            f"{main} has {len(session.inputs)} inputs, not one", "wrap the model in a module that takes images alone"
        )
    # the folder is new, so that all in it belongs to the artifact
    files = (main, *sorted(path for path in main.parent.iterdir() if path != main))
    return MadeArtifact(
        main=main,
        files=files,
        inputs=session.inputs,
        outputs=session.outputs,
        macs=graph.macs,
        params=graph.params,
        int8_mac_share=graph.int8_mac_share,
        numerics=graph.numerics,
        float_layer_count=graph.float_layer_count,
        float_weight_share=graph.weight_share("float") if graph.float_layers else 0.0,
        float_layers=graph.float_layers,
        conversions=graph.conversions,
    )


class WholeFolder:
    """A folder that appears under its name only when everything in it was written."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._partial = final.with_name(f"{final.name}.partial")

    def __enter__(self) -> Path:
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self._partial

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            shutil.rmtree(self._final, ignore_errors=True)
            self._partial.rename(self._final)
        else:
            shutil.rmtree(self._partial, ignore_errors=True)
