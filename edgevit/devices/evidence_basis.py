"""What a prediction rests on, in words, and the regime that its interval is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.devices.coefficients import CostModel
from edgevit.devices.evidence import Configuration
from edgevit.devices.interval_table import Regime


@dataclass(frozen=True)
class Basis:
    """What a prediction for a configuration rests on."""

    words: str
    regime: Regime
    widening: float = 1.0
    """Factor on the half-width of the interval of the regime."""
    nearest: Literal["unit", "architecture", "runtime", "nothing"] = "unit"
    """The nearest that was measured: the unit, one of its architecture, or any other with its runtime and precision."""


def basis(model: CostModel, configuration: Configuration) -> Basis:
    """Returns what the prediction for a configuration rests on: its unit, its architecture, or its runtime alone."""
    regime = model.regime(configuration)
    if regime == "measured":
        exact, unit = model.count("kernels device", configuration), model.count("unit device", configuration)
        if exact:
            return Basis(f"fitted on {_measurements(exact)} of this unit", regime)
        return Basis(f"fitted on {_measurements(unit)} of this unit in other runtimes or precisions", regime, 1.5)
    devices = model.devices.get(configuration.groups()["kernels architecture"], ())
    if devices:
        return Basis(f"scaled from {_names(devices)}", regime, 1.0, "architecture")
    kernels = model.count("kernels", configuration)
    if kernels:
        return Basis(f"scaled from {_measurements(kernels)} of other architectures", regime, 1.5, "runtime")
    return Basis("data sheet only: nothing was measured in this runtime and precision", regime, 2.0, "nothing")


def _measurements(count: int) -> str:
    return f"{count} published measurement{'' if count == 1 else 's'}"


def _names(devices: tuple[str, ...]) -> str:
    return devices[0] if len(devices) == 1 else f"{devices[0]} and {len(devices) - 1} more"
