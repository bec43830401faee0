"""Where the time of one inference goes: what a runtime's own profiler measured, by op and by op family."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.results.layer_times import KindTime, LayerTime, kind_times


@dataclass(frozen=True)
class OpTime:
    """All ops of one inference that ran as the same kernel."""

    native: str
    """The runtime's own name of the op, where it has one with its kernel."""
    kind: str
    """Op family, see :data:`edgevit.spec.recipe.OpKind`; of ops that run as one, that of the most work."""
    count: int
    """Executions in one inference."""
    ms: float
    """Of all of them together in one inference: the sum of the shortest time of each over several inferences."""


@dataclass(frozen=True)
class OpTimes:
    """What a profiler found in an artifact."""

    backend: str
    profiler: str
    """Whose profiler, and what it does not show."""
    threads: int
    precision: str
    p50_ms: float
    """Latency of as many inferences without the profiler."""
    fastest_ms: float
    """The shortest of these, which is what the ops' shortest times compare with."""
    layers: tuple[LayerTime, ...]
    """Each op, in the order in which they ran."""

    @property
    def ops(self) -> tuple[OpTime, ...]:
        """Ops of one kernel and family together, most time first."""
        times: dict[tuple[str, str], list[float]] = {}
        for layer in self.layers:
            times.setdefault((layer.native, layer.kind), []).append(layer.ms)
        found = [OpTime(native, kind, len(ms), sum(ms)) for (native, kind), ms in times.items()]
        return tuple(sorted(found, key=lambda op: (-op.ms, op.native)))

    @property
    def sum_ms(self) -> float:
        """Time of all ops of one inference, in ms; without what a runtime does between them."""
        return sum(layer.ms for layer in self.layers)

    @property
    def families(self) -> tuple[KindTime, ...]:
        """Time by op family, most first."""
        return kind_times(self.layers)
