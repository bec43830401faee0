"""Latency and memory, measured on a machine or predicted for a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgevit.results.document import LATER
from edgevit.results.machine_state import MachineConditions
from edgevit.results.op_support import UnitSupport

HOST = "host"
"""Device name of the machine that the run is made on."""


@dataclass(frozen=True)
class LatencyMs:
    """Milliseconds of one run."""

    min: float
    p50: float
    p90: float | None
    """None where a program on a device told only a summary of its runs without it, as for ``p99``."""
    p99: float | None


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
    """Images of one run."""
    governor: str
    load_average: float | None
    """One-minute load average of the host when the measurement began; None where the system has none."""
    unstable: Annotated[str, LATER] = ""
    """Why the latency is not to be relied on, such as "other processes used 0.9 cores"; "" if it is, or is not judged."""
    not_judged: Annotated[str, LATER] = ""
    """Conditions that the system does not report, such as "steal time, clock"; "" if it reports all of them."""
    note: Annotated[str, LATER] = ""
    """Such as "4 threads on 2 cores"."""
    machine: Annotated[MachineConditions | None, LATER] = None
    """The machine before, during and after; None in measurements of earlier versions."""
    emulated: Annotated[str, LATER] = ""
    """Why the times are known to be those of an emulator, which say nothing about a board; "" where nothing says so."""


@dataclass(frozen=True)
class Measurement:
    """Latency and memory of an artifact, measured in a process of its own on a named device.

    What the program that measured there does not tell is None.
    """

    device: str
    latency_ms: LatencyMs
    samples_ms: tuple[float, ...]
    """Of each run; () where the program tells only summaries, which ``rounds`` has then."""
    load_ms: float | None
    first_run_ms: float | None
    peak_rss_bytes: int | None
    rss_delta_bytes: int | None
    """Peak resident memory minus that of the process with the empty runtime loaded."""
    threads: int
    conditions: Conditions
    source: Literal["measured"] = "measured"
    energy_mj: Annotated[float | None, LATER] = None
    """Millijoules of one run, where something measured them, such as a processor's own counters or a power sensor of a board,
    without subtracting what the machine needs at rest; None where nothing did, see ``conditions.machine``."""
    rounds: Annotated[RoundLatency | None, LATER] = None
    """Latency from several processes, one burst each, where that is what was measured; else None."""

    @property
    def images_per_second(self) -> float:
        """Throughput of runs one after another."""
        return 1000 * self.conditions.batch / self.latency_ms.p50


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Returns whether a value lies in the interval, its ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class RoundLatency:
    """Latency of one artifact from rounds in which several artifacts were timed alternately.

    In each round every artifact runs one burst, each in a fresh process, in an order that changes. With one thread, waits
    for a core that other processes used are left out, where the system tells them.
    """

    p50_ms: float
    """Median of ``bursts_ms``."""
    interval_ms: Interval
    bursts_ms: tuple[float, ...]
    """Median of each round's burst in ms, in the order of the rounds; all artifacts timed together have the same number."""
    repeated_bursts: int = 0
    """Bursts that were run again because something disturbed them."""
    unstable: str = ""
    """Why the latency is not to be relied on, such as "steal time 12 % in 4 of 7 bursts"; "" if it is."""
    not_judged: Annotated[str, LATER] = ""
    """Conditions that the system does not report, such as "steal time, clock"; "" if it reports all of them."""
    batch: Annotated[int, LATER] = 1
    """Images of one run."""
    machine: Annotated[MachineConditions | None, LATER] = None
    """The machine before, during and after the bursts; None in measurements of earlier versions."""
    emulated: Annotated[str, LATER] = ""
    """See :attr:`Conditions.emulated`."""

    @property
    def images_per_second(self) -> float:
        """Throughput of runs one after another."""
        return 1000 * self.batch / self.p50_ms


Fit = Literal["yes", "no", "unsure", "unknown"]
"""Whether something fits: "unsure" where the interval contains what there is, "unknown" where that is not known."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory of one inference on a compute unit."""

    weights_bytes: int
    """As stored."""
    activation_bytes: int
    """Largest set of activations that live at once."""
    runtime_bytes: float | None
    """Of the runtime itself, as published for the unit; None where that is not known, and then not in ``total_bytes``."""
    total_bytes: Interval
    """From weights and activations alone, to what runtimes were seen to take for copies of weights and scratch."""
    memory_bytes: float | None
    """Main memory of the device; None where it is not known or products differ."""
    on_chip_bytes: float | None
    """Memory on the chip of the unit; None where it has none, or it is not published."""

    @property
    def fits_memory(self) -> Fit:
        """Whether it fits into the main memory, of which the system takes its part too."""
        if self.memory_bytes is None:
            return "unknown"
        if self.total_bytes.high <= self.memory_bytes:
            return "yes"
        return "no" if self.total_bytes.low > self.memory_bytes else "unsure"

    @property
    def fits_on_chip(self) -> Fit:
        """Whether weights and activations fit into the memory of the unit, so that weights are not read anew each time."""
        if self.on_chip_bytes is None:
            return "unknown"
        return "yes" if self.weights_bytes + self.activation_bytes <= self.on_chip_bytes else "no"


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
    """None if the unit cannot run the artifact, or too little is known of its speed."""
    peak_memory_bytes: int
    """The same as ``peak_tensor_bytes``, under its name of earlier versions."""
    basis: str
    """What the prediction rests on, such as "data sheet only: …"."""
    unsupported_ops: tuple[str, ...]
    source: Literal["predicted"] = "predicted"
    peak_tensor_bytes: Annotated[int, LATER] = 0
    """Weights and the activations that live at once: what the graph alone tells, not the memory of a process. Taken
    from ``peak_memory_bytes`` where it is not given, as in runs of an earlier version."""
    peak_rss_bytes: Annotated[Interval | None, LATER] = None
    """Interval of the peak resident memory of the process, from the runtime's own memory as measured on the host; None
    where that is not known. See :func:`edgevit.devices.peak_memory.process_memory`."""

    batch: Annotated[int, LATER] = 1
    """Images of one run."""
    op_support: Annotated[tuple[UnitSupport, ...], LATER] = ()
    """What each unit of the device would run of the artifact, in the device's order; () in runs of earlier versions."""
    memory: Annotated[MemoryEstimate | None, LATER] = None
    """Memory on ``unit``; None in runs of earlier versions."""

    def __post_init__(self) -> None:
        if not self.peak_tensor_bytes:
            object.__setattr__(self, "peak_tensor_bytes", self.peak_memory_bytes)

    @property
    def supported(self) -> bool:
        """Whether every op of the artifact runs on the unit."""
        return not self.unsupported_ops


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
