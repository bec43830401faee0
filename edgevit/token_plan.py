"""Token plans: which method drops how many tokens after the attention of which blocks."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from edgevit.errors import UsageError, unknown_name

METHODS = ("evit",)
_FORM = re.compile(r"(?P<method>[a-z_]+):(?P<ratio>[0-9.]+)@(?P<sites>[0-9]+(,[0-9]+)*)")


@dataclass(frozen=True)
class TokenPlan:
    """A keep ratio at chosen blocks, such as ``evit:0.7@4,7,10``."""

    method: str
    keep_ratio: Fraction
    """Share of patch tokens that stay at each site, 0 < ratio < 1; exact, so that rounding is."""
    sites: tuple[int, ...]
    """Blocks, counted from 1 and rising, after whose attention tokens leave."""

    @staticmethod
    def parse(text: str) -> TokenPlan:
        """Reads a plan from its text form.

        Raises:
            UsageError: the method is unknown, the ratio is outside (0, 1), or the blocks do not rise.
        """
        match = _FORM.fullmatch(text)
        if not match:
            raise UsageError(
                f"not a token plan: {text!r}", "write METHOD:KEEP_RATIO@BLOCKS, such as evit:0.7@4,7,10, or none"
            )
        method, sites = match["method"], tuple(int(site) for site in match["sites"].split(","))
        if method not in METHODS:
            raise unknown_name("token reduction method", method, METHODS)
        try:
            ratio = Fraction(match["ratio"])
        except ValueError as error:
            raise UsageError(f"token plan {text!r}: {match['ratio']!r} is not a number") from error
        if not 0 < ratio < 1:
            raise UsageError(f"token plan {text!r}: the keep ratio must lie between 0 and 1, both excluded")
        if sites[0] < 1 or any(later <= earlier for earlier, later in itertools.pairwise(sites)):
            raise UsageError(f"token plan {text!r}: blocks are counted from 1 and must rise")
        return TokenPlan(method, ratio, sites)

    def __str__(self) -> str:
        return f"{self.method}:{self._ratio}@{','.join(map(str, self.sites))}"

    @property
    def slug(self) -> str:
        """The plan as a part of a candidate id or file name."""
        return f"{self.method}-{self._ratio}-{'-'.join(map(str, self.sites))}"

    @property
    def _ratio(self) -> str:
        """The ratio with all the digits that were written."""
        exact = Decimal(self.keep_ratio.numerator) / Decimal(self.keep_ratio.denominator)
        return format(exact.normalize(), "f")

    def counts(self, patches: int) -> tuple[int, ...]:
        """Patch tokens that stay after each site, each rounded up from the count before it."""
        kept = []
        for _ in self.sites:
            patches = -int(-(patches * self.keep_ratio) // 1)
            kept.append(patches)
        return tuple(kept)
