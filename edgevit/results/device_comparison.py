"""What the predictions for a device are worth for what was measured on it, as in the JSON document of ``devices compare``."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.results.measurement import LatencyInterval


@dataclass(frozen=True)
class ComparedPrediction:
    """One artifact."""

    artifact: str
    unit: str
    """Of the device, that is predicted for."""
    measured_ms: float
    """p50."""
    predicted_ms: LatencyInterval | None
    """Without what was measured; None where nothing is predicted, see ``basis``."""
    ratio: float | None
    """Measured over predicted p50."""
    inside: bool | None
    """Whether the measured p50 is in the predicted interval."""
    basis: str
    """What the prediction rests on, or why there is none."""


@dataclass(frozen=True)
class DeviceComparison:
    """All artifacts."""

    device: str
    files: tuple[ComparedPrediction, ...]
    """In the order of the measurements."""
    predicted: int
    """Artifacts with a prediction."""
    inside: int
    """Those of them whose measured p50 is in the predicted interval."""
    median_error: float | None
    """Median over them of the difference of both p50 over the measured one, as a fraction; None without any."""
    median_ratio: float | None
    """Median of ``ratio``: above 1, the device is slower than predicted."""
