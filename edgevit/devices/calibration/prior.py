"""What kernels cost beside each other where nothing is known of the processor."""

from __future__ import annotations

_PRIOR = {"macs": 5e-9, "weights": 4e-8, "moved": 3e-8, "read": 3e-8, "written": 5e-8, "kernels": 2e-3, "gates": 8e-8}
"""Costs by the first word of a feature, as a share of the reference network's time."""
_OTHER_PRIORS = {
    "macs depthwise 3": 1.5e-8, "macs depthwise 5": 1.5e-8, "macs depthwise 7": 1.5e-8, "macs conv padded": 2e-9,
    "macs 1x1 padded": 2e-9, "pointwise": 1e-8, "pointwise ops": 5e-4, "relu": 2e-9, "constant": 5e-3, "conversion": 4e-8,
}  # fmt: skip
_INT8_SHARE = 0.35
"""Of the cost of a multiplication in float."""


def prior_cost(name: str) -> float:
    """Returns what a feature costs where nothing is known of the processor, in times of the reference network."""
    prefix = next((word for word in ("int8 ", "dynamic ", "fast ") if name.startswith(word)), "")
    plain = name.removeprefix(prefix)
    stem = plain.removesuffix(" strided")
    cost = _OTHER_PRIORS.get(stem) or _PRIOR[stem.split()[0]]
    return cost * (_INT8_SHARE if prefix in ("int8 ", "dynamic ") and plain.startswith("macs") else 1.0)
