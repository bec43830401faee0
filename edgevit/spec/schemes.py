"""Schemes: what numbers a model's weights and activations are stored and multiplied in.

Named as ai-edge-quantizer's recipes are: ``wi8`` = int8 weights, ``ai8`` = int8 activations, ``afp32`` = float
activations; "dynamic" takes activation scales at run time, "static" from calibration data. How a scheme is carried
out for one model is a :class:`edgevit.spec.recipe.Recipe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.errors import UsageError, unknown_name

Numerics = Literal["float", "int8_static", "int8_dynamic", "int16_static", "int8_weights"]
"""How an op multiplies: in float; int8 by int8 with scales fixed beforehand; int8 by int8 with activation scales
taken at run time; int8 weights by int16 activations with scales fixed beforehand; or int8 (or narrower) weights
expanded to float. Ops without MACs have one too:
"int8_static" when what they read is int8."""


@dataclass(frozen=True)
class Scheme:
    """A framework-free description of numerics."""

    name: str
    weights: str
    activations: str
    numerics: Numerics
    """How the layers that it quantizes multiply; an artifact in which they do not is refused."""
    precision: Literal["f32", "bf16", "fastest"]
    """Float precision requested of a session: float32 for a float artifact, the runtime's fastest for one with
    integers."""
    calibrated: bool
    """Whether quantizing needs calibration images."""
    description: str

    @property
    def is_int8(self) -> bool:
        """Whether multiplications run in int8."""
        return self.numerics in ("int8_static", "int8_dynamic")

    @property
    def is_float(self) -> bool:
        """Whether nothing is stored or multiplied as an integer."""
        return self.numerics == "float"


_ALL = (
    Scheme("fp32", "float32", "float32", "float", "f32", False, "float32 throughout"),
    Scheme("fp16", "float16", "float32", "float", "f32", False, "weights stored as float16"),
    Scheme("bf16", "float32", "bfloat16", "float", "bf16", False, "float32 file, computed in bfloat16 by a runtime hint"),
    Scheme(
        "dynamic_wi8_afp32", "int8", "float32", "int8_dynamic", "fastest", False,
        "int8 weights, activations quantized at run time",
    ),
    Scheme(
        "static_wi8_ai8", "int8", "int8", "int8_static", "fastest", True,
        "int8 weights and activations, scales from calibration",
    ),
    Scheme(
        "mixed_wi8_ai8", "int8", "int8", "int8_static", "fastest", True,
        "static int8, the layers that lose most by it in float",
    ),
    Scheme(
        "static_wi8_ai16", "int8", "int16", "int16_static", "f32", True,
        "int8 weights and int16 activations, scales from calibration; for NPUs, slow on processors",
    ),
    Scheme(
        "weight_only_wi8_afp32", "int8", "float32", "int8_weights", "f32", False,
        "int8 weights, expanded to float before they are used: small, not fast",
    ),
    Scheme(
        "weight_only_wi4_afp32", "int4", "float32", "int8_weights", "f32", False,
        "int4 weights, expanded to float before they are used: smallest, not fast",
    ),
)  # fmt: skip
SCHEMES: dict[str, Scheme] = {scheme.name: scheme for scheme in _ALL}
AUTO = "auto"


def parse_schemes(names: tuple[str, ...]) -> tuple[str, ...]:
    """Checks scheme names and returns them unchanged; "auto" must be the only one.

    Raises:
        UsageError: a name is unknown or repeated, or "auto" is given with others, or there are none.
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
