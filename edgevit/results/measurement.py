"""Latency and memory, measured on a machine or predicted for a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOST = "host"
"""Device name of the machine that the run is made on."""


@dataclass(frozen=True)
class LatencyMs:
    """Milliseconds for one image."""

    min: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Conditions:
    """Conditions under which a measurement was taken."""

    runtime: str
    runtime_version: str
    precision: str
    """Requested inference precision, such as "f32" or "bf16" in OpenVINO."""
    delegate: str
    """Execution provider, plugin or delegate that ran the graph, with its partitions where known."""
    warmup_runs: int
    runs: int
    batch: int
    governor: str
    load_average: float
    """One-minute load average of the host when the measurement began."""


@dataclass(frozen=True)
class Measurement:
    """Latency and memory of an artifact, measured in a child process on a named device."""

    device: str
    latency_ms: LatencyMs
    samples_ms: tuple[float, ...]
    load_ms: float
    first_run_ms: float
    peak_rss_bytes: int
    rss_delta_bytes: int
    """Peak resident memory minus that of the process with the empty runtime loaded."""
    threads: int
    conditions: Conditions
    source: Literal["measured"] = "measured"


@dataclass(frozen=True)
class LatencyInterval:
    """A predicted latency in milliseconds with its interval."""

    p50: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """Latency and memory predicted for a device, not measured."""

    device: str
    unit: str
    """Compute unit of the device, such as "cpu" or "npu"."""
    latency_ms: LatencyInterval | None
    """None if the unit cannot run the artifact."""
    peak_memory_bytes: int
    basis: str
    """What the prediction rests on, such as "data sheet only: …"."""
    unsupported_ops: tuple[str, ...]
    source: Literal["predicted"] = "predicted"

    @property
    def supported(self) -> bool:
        """Whether every op of the artifact runs on the unit."""
        return self.latency_ms is not None and not self.unsupported_ops


@dataclass(frozen=True)
class Host:
    """Fingerprint of the machine that a run was made on."""

    cpu: str
    cores: int
    isa: tuple[str, ...]
    memory_bytes: int
    os: str
    python: str
    governor: str
    threads: int
