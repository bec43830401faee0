"""Made-up measurements that tests of the cost model share."""

from __future__ import annotations

import math

import numpy as np

from edgevit.devices.evidence import Configuration, Row
from edgevit.devices.features import FEATURES
from edgevit.devices.graph_table import Features

DEVICES = {"fast": 1.0, "slow": 4.0}


def configuration(device: str = "fast", precision: str = "fp32", runtime: str = "LiteRT") -> Configuration:
    """Returns a processor of a made-up device."""
    return Configuration("cpu", runtime, precision, device, f"cores of {device}")


def made_up(models: int = 12, seed: int = 0) -> tuple[tuple[Row, ...], dict[str, Features]]:
    """Returns rows of ``models`` on two devices whose latency is exactly 1 ns a MAC and 0.5 ms, by a factor slower."""
    random = np.random.default_rng(seed)
    graphs: dict[str, Features] = {}
    rows = []
    for number in range(models):
        macs = math.exp(random.uniform(15, 20))
        graphs[f"net{number}@8x8"] = tuple(
            {"macs_conv_1x1": macs, "moved_dense": macs / 100, "constant": 1.0}.get(name, 0.0) for name in FEATURES
        )
        rows += [
            Row(
                f"{device}-{number}",
                f"net{number}",
                (8, 8),
                configuration(device),
                (macs * 1e-6 + 0.5) * factor,
                "page",
            )
            for device, factor in DEVICES.items()
        ]
    return tuple(rows), graphs
