"""A network whose points are numbers: single changes add up but for a known error, and nothing is run."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevit.results.search import NONE, Estimate, PlanSingle, PointSettings
from edgevit.search.axes import Axes
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts, Singles
from edgevit.search.space import Change, Dimensions, Facts, make_space, to_make

BACKENDS = ("onnxruntime", "openvino", "litert")
PLANS = {"tome:4": (0.01, 0.85), "tome:8": (0.04, 0.7), "evit:0.7": (0.09, 0.62), "resolution:160": (0.2, 0.5)}
"""Divergence in nats and share of the MACs."""
SCHEMES = {"static_wi8_ai8": (0.03, 0.5), "dynamic_wi8_afp32": (0.012, 0.7)}
DENSE_MS = {"onnxruntime": 20.0, "openvino": 17.0, "litert": 19.0}


def facts(**changes: object) -> Facts:
    """Nothing is impossible, but for what is given."""
    given = {
        "has_scheme": lambda backend, scheme: True,
        "is_computed": lambda scheme: True,
        "calibrated": True,
        "fits_io": lambda scheme: True,
        "unsupported": lambda backend, change: "",
        "refused": lambda tokens: "",
        **changes,
    }
    return Facts(**given)  # type: ignore[arg-type]


def dimensions(name: str = "net", **changes: object) -> Dimensions:
    """Three runtimes, two int8 schemes, four plans, and a short fine-tuning."""
    plans = tuple(Change(plan, NONE if plan.startswith("resolution") else "gather") for plan in PLANS)
    given = {
        "model": name,
        "backends": BACKENDS,
        "schemes": tuple(SCHEMES),
        "changes": plans,
        "rungs": ("quick",),
        **changes,
    }
    return Dimensions(**given)  # type: ignore[arg-type]


@dataclass
class SyntheticNetwork:
    """See the module; errors follow from the name of a point."""

    name: str = "net"
    error: float = 0.1
    """Standard deviation of the logarithm of what predictions miss."""
    adds_up: bool = True
    noise_points: float = 0.3
    max_drop: float = 1.0
    made: list[PointSettings] = field(default_factory=list)
    fails: tuple[str, ...] = ()
    """Ids of points that cannot be made."""

    @property
    def points(self) -> tuple[PointSettings, ...]:
        return make_space(dimensions(self.name), facts()).points

    @property
    def singles(self) -> Singles:
        changes = {plan: PlanSingle(plan, nats, share) for plan, (nats, share) in PLANS.items()}
        return Singles(macs=1_250_000_000, params=5_700_000, changes=changes)

    def seconds(self, point: PointSettings) -> float:
        return 40.0 + 200.0 * (point.finetune != NONE)

    def make_together(self, points: Sequence[PointSettings], on_made: Callable[[Evaluation], None]) -> None:
        for point in points:
            self._make(point, on_made)

    def _make(self, point: PointSettings, on_made: Callable[[Evaluation], None]) -> None:
        for each in to_make(point, self.made):
            self.made.append(each)
            if each.id in self.fails:
                on_made(Evaluation(each, None, "failed", ("it was asked to",)))
                return
            amounts = self.amounts(each)
            drop = Estimate(amounts.drop, amounts.drop - 0.5, amounts.drop + 0.5, "measured")
            on_made(Evaluation(each, amounts, candidate=each.id, drop=drop))

    def amounts(self, point: PointSettings) -> Amounts:
        """What is measured of a point."""
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {point.id}".encode()))
        nats, share = PLANS.get(point.tokens, (0.0, 1.0))
        int8_nats, speed = SCHEMES.get(point.scheme, (0.0, 1.0))
        divergence = (
            (nats + int8_nats) * (0.5 if point.finetune == "quick" else 1.0) * math.exp(self.error * rng.normal())
        )
        ms = DENSE_MS[point.backend] * share * speed * math.exp(0.3 * self.error * rng.normal())
        drop = 18 * divergence + 0.3 * math.sqrt(divergence) * rng.normal()
        return Amounts(divergence, drop, ms, 22e6 if point.scheme == "fp32" else 6e6)


def axes(*names: str) -> Axes:
    """Accuracy, latency and size."""
    return Axes(("top1", "p50_ms", "size"), dict.fromkeys(names or ("net",), 0.0), np.array([5.0, 20.0, 25e6]))
