"""Backends: one runtime and its format each.

A backend is a package in this folder whose ``__init__`` fulfils :class:`Backend`; it is found by its folder and
imported on first use, and its parts import torch or a runtime only when called. To add one, add a folder with
``__init__.py``, ``export.py``, ``quantize.py``, ``graph.py`` and ``session.py``; the contract tests pick it up.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from edgevit.backends.no_telemetry import forbid_telemetry
from edgevit.errors import UsageError, unknown_name
from edgevit.results.artifact import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.quantization.policy import Rule
    from edgevit.results.graph import Graph
    from edgevit.spec.recipe import OpKind, Recipe

forbid_telemetry()  # here, because no part of a backend can be imported without this package


class Session(Protocol):
    """A loaded artifact. Needs only numpy and its runtime, so that it works on a board."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    runtime_version: str
    precision: str
    """Inference precision asked for, such as "f32"."""
    delegate: str
    """What executes the graph, with partitions where the runtime tells."""

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Runs once: arrays as ``inputs`` declares them (shape, dtype) to arrays as ``outputs`` does."""


class Backend(Protocol):
    """What a backend package provides, as module attributes."""

    NAME: str
    """The runtime: the first part of a candidate id."""
    TITLE: str
    """The runtime as its makers write it."""
    FORMAT: str
    """The format's name on the command line, also the pip extra that installs the runtime."""
    SUFFIX: str
    """Suffix of the main file."""
    RUNTIME: str
    """Distribution that runs the artifacts, as pip knows it."""
    SCHEMES: dict[str, tuple[OpKind, ...]]
    """What can be made, and the kinds of ops that each scheme stores or computes in its own numbers; "fp32" first."""
    POLICY: tuple[Rule, ...]
    """What "auto" tries, see :mod:`edgevit.quantization.policy`; a rule for processors for each architecture at least."""
    GPTQ_SCHEMES: tuple[str, ...]
    """Schemes that its quantizer can round weights with GPTQ for."""

    HAS_INTEGER_IO: bool
    """Whether its static artifacts can have integers as input and output."""

    # Not "export" and "quantize": importing a part of that name would put the module in the function's place.

    def export_program(self, program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
        """Writes a float32 artifact with static shapes, batch 1, one input "input" and one output "logits".

        Args:
            program: Captured, with one input and logits as the only output.
            folder: Where to write; exists.
            fused: Whether to use this runtime's newest fused ops (attention, GELU), for an artifact that it alone
                reads; else ops that many readers of the format know.

        Returns:
            The main file, inside ``folder``.
        """

    def quantize_artifact(self, parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
        """Writes the artifact of another scheme from a float32 one.

        What the recipe prepares is done already in the float32 one, and its float layers are all named.

        Args:
            parent: Main file of the float32 artifact.
            recipe: Its scheme is one of ``SCHEMES``, not "fp32"; its float layers are ops of ``read_graph(parent)``.
            calibration: float32 [n, 3, h, w], preprocessed; None if there are none, for a scheme that can do without.
            folder: Where to write.

        Returns:
            The main file, inside ``folder``.

        Raises:
            UsageError: the recipe asks for what this runtime has not.
        """

    def read_graph(self, path: Path) -> Graph:
        """Reads the ops and tensors of an artifact, also of one that edgevit did not make."""

    def open_session(self, path: Path, threads: int, precision: str) -> Session:
        """Loads an artifact for inference on this host.

        Args:
            path: Main file.
            threads: CPU threads, 1 or more.
            precision: "f32" to compute floats in float32; "fastest" to let the runtime choose; "bf16" for bfloat16.

        Raises:
            UsageError: the file is not one of this format, or needs ops that the runtime lacks, or this processor or
                runtime does not have that precision.
        """


_FOLDER = Path(__file__).parent


def backend_names() -> list[str]:
    """Names of all backends, sorted, without importing any."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/__init__.py"))


@cache
def all_backends() -> tuple[Backend, ...]:
    """Every backend, in the order of their names."""
    return tuple(cast(Backend, importlib.import_module(f"edgevit.backends.{name}")) for name in backend_names())


def get_backend(name: str) -> Backend:
    """Returns a backend by its name or by its format: "litert" or "tflite".

    Raises:
        UsageError: there is none; the nearest names are given.
    """
    for backend in all_backends():
        if name in (backend.NAME, backend.FORMAT):
            return backend
    known = sorted({known for backend in all_backends() for known in (backend.NAME, backend.FORMAT)})
    raise unknown_name("backend", name, known)


def backend_of_file(path: Path) -> Backend:
    """Returns the backend that reads a file, by its suffix.

    Raises:
        UsageError: the file does not exist, or no backend reads its suffix.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {path}")
    for backend in all_backends():
        if path.suffix == backend.SUFFIX:
            return backend
    known = ", ".join(f"{backend.SUFFIX} ({backend.TITLE})" for backend in all_backends())
    raise UsageError(f"{path}: no backend reads {path.suffix or 'a file without suffix'}", f"known: {known}")


def check_scheme(backend: Backend, scheme: str) -> None:
    """Refuses a scheme that a backend lacks.

    Raises:
        UsageError: with the list of what it has.
    """
    if scheme not in backend.SCHEMES:
        raise UsageError(
            f"{backend.TITLE} has no scheme {scheme!r}", f"{backend.TITLE} has: {', '.join(backend.SCHEMES)}"
        )
