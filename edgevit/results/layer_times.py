"""Time of each layer of one inference, predicted for a device or measured on this host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LayerTime:
    """What a runtime launches as one kernel, with the ops that it fuses into it."""

    name: str
    """Of the op that the kernel is built around, as the artifact has it, or as the runtime has it where it made the op."""
    native: str
    """Name of the kind of op, where it is measured with the runtime's kernel."""
    kind: str
    """Op family, see :data:`edgevit.spec.recipe.OpKind`; of ops that run as one, that of the most work."""
    ms: float
    """In one inference; measured: the shortest of several, for other work can only lengthen it."""
    macs: int | None
    """Multiply-accumulate operations; None where the runtime does not tell which op of the artifact it runs."""
    moved_bytes: int | None
    """Of the tensors that it reads and writes, weights among them; None where that is not known."""
    arithmetic: str
    """Number format that it computes in, such as "float32" or "int8"; "" where that is not known."""

    @property
    def operations_per_second(self) -> float | None:
        """Operations, two for each multiply-accumulate, in a second; None where there are none, or no time was counted."""
        return 2000 * self.macs / self.ms if self.macs and self.ms else None

    @property
    def intensity(self) -> float | None:
        """Operations for each byte moved; None where there are none, or it is not known what is moved."""
        return 2 * self.macs / self.moved_bytes if self.macs and self.moved_bytes else None


@dataclass(frozen=True)
class Peak:
    """Highest rate of a compute unit in one number format."""

    arithmetic: str
    operations_per_second: float


@dataclass(frozen=True)
class Roofs:
    """What no layer can exceed on a compute unit, as the file of its device has it."""

    unit: str
    """For people: processor, clock and number of threads."""
    peaks: tuple[Peak, ...]
    """Those that are known, at least one."""
    bytes_per_second: float | None
    """Bandwidth of the memory; None where it is not known. Tensors that stay in a cache can be read faster."""


@dataclass(frozen=True)
class KindTime:
    """All layers of one inference that are of one op family."""

    kind: str
    count: int
    ms: float
    share: float
    """Of the time of all layers, 0..1."""


@dataclass(frozen=True)
class LayerTimes:
    """Where the time of one inference of an artifact goes."""

    device: str
    """Name of the device, or "host"."""
    unit: str
    """Compute unit of the device, such as "cpu"; on this host the runtime."""
    source: Literal["measured", "predicted"]
    p50_ms: float
    """Of the whole inference: predicted, or measured without the profiler."""
    fastest_ms: float | None
    """The shortest whole inference without the profiler, which is what the layers' shortest times compare with; None for
    a prediction."""
    basis: str
    """What the prediction rests on, or whose profiler it was and what that does not show."""
    layers: tuple[LayerTime, ...]
    """In the order in which they run."""
    roofs: Roofs | None = None
    """None where too little is known of the unit."""

    @property
    def sum_ms(self) -> float:
        """Time of all layers together, in ms."""
        return sum(layer.ms for layer in self.layers)

    @property
    def share_of_p50(self) -> float:
        """``sum_ms`` as a share of ``p50_ms``; the rest is what the runtime does between and around the layers."""
        return self.sum_ms / self.p50_ms

    @property
    def slowest_first(self) -> tuple[LayerTime, ...]:
        """The layers by time, most first; those of equal time in their order."""
        return tuple(sorted(self.layers, key=lambda layer: -layer.ms))

    @property
    def kinds(self) -> tuple[KindTime, ...]:
        """Time by op family, most first."""
        return kind_times(self.layers)

    def share(self, ms: float) -> float:
        """Returns a time as a share, 0..1, of that of all layers; 0 where no time was counted."""
        return ms / self.sum_ms if self.sum_ms else 0.0


def kind_times(layers: Sequence[LayerTime]) -> tuple[KindTime, ...]:
    """Returns the time of layers by op family, most first."""
    whole = sum(layer.ms for layer in layers)
    times: dict[str, list[float]] = {}
    for layer in layers:
        times.setdefault(layer.kind, []).append(layer.ms)
    found = [KindTime(kind, len(ms), sum(ms), sum(ms) / whole if whole else 0.0) for kind, ms in times.items()]
    return tuple(sorted(found, key=lambda kind: -kind.ms))
