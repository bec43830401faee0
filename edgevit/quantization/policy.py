"""The policy: what "auto" tries first, by architecture, runtime and unit. A first guess that measurement overrules.

The rules themselves are data of each backend (``POLICY`` in its ``__init__``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgevit.spec.recipe import IntegerIo, OpKind, Preparation, RangeMethod, Recipe
from edgevit.spec.schemes import SCHEMES, Numerics

Architecture = Literal["transformer", "cnn"]

_VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


@dataclass(frozen=True)
class FirstGuess:
    """What to try for one kind of network on one kind of unit, in one runtime."""

    architecture: Architecture
    unit: Literal["cpu", "npu"]
    schemes: tuple[str, ...]
    """The one expected to win first; each next one only if none before it was usable."""
    ranges: tuple[RangeMethod, ...]
    """Calibration methods of static schemes, in the order in which they are tried."""
    float_kinds: tuple[OpKind, ...] = ()
    """Kinds of ops that static schemes leave in float."""
    rewrites: Mapping[Numerics, tuple[Preparation, ...]] = field(default_factory=dict)
    """Changes of the graph that the runtime's int8 gains from, by how it multiplies."""
    float_stem: bool = False
    """See :class:`edgevit.spec.recipe.Recipe`; of int8 schemes."""
    float_below_mac_share: float = 0.0
    """See :class:`edgevit.spec.recipe.Recipe`; of int8 schemes."""


@dataclass(frozen=True)
class Target:
    """What an artifact is made for, as far as quantization depends on it."""

    architecture: Architecture
    npu: bool
    """Whether a unit that runs no dynamic int8 is among the devices."""
    integer_io: IntegerIo
    isa: tuple[str, ...]
    """Instruction sets of this host."""


def first_guess(policy: tuple[FirstGuess, ...], target: Target) -> FirstGuess:
    """Returns the rule for a target; one for processors serves NPUs where there is no other."""
    fitting = [rule for rule in policy if rule.architecture == target.architecture]
    return next((rule for rule in fitting if rule.unit == ("npu" if target.npu else "cpu")), fitting[0])


def first_recipe(policy: tuple[FirstGuess, ...], scheme: str, target: Target) -> Recipe:
    """Returns the recipe to begin with.

    Args:
        policy: Rules of the backend.
        scheme: One of the backend's, not a float one.
        target: See :class:`Target`.
    """
    rule, int8 = first_guess(policy, target), SCHEMES[scheme].is_int8
    islands = int8 and target.integer_io == "none"
    return Recipe(
        scheme=scheme,
        ranges=rule.ranges[0],
        float_kinds=rule.float_kinds if target.integer_io == "none" else (),
        preparations=rule.rewrites.get(SCHEMES[scheme].numerics, ()),
        float_stem=islands and rule.float_stem,
        float_below_mac_share=rule.float_below_mac_share if islands else 0.0,
        reduce_range=int8 and "avx2" in target.isa and not set(_VNNI) & set(target.isa),
        integer_io=target.integer_io,
    )
