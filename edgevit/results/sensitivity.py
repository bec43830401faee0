"""What ``edgevit sensitivity`` found, layer by layer, as in its ``sensitivity.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from edgevit.results.measurement import Host
from edgevit.spec.recipe import Recipe


@dataclass(frozen=True)
class LayerSensitivity:
    """The float model with one layer quantized, against the float model."""

    name: str
    """Of the op in the float artifact."""
    kind: str
    macs: int
    snr_db: float | None
    """Signal-to-noise ratio of the logits; None where they are the same, as for a layer that the scheme leaves alone."""
    agreement: float
    """Share of the images, 0..1, that keep their class."""
    position: int
    """Among the layers in the order of the graph, from 0."""
    module: str = ""
    """Path in the PyTorch model, see :class:`edgevit.model.program.module_names.ModuleLayer`; "" if it is not known."""


SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class ComparedImages:
    """The images that layers were quantized for and compared on."""

    source: str
    ids: tuple[str, ...]
    sha256: str
    """Of the sorted sha256 digests of the images."""
    warnings: tuple[str, ...]
    """Why what they show may not hold for other images; see :mod:`edgevit.data.calibration_warnings`."""


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
    """How a layer was quantized; all other layers, and all that is no layer, stayed float."""
    spec: dict[str, Any]
    """The resolved spec, as JSON; its export section may name more than was looked at."""
    images: ComparedImages
    host: Host
    tool_versions: dict[str, str]
    layers: tuple[LayerSensitivity, ...]
    """The one that loses most first."""
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA_VERSION
