"""Schemes: what numbers a model's weights and activations are stored and multiplied in.

Named as ai-edge-quantizer's recipes are: ``wi8`` = int8 weights, ``ai8`` = int8 activations, ``afp32`` = float
activations; "dynamic" takes activation scales at run time, "static" from calibration data.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Scheme:
    """A framework-free description of numerics."""

    name: str
    weights: str
    activations: str
    calibrated: bool
    """Whether quantizing needs calibration images."""
    description: str

    @property
    def is_int8(self) -> bool:
        """Whether multiplications run in int8."""
        return self.weights == "int8"


_ALL = (
    Scheme("fp32", "float32", "float32", False, "float32 throughout"),
    Scheme("fp16", "float16", "float32", False, "weights stored as float16"),
    Scheme("dynamic_wi8_afp32", "int8", "float32", False, "int8 weights, activations quantized at run time"),
    Scheme("static_wi8_ai8", "int8", "int8", True, "int8 weights and activations, scales from calibration"),
)
SCHEMES: dict[str, Scheme] = {scheme.name: scheme for scheme in _ALL}
AUTO = "auto"


def parse_schemes(names: tuple[str, ...]) -> tuple[str, ...]:
    """Checks scheme names; "auto" stands alone.

    Raises:
        UsageError: a name is unknown, repeated, or "auto" has company.
    """
    for name in names:
        if name != AUTO and name not in SCHEMES:
            raise unknown_name("scheme", name, [AUTO, *SCHEMES])
    if not names or len(set(names)) != len(names) or (AUTO in names and len(names) > 1):
        raise UsageError(
            f'schemes {", ".join(names) or "(none)"}: give "auto" alone, or distinct names',
            f"known: {', '.join([AUTO, *SCHEMES])}",
        )
    return names
