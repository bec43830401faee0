"""The policy: what "auto" tries first, by architecture, runtime and unit; measurements then decide.

The guesses themselves are data of each backend (``POLICY`` in its ``__init__``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgevit.spec.recipe import IntegerIo, OpKind, Preparation, RangeMethod, Recipe
from edgevit.spec.schemes import SCHEMES, Numerics

Architecture = Literal["transformer", "cnn"]

_VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


@dataclass(frozen=True, kw_only=True)
class FirstGuess:
    """What to try for one kind of network on one kind of unit, in one runtime."""

    architecture: Architecture
    unit: Literal["cpu", "npu"]
    isa: tuple[str, ...] = ()
    """Only for processors with one of these instruction sets; for any when empty."""
    schemes: tuple[str, ...]
    """In order of preference; each is tried only if none before it was usable."""
    ranges: tuple[RangeMethod, ...]
    """Calibration methods of static schemes, in the order in which they are tried."""
    float_kinds: tuple[OpKind, ...] = ()
    """Kinds of ops that static schemes leave in float."""
    rewrites: Mapping[Numerics, tuple[Preparation, ...]] = field(default_factory=dict)
    """Preparations that make the runtime's int8 faster or more accurate, by how the scheme multiplies."""
    float_stem: bool = False
    """See :class:`edgevit.spec.recipe.Recipe`; for int8 schemes."""
    float_below_mac_share: float = 0.0
    """See :class:`edgevit.spec.recipe.Recipe`; for int8 schemes."""
    has_symmetric: bool = False
    """Whether the backend's static int8 can be symmetric, see :class:`edgevit.spec.recipe.Recipe`."""


@dataclass(frozen=True)
class Target:
    """What an artifact is made for, as far as quantization depends on it."""

    architecture: Architecture
    npu: bool
    """Whether one of the devices has a unit without dynamic int8."""
    integer_io: IntegerIo
    isa: tuple[str, ...]
    """Instruction sets of this host."""
    symmetric: bool = False
    """Whether one of the devices runs TensorRT, which reads symmetric int8 alone."""


def first_guess(policy: tuple[FirstGuess, ...], target: Target) -> FirstGuess:
    """Returns the first guess of a policy that fits a target; one for processors serves NPUs where there is no other.

    Args:
        policy: Guesses of a backend. The first that fits is taken, so one that names instruction sets comes before the
            general one.
        target: See :class:`Target`.
    """
    fitting = [
        guess
        for guess in policy
        if guess.architecture == target.architecture and (not guess.isa or set(guess.isa) & set(target.isa))
    ]
    return next((guess for guess in fitting if guess.unit == ("npu" if target.npu else "cpu")), fitting[0])


def first_recipe(policy: tuple[FirstGuess, ...], scheme: str, target: Target) -> Recipe:
    """Returns the recipe to begin with.

    Args:
        policy: Guesses of the backend.
        scheme: One of the backend's, not a float one.
        target: See :class:`Target`.
    """
    guess, int8 = first_guess(policy, target), SCHEMES[scheme].is_int8
    some_float = int8 and target.integer_io == "none"
    return Recipe(
        scheme=scheme,
        ranges=guess.ranges[0],
        float_kinds=guess.float_kinds if target.integer_io == "none" else (),
        preparations=guess.rewrites.get(SCHEMES[scheme].numerics, ()),
        float_stem=some_float and guess.float_stem,
        float_below_mac_share=guess.float_below_mac_share if some_float else 0.0,
        reduce_range=int8 and "avx2" in target.isa and not set(_VNNI) & set(target.isa),
        integer_io=target.integer_io,
        symmetric=target.symmetric and guess.has_symmetric and SCHEMES[scheme].numerics == "int8_static",
    )
