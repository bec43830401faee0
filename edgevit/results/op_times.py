"""Where the time of one inference goes: what a runtime's own profiler measured, by op and by op family."""

from __future__ import annotations

from dataclasses import dataclass


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
class FamilyTime:
    """All ops of one inference that are of one family."""

    kind: str
    count: int
    ms: float
    share: float
    """Of the time of all ops, 0..1."""


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
    ops: tuple[OpTime, ...]
    """Most time first."""

    @property
    def sum_ms(self) -> float:
        """Time of all ops of one inference, in ms; without what a runtime does between them."""
        return sum(op.ms for op in self.ops)

    @property
    def families(self) -> tuple[FamilyTime, ...]:
        """Time by op family, most first."""
        kinds = dict.fromkeys(op.kind for op in self.ops)
        found = [_family(kind, self.ops, self.sum_ms) for kind in kinds]
        return tuple(sorted(found, key=lambda family: -family.ms))


def _family(kind: str, ops: tuple[OpTime, ...], sum_ms: float) -> FamilyTime:
    of_kind = [op for op in ops if op.kind == kind]
    ms = sum(op.ms for op in of_kind)
    return FamilyTime(kind, sum(op.count for op in of_kind), ms, ms / sum_ms if sum_ms else 0.0)
