"""Backends: one runtime and its format each.

A backend is a package in this folder whose ``__init__`` describes it as ``BACKEND``; it is found by its folder, and its
parts are imported when they are first used. To add one, add a folder with ``__init__.py``, ``export.py`` (``export``),
``quantize.py`` (``quantize``), ``graph.py`` (``read_graph``), ``files.py`` (``files_of``), ``session.py`` (``RuntimeSession``), ``op_times.py``
(``op_times``, ``PROFILER``), ``embed.py`` (``embed_normalization``), ``metadata.py`` (``read_metadata``, ``write_metadata``) and ``use.py``
(``IMPORTS``, ``loading_lines``, ``output_lines``), as the methods of
:class:`Backend` describe them; the contract tests pick it up.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from edgevit.backends.guard import GuardedSession, Session, blaming
from edgevit.backends.no_telemetry import forbid_telemetry
from edgevit.errors import UsageError, unknown_name
from edgevit.quantization.arithmetic import Int8Arithmetic
from edgevit.results.contract import KEY, Contract, contract_from_text, contract_to_text
from edgevit.run.packages import is_installed
from edgevit.spec.input_file import require_file

__all__ = [
    "Backend", "Session", "all_backends", "backend_names", "backend_of_file", "check_makers", "check_scheme", "check_size", "get_backend",
]  # fmt: skip

if TYPE_CHECKING:
    import numpy as np
    from torch.export import ExportedProgram

    from edgevit.quantization.policy import FirstGuess
    from edgevit.results.graph import Graph
    from edgevit.results.layer_times import LayerTime
    from edgevit.spec.recipe import OpKind, Recipe

forbid_telemetry()  # here, because no part of a backend can be imported without this package


@dataclass(frozen=True, eq=False)
class Backend:
    """One runtime with its format: what it supports, and its parts, each imported when it is first used."""

    name: str
    """The runtime: the first part of a candidate id, and the package in this folder."""
    title: str
    """The runtime's name as its vendor writes it."""
    format: str
    """The format's name on the command line, also the pip extra that installs the runtime."""
    suffix: str
    """Suffix of the main file."""
    runtime: str
    """Distribution that runs the artifacts, by its name in pip."""
    makers: tuple[str, ...]
    """Distributions that export and quantize, by their names in pip; the extra ``compress-<format>`` installs them."""
    schemes: Mapping[str, tuple[OpKind, ...]]
    """Its schemes, "fp32" first, each with the kinds of ops that it stores or computes in other numbers."""
    policy: tuple[FirstGuess, ...]
    """What "auto" tries, see :mod:`edgevit.quantization.policy`; has a guess for any processor for each architecture."""
    most_bytes: int | None = None
    """Bytes that one file of the format can have; None where it has no limit of its own."""
    gptq_schemes: tuple[str, ...] = ()
    """Schemes for which its quantizer can round weights by GPTQ."""
    has_integer_io: bool = False
    """Whether its static artifacts can have integers as input and output."""
    makers_platforms: tuple[tuple[str, str], ...] = ()
    """``sys.platform`` and machine of the systems that the makers have wheels for; empty where they have them for all."""
    width_step: int = 8
    """What it computes of channels at once, so that widths between its multiples cost as much as the next."""
    arithmetic: Int8Arithmetic = field(default_factory=Int8Arithmetic)
    """How its int8 layers compute; read from what its artifacts contain, and tested against their logits."""

    def export(self, program: ExportedProgram, folder: Path, *, fused: bool = False) -> Path:
        """Writes a float32 artifact with static shapes, batch 1, one input "input" and the outputs of a program in their order.

        Args:
            program: Captured, with one input; its only output is "logits", or it has named outputs, see
                :mod:`edgevit.model.program.outputs`.
            folder: Where to write; exists.
            fused: Whether to use this runtime's newest fused ops (attention, GELU), for an artifact that only it has to
                read; otherwise ops that most readers of the format know.

        Returns:
            The main file, inside ``folder``.

        Raises:
            ValueError: the program was saved without example inputs.
        """
        return cast(Path, self._part("export").export(program, folder, fused=fused))

    def quantize(self, parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
        """Writes the artifact of another scheme from a float32 one.

        Rewrites, weight changes and export options of the recipe have been applied to the float32 one already, and all
        layers that stay float are named in ``float_layers``.

        Args:
            parent: Main file of the float32 artifact.
            recipe: Its scheme is one of ``schemes``, not "fp32"; its float layers are ops of ``read_graph(parent)``.
            calibration: float32 [n, 3, h, w], preprocessed, or with its axes in the order of the parent's input; None if
                there are none, for a scheme that works without.
            folder: Where to write.

        Returns:
            The main file, inside ``folder``.

        Raises:
            ValueError: the scheme needs calibration images, and there are none.
        """
        return cast(Path, self._part("quantize").quantize(parent, recipe, calibration, folder))

    def read_graph(self, path: Path) -> Graph:
        """Reads the ops and tensors of an artifact, also of one that edgevit did not make.

        Raises:
            UsageError: the file is not one of this format, is damaged, or holds no ops.
        """
        part = self._part("graph")
        with blaming(f"{path} is damaged, or no file of {self.title}"):
            graph = cast("Graph", part.read_graph(path))
        if not graph.ops:
            raise UsageError(f"{path} holds no model: it has no ops", "export it again")
        return graph

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """Returns the files of an artifact, the main one first: weights may lie in files beside it.

        Raises:
            UsageError: the main file cannot be read, or another one is not there or would not be in the same folder.
        """
        part = self._part("files")
        with blaming(f"{path} is damaged, or no file of {self.title}"):
            return cast("tuple[Path, ...]", part.files_of(path))

    def read_contract(self, path: Path) -> Contract | None:
        """Reads the contract that an artifact carries; needs no runtime.

        Args:
            path: Main file; it can be read.

        Returns:
            The contract; None where the file carries none, or is damaged, which its runtime says best.

        Raises:
            UsageError: what it carries as its contract is none.
        """
        text = cast("str | None", self._part("metadata").read_metadata(path, KEY))
        return None if text is None else contract_from_text(text, str(path))

    def write_contract(self, path: Path, contract: Contract) -> None:
        """Puts a contract into an artifact, in place of the one that it carries; what it computes does not change.

        Args:
            path: Main file, as the backend's own ``export`` or ``quantize`` wrote it.
            contract: What it will carry.
        """
        self._part("metadata").write_metadata(path, KEY, contract_to_text(contract))

    def embed_normalization(self, path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Lets an artifact take pixels, uint8 [1, h, w, channels]: order of the axes and normalization go into its graph.

        What is there stays as it is, so that a quantizer never sees these steps.

        Args:
            path: Main file, whose input is one float32 image [1, channels, h, w] or [1, h, w, channels]; changed in place.
            mean: Of each channel, for pixels in 0..1.
            std: Of each channel, likewise.

        Raises:
            UsageError: its input is another.
        """
        self._part("embed").embed_normalization(path, mean, std)

    @property
    def use_imports(self) -> str:
        """The lines by which a script imports the runtime, see :mod:`edgevit.artifacts.use_script`."""
        return cast(str, self._part("use").IMPORTS)

    def loading_lines(self, precision: str) -> str:
        """Returns lines of a script that load an artifact by the runtime alone.

        Args:
            precision: As for :meth:`open_session`.

        Returns:
            Lines that define ``load_model()``, which loads the file ``MODEL`` and returns a function from float32 [1, 3, h, w],
            or of a file with embedded preprocessing uint8 [1, h, w, 3], to float logits [classes].
        """
        return cast(str, self._part("use").loading_lines(precision))

    def output_lines(self, precision: str) -> str:
        """Returns lines of a script that load an artifact with any outputs by the runtime alone.

        Args:
            precision: As for :meth:`open_session`.

        Returns:
            Lines that define ``load_model()``, which loads the file ``MODEL`` and returns a function from float32 [1, 3, h, w]
            to a list of all outputs, each float32 [1, ...], in the order of the file.
        """
        return cast(str, self._part("use").output_lines(precision))

    def open_session(self, path: Path, threads: int, precision: str, batch: int | None = None) -> Session:
        """Loads an artifact for inference on this host.

        Args:
            path: Main file.
            threads: CPU threads, 1 or more.
            precision: "f32" to compute floats in float32; "fastest" to let the runtime choose; "bf16" for bfloat16.
            batch: Images of one run; when None, what the file fixes, or 1 where it leaves it open.

        Raises:
            UsageError: the file is not one of this format, or needs ops that the runtime does not have, or this
                processor or runtime does not have that precision, or the file fixes another batch.
        """
        part = self._part("session")
        with blaming(f"{self.title} cannot load {path}"):
            loaded = cast(Session, part.RuntimeSession(path, threads, precision, batch or 1))
        session = GuardedSession(loaded, self.title, path)
        if not session.outputs:
            raise UsageError(f"{path} holds no model: it computes nothing", "export it again")
        fixed = {spec.shape[0] for spec in session.inputs if spec.shape} - {batch}
        if batch is not None and fixed:
            raise UsageError(
                f"{path} does not take {batch} images at once: its batch is fixed",
                f"the nearest that it takes is {min(fixed)}",
            )
        return session

    def op_times(
        self, path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
    ) -> tuple[LayerTime, ...]:
        """Runs an artifact under the runtime's own profiler, after a warm-up; only in a child process, as all native code.

        Args:
            path: Main file.
            threads: CPU threads, 1 or more.
            precision: As for :meth:`open_session`.
            feeds: Arrays of the shapes and dtypes of the artifact's inputs, in that order.
            inferences: How many are measured, 1 or more.

        Returns:
            The time of each op in one inference, in the order in which they ran.

        Raises:
            UsageError: the runtime cannot run the file, or has no profiler as it is installed.
        """
        part = self._part("op_times")
        with blaming(f"{self.title} cannot profile {path}"):
            return cast("tuple[LayerTime, ...]", part.op_times(path, threads, precision, feeds, inferences))

    @property
    def profiler(self) -> str:
        """Whose profiler ``op_times`` uses, and what it does not show."""
        return cast(str, self._part("op_times").PROFILER)

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that conversions and inference need, see :class:`edgevit.run.task.Task`; they start no threads."""
        parts = (f"{__name__}.{self.name}.{part}" for part in ("export", "quantize", "session"))
        return (*parts, "edgevit.quantization.prepare")

    def import_runtime(self) -> None:
        """Imports what ``open_session`` needs, so that a timer started afterwards does not include it."""
        self._part("session")

    def _part(self, name: str) -> ModuleType:
        return importlib.import_module(f"{__name__}.{self.name}.{name}")


def backend_names() -> list[str]:
    """Returns the names of all backends, sorted, without importing any."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


@cache
def all_backends() -> tuple[Backend, ...]:
    """Returns all backends, sorted by name."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in backend_names())
    return tuple(cast(Backend, module.BACKEND) for module in modules)


def get_backend(name: str) -> Backend:
    """Returns a backend by its name or by its format: "litert" or "tflite".

    Raises:
        UsageError: there is no such backend; the nearest names are given.
    """
    for backend in all_backends():
        if name in (backend.name, backend.format):
            return backend
    known = sorted({known for backend in all_backends() for known in (backend.name, backend.format)})
    raise unknown_name("backend", name, known)


def backend_of_file(path: Path) -> Backend:
    """Returns the backend that reads a file, by its suffix.

    Raises:
        UsageError: the file does not exist, or no backend reads its suffix.
    """
    require_file(path, "file", "give an .onnx, .xml or .tflite file")
    for backend in all_backends():
        if path.suffix.lower() == backend.suffix:
            return backend
    known = ", ".join(f"{backend.suffix} ({backend.title})" for backend in all_backends())
    raise UsageError(f"{path}: no backend reads {path.suffix or 'a file without suffix'}", f"known: {known}")


def check_makers(backend: Backend) -> None:
    """Checks that what exports and quantizes for a backend, and what runs its artifacts, is installed.

    Raises:
        UsageError: it is not, or cannot be on this system; the extra is named.
    """
    missing = [name for name in (backend.runtime, *backend.makers) if not is_installed(name)]
    if not missing:
        return
    what = f"{backend.title} files cannot be made here"
    others = [other.format for other in all_backends() if other is not backend]
    here = (sys.platform, platform.machine())
    if backend.makers_platforms and here not in backend.makers_platforms:
        known = " and ".join(f"{system} {machine}" for system, machine in backend.makers_platforms)
        raise UsageError(
            f"{what}: {missing[0]} has no wheels for {' '.join(here)}",
            f"it has for {known}; leave {backend.format} out: --export {','.join(others)}",
        )
    raise UsageError(
        f"{what}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
        f"pip install 'edgevit[compress-{backend.format}]', or leave {backend.format} out: --export {','.join(others)}",
    )


def check_size(backend: Backend, params: int) -> None:
    """Checks that a float32 model fits into one file of the backend's format.

    Args:
        backend: What it is to be exported for.
        params: Number of parameters.

    Raises:
        UsageError: it does not; its size and the limit are said.
    """
    size = 4 * params
    if backend.most_bytes is not None and size > backend.most_bytes:
        unlimited = [other.format for other in all_backends() if other.most_bytes is None]
        raise UsageError(
            f"the model has {size / 1e9:.1f} GB of float32 weights, and one file of {backend.title} holds at most"
            f" {backend.most_bytes / 1e9:.1f} GB",
            f"export it to {' or '.join(unlimited)}, or take a smaller model",
        )


def check_scheme(backend: Backend, scheme: str) -> None:
    """Checks that a backend has a scheme.

    Raises:
        UsageError: it does not; those that it has are listed.
    """
    if scheme not in backend.schemes:
        raise UsageError(
            f"{backend.title} has no scheme {scheme!r}", f"{backend.title} has: {', '.join(backend.schemes)}"
        )
