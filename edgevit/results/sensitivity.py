"""What ``edgevit sensitivity`` found, layer by layer: its ``sensitivity.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from edgevit.results.measurement import Host
from edgevit.spec.recipe import Recipe


@dataclass(frozen=True)
class LayerSensitivity:
    """Comparison of the float model with one layer quantized with the float model."""

    name: str
    """Name of the op in the float artifact."""
    kind: str
    macs: int
    snr_db: float | None
    """Signal-to-noise ratio of the logits in dB, or the least of several outputs; None where they are identical (a layer that the
    scheme skips)."""
    agreement: float | None
    """Top-1 agreement: share of the images, 0..1, with the same class; None of a model that is no classifier."""
    position: int
    """Index among the layers in graph order, from 0."""
    module: str = ""
    """Path of the module in the PyTorch model, see :class:`edgevit.model.program.module_names.ModuleLayer`; "" if not
    known."""


SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class ComparedImages:
    """The images that calibrated each layer and that layers are compared on."""

    source: str
    ids: tuple[str, ...]
    sha256: str
    """Of the sorted sha256 digests of the images."""
    warnings: tuple[str, ...]
    """Reasons to doubt the calibration, see :mod:`edgevit.data.calibration_warnings`."""


@dataclass(frozen=True)
class SensitivityReport:
    """What ``edgevit sensitivity`` found, as in its ``sensitivity.json``."""

    edgevit_version: str
    created_at: str
    """UTC, ISO 8601."""
    model: str
    backend: str
    scheme: str
    recipe: Recipe
    """How a layer was quantized; everything else stayed in float."""
    spec: dict[str, Any]
    """The resolved spec, as JSON; its export section may name more backends and schemes than were analysed."""
    images: ComparedImages
    host: Host
    tool_versions: dict[str, str]
    layers: tuple[LayerSensitivity, ...]
    """Most sensitive layer first."""
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA_VERSION
