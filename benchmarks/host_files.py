"""Files of small networks in every runtime, float and int8, as a run makes them first; made once, and kept."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from edgevit.backends import Backend, all_backends
from edgevit.measure.host import host_fingerprint
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture
from edgevit.quantization.policy import Architecture, Target, first_guess, first_recipe
from edgevit.quantization.prepare import prepare_program
from edgevit.spec.recipe import Recipe
from edgevit.spec.schemes import SCHEMES
from edgevit.tokens.selection_ops import token_selection_ops

IMAGES = 4
"""Of noise, for scales: latency does not depend on their values."""


@dataclass(frozen=True)
class HostFile:
    """One file."""

    network: str
    backend: str
    scheme: str
    path: Path


def make_files(networks: Mapping[str, Callable[[], tuple[nn.Module, int]]], folder: Path) -> Iterator[HostFile]:
    """Makes the files of networks that are not there yet.

    Args:
        networks: By name; each gives a classifier in eval mode and the side of its square image in pixels.
        folder: Of a folder for each file.

    Yields:
        Each file.
    """
    torch.set_num_threads(1)
    for name, make in networks.items():
        program = functools.cache(functools.partial(_captured, make))
        for backend in all_backends():
            for scheme in ("float", "int8"):
                target = folder / f"{name}.{backend.name}.{scheme}"
                if not target.is_dir():
                    partial = target.with_name(f"{target.name}.partial")
                    shutil.rmtree(partial, ignore_errors=True)
                    partial.mkdir(parents=True)
                    _make(program(), backend, scheme, partial)
                    partial.rename(target)
                    print(target.name, flush=True)
                (path,) = target.glob(f"model{backend.suffix}")
                yield HostFile(name, backend.name, scheme, path)


def _captured(make: Callable[[], tuple[nn.Module, int]]) -> ExportedProgram:
    module, side = make()
    return capture(module, (side, side))


def _make(program: ExportedProgram, backend: Backend, scheme: str, folder: Path) -> None:
    if scheme == "float":
        backend.export(program, folder)
        return
    recipe = _recipe(program, backend)
    side = program.example_inputs[0][0].shape[-1] if program.example_inputs else 0
    images = np.random.default_rng(0).standard_normal((IMAGES, 3, side, side), dtype=np.float32)
    prepared, _ = prepare_program(program, recipe.preparations, None)
    float_folder = folder / "float"
    float_folder.mkdir()
    parent = backend.export(prepared, float_folder, fused="fused_ops" in recipe.preparations)
    graph = backend.read_graph(parent)
    resolved = recipe.resolved(graph.layers)
    kept = Recipe(**{**vars(resolved), "float_layers": (*resolved.float_layers, *token_selection_ops(graph))})
    backend.quantize(parent, kept, images if SCHEMES[recipe.scheme].calibrated else None, folder)
    shutil.rmtree(float_folder)


def _recipe(program: ExportedProgram, backend: Backend) -> Recipe:
    """Returns the recipe that a run would try first for int8 on this host."""
    architecture: Architecture = "transformer" if is_transformer(program) else "cnn"
    target = Target(architecture, False, "none", host_fingerprint(1).isa)
    guess = first_guess(backend.policy, target)
    scheme = next(name for name in guess.schemes if SCHEMES[name].is_int8)
    return first_recipe(backend.policy, scheme, target)
