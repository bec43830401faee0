"""A budget: the limits that a user states in TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgevit.spec.toml_files import read_toml, validate

_Limit = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
_Drop = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
_Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]


class DeviceBudget(BaseModel):
    """Limits on one device; at least one is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    latency_p50_ms: _Limit | None = None
    """Median milliseconds for one image."""
    peak_rss_bytes: _Limit | None = None
    """Peak resident memory of the process; a prediction passes only if its whole interval is within the limit."""
    peak_tensor_bytes: _Limit | None = None
    """Predicted weights and largest set of live activations, without the memory of the runtime."""
    peak_memory_bytes: _Limit | None = None
    """Older name of ``peak_rss_bytes``; one of the two is given."""

    @property
    def process_bytes(self) -> float | None:
        """The limit on the memory of the process, under whichever name it was given."""
        return self.peak_memory_bytes if self.peak_rss_bytes is None else self.peak_rss_bytes

    @model_validator(mode="after")
    def _is_clear(self) -> DeviceBudget:
        if self.peak_rss_bytes is not None and self.peak_memory_bytes is not None:
            raise ValueError("peak_memory_bytes is the older name of peak_rss_bytes; give peak_rss_bytes alone")
        if self.latency_p50_ms is None and self.process_bytes is None and self.peak_tensor_bytes is None:
            raise ValueError("states no limit; give latency_p50_ms, peak_rss_bytes or peak_tensor_bytes")
        return self


class Budget(BaseModel):
    """Limits on an artifact; at least one is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    size_bytes: _Limit | None = None
    """Size of the artifact's files together."""
    accuracy_drop_points: _Points | None = None
    """Largest drop of top-1 against the float baseline, in percentage points, 0..100."""
    metric_drop: _Drop | None = None
    """Largest drop of what the run was judged by (its ``--metric``, else top-1, without labels agreement) against the float
    baseline: in percentage points, or in the unit of a metric that is no percentage."""
    devices: dict[str, DeviceBudget] = {}
    """By device name; "host" is the machine that the run was made on."""

    @model_validator(mode="after")
    def _not_empty(self) -> Budget:
        limits = (self.size_bytes, self.accuracy_drop_points, self.metric_drop)
        if all(limit is None for limit in limits) and not self.devices:
            raise ValueError(
                "states no limit; give size_bytes, accuracy_drop_points, metric_drop or a [devices.NAME] table"
            )
        return self


def load_budget(path: Path) -> Budget:
    """Loads a budget from a TOML file.

    Raises:
        UsageError: the file cannot be read, has an unknown key or a limit that is not finite and positive, or states
            no limit at all.
    """
    return validate(Budget, read_toml(path), str(path))
