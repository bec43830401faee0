"""Made-up networks that are offered."""

from __future__ import annotations

from edgevit.results.family import Family
from edgevit.results.measurement import LatencyInterval
from edgevit.results.recommendation import OfferedNetwork


def make_offered(
    name: str, family: Family, top1: float, ms: float | None = None, int8_ms: float | None = None, megabytes: float = 10
) -> OfferedNetwork:
    """A network with a latency that may be half or twice as long."""

    def interval(p50: float) -> LatencyInterval:
        return LatencyInterval(p50, p50 / 2, p50 * 2)

    return OfferedNetwork(
        name=name,
        weights=f"{name}.made_up",
        family=family,
        top1=top1,
        top1_source="made up",
        input_size=(224, 224),
        macs=round((ms or 1) * 1e6),
        weights_bytes=round(megabytes * 1e6),
        unit=None if ms is None else "cpu",
        arithmetic=None if ms is None else "float32",
        latency_ms=None if ms is None else interval(ms),
        other_arithmetic=None if int8_ms is None else "int8",
        other_latency_ms=None if int8_ms is None else interval(int8_ms),
        basis="" if ms is None else "made up",
    )
