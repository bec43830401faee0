"""Token plans: which method keeps how many patch tokens after the attention of which blocks."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from edgevit.errors import UsageError, unknown_name

METHODS = ("evit", "evit_fused", "tome", "squeeze")
"""Token reduction methods, see the functions of these names in :mod:`edgevit.tokens.maths`."""
RESIZINGS = ("resolution", "patch")
"""Ways to have fewer tokens from the start: a smaller image, or larger patches."""
AUTO: Literal["auto"] = "auto"
"""Means the plan that a search finds, see :mod:`edgevit.pipeline.token_search`."""
NONE = "none"
EXAMPLES = "such as evit:0.7, tome:8, squeeze:0.7@4,7,10, squeeze:4=150,7=100, resolution:192, resolution:208+tome:8, auto, or none"

_LONGEST_SLUG = 64
"""Characters. The name of a stage may contain two slugs, and becomes a file name, which may have 255."""

_NUMBER = "[0-9]{1,6}"
"""Matches a count of tokens, blocks or pixels; more digits would only be read slowly, or not at all."""

Form = Literal["gather", "arithmetic"]
"""How a graph selects tokens: by TopK, ArgMax, Gather and compare, or by sums, products, minima and maxima alone."""
FORMS: tuple[Form, ...] = ("gather", "arithmetic")


@dataclass(frozen=True)
class Site:
    """A block after whose attention patch tokens are removed."""

    block: int
    """Counted from 1."""
    tokens: int
    """Patch tokens that remain, including the one that EViT fuses others into."""


@dataclass(frozen=True)
class KeepRatio:
    """The same share of the patch tokens is kept at each site."""

    ratio: Fraction
    """0 < ratio < 1; exact, so that rounding is."""

    def after(self, tokens: int) -> int:
        """Returns how many of ``tokens`` remain, rounded up."""
        return -int(-(tokens * self.ratio) // 1)

    def __str__(self) -> str:
        """Returns the ratio with all the digits that were written."""
        exact = Decimal(self.ratio.numerator) / Decimal(self.ratio.denominator)
        return format(exact.normalize(), "f")


@dataclass(frozen=True)
class RemoveEach:
    """The same number of patch tokens is removed at each site; evit_fused adds one fused token for them."""

    tokens: int
    """1 or more."""

    def after(self, tokens: int) -> int:
        """Returns how many of ``tokens`` remain; negative where fewer were there."""
        return tokens - self.tokens

    def __str__(self) -> str:
        return str(self.tokens)


@dataclass(frozen=True)
class ResizePlan:
    """Fewer tokens from the start: ``resolution:192`` or ``patch:20``, in pixels."""

    method: str
    size: int

    def __str__(self) -> str:
        return f"{self.method}:{self.size}"

    @property
    def slug(self) -> str:
        """The plan as a part of a candidate id or file name."""
        return f"{self.method}-{self.size}"


@dataclass(frozen=True)
class TokenPlan:
    """A method and a schedule, such as ``evit:0.7@4,7,10``, ``tome:8`` or ``squeeze:4=150,7=100``.

    With a smaller image, or larger patches, before: ``resolution:208+tome:4=110,7=66``.
    """

    method: str
    schedule: KeepRatio | RemoveEach | tuple[Site, ...]
    blocks: tuple[int, ...] = ()
    """Blocks of a ratio or number, counted from 1, ascending. When empty: every block for a number; for a ratio, three
    that divide the model into four parts, which are 4, 7 and 10 of 12 blocks as in EViT's paper."""
    resized: ResizePlan | None = None
    """What is done before."""

    def sites(self, patches: int, depth: int) -> tuple[Site, ...]:
        """Resolves the plan for a model.

        Args:
            patches: Patch tokens that enter the first block.
            depth: Blocks of the model.

        Returns:
            The sites, by ascending block, with strictly fewer tokens at each; sites that would remove none are omitted.

        Raises:
            UsageError: a block is beyond the last, or a site would keep no token, more than there are, for tome fewer
                than half, or for evit_fused only the fused one.
        """
        wanted = self.schedule if isinstance(self.schedule, tuple) else self._each(self.schedule, patches, depth)
        before, found = patches, []
        for site in wanted:
            if site.block > depth:
                raise UsageError(
                    f"token plan {self} names block {site.block}, the model has {depth}",
                    f"name blocks from 1 to {depth}",
                )
            least, why = 1, "one has to stay"
            if self.method == "tome":
                least, why = (before + 1) // 2, "tome merges at most half of them"
            elif self.method == "evit_fused":
                least, why = min(2, before), "one has to stay beside the fused one"
            if not least <= site.tokens <= before:
                raise UsageError(
                    f"token plan {self} leaves {site.tokens} of {before} patch tokens at block {site.block}: {why}",
                    f"from {least} to {before} can stay there",
                )
            if site.tokens < before:
                found.append(site)
            before = site.tokens
        return tuple(found)

    def _each(self, schedule: KeepRatio | RemoveEach, patches: int, depth: int) -> tuple[Site, ...]:
        sites, tokens = [], patches
        fused = 1 if self.method == "evit_fused" else 0
        for block in self.blocks or _default_blocks(schedule, depth):
            kept = schedule.after(tokens)
            tokens = min(kept + fused, tokens)
            sites.append(Site(block, tokens))
        return tuple(sites)

    def __str__(self) -> str:
        before = f"{self.resized}+" if self.resized else ""
        if isinstance(self.schedule, tuple):
            return f"{before}{self.method}:{','.join(f'{site.block}={site.tokens}' for site in self.schedule)}"
        at = f"@{','.join(map(str, self.blocks))}" if self.blocks else ""
        return f"{before}{self.method}:{self.schedule}{at}"

    @property
    def slug(self) -> str:
        """The plan as a part of a candidate id or file name; a long one is cut and ends in a digest."""
        whole = re.sub(r"[:@,+]", "-", str(self))
        if len(whole) <= _LONGEST_SLUG:
            return whole
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        return f"{whole[: _LONGEST_SLUG - 9].rstrip('-')}-{digest}"


Plan = TokenPlan | ResizePlan
"""What a user can ask for by name, and what "auto" becomes."""


def resizing_of(plan: Plan) -> ResizePlan | None:
    """Returns how a plan resizes the model before anything else; None where it does not."""
    return plan if isinstance(plan, ResizePlan) else plan.resized


def parse_plans(text: str) -> tuple[Plan | Literal["auto"], ...]:
    """Parses the value of ``--tokens``: plans separated by commas. "none" adds no plan; the dense model is always made.

    Raises:
        UsageError: one is not a plan, or is given twice.
    """
    parts = re.split(r"\s*,\s*(?=[A-Za-z])", text.strip())
    if parts.count(NONE) > 1:
        raise UsageError("token plan none is given twice", "give it once")
    plans = tuple(_parse(part) for part in parts if part != NONE)
    for plan in plans:
        if plans.count(plan) > 1:
            raise UsageError(f"token plan {plan} is given twice", "give it once")
    return plans


def check_form(form: str, plans: Iterable[Plan | Literal["auto"]]) -> None:
    """Checks that a form other than "auto" has a plan to apply to.

    Raises:
        UsageError: no plan reduces tokens inside the model, so the form would have no effect.
    """
    if form != "auto" and all(isinstance(plan, ResizePlan) for plan in plans):
        raise UsageError(
            f"--form {form} selects the export form, and no plan here reduces tokens",
            "give a plan such as --tokens squeeze:0.7@4,7, or leave --form out",
        )


def parse_any_plan(text: str) -> Plan:
    """Parses one plan of any kind.

    Raises:
        UsageError: the text is not exactly one plan.
    """
    plans = parse_plans(text)
    if len(plans) != 1 or plans[0] == AUTO:
        raise UsageError(f"not one plan: {text!r}", "give one, such as tome:8 or resolution:208")
    return plans[0]


def parse_plan(text: str) -> TokenPlan:
    """Parses one token plan that leaves the size of the image as it is.

    Raises:
        UsageError: the text is not exactly one such plan.
    """
    plans = parse_plans(text)
    if len(plans) != 1 or not isinstance(plans[0], TokenPlan):
        raise UsageError(f"not one token plan: {text!r}", f"write METHOD:SCHEDULE with one of {', '.join(METHODS)}")
    if plans[0].resized:
        raise UsageError(
            f"{text!r} changes the size of the image, too",
            f"here only {replace(plans[0], resized=None)} can be looked at",
        )
    return plans[0]


def _parse(text: str) -> Plan | Literal["auto"]:
    if text == AUTO:
        return AUTO
    before, plus, after = text.partition("+")
    if not plus:
        return _parse_one(text)
    resized, plan = _parse_one(before.strip()), _parse_one(after.strip())
    if not isinstance(resized, ResizePlan) or not isinstance(plan, TokenPlan):
        raise UsageError(
            f"token plan {text!r}: a smaller image comes first, then one that reduces tokens",
            "such as resolution:208+tome:4=110,7=66",
        )
    return replace(plan, resized=resized)


def _parse_one(text: str) -> Plan:
    method, colon, rest = text.partition(":")
    if colon and method not in (*METHODS, *RESIZINGS):
        raise unknown_name("token reduction method", method, (*METHODS, *RESIZINGS))
    amount, at, blocks = rest.partition("@")
    if method in RESIZINGS and re.fullmatch(_NUMBER, rest) and int(rest) > 0:
        return ResizePlan(method, int(rest))
    if method in METHODS and re.fullmatch(rf"{_NUMBER}={_NUMBER}(,{_NUMBER}={_NUMBER})*", rest):
        sites = tuple(Site(*map(int, site.split("="))) for site in rest.split(","))
        _check_rising(text, tuple(site.block for site in sites))
        counts = [site.tokens for site in sites]
        if min(counts) < 1 or any(later >= earlier for earlier, later in itertools.pairwise(counts)):
            raise UsageError(
                f"token plan {text!r}: the counts must fall from block to block, and not to 0",
                "such as squeeze:4=150,7=100",
            )
        return TokenPlan(method, sites)
    if method not in METHODS or (at and not re.fullmatch(rf"{_NUMBER}(,{_NUMBER})*", blocks)):
        raise _not_a_plan(text)
    numbers = tuple(map(int, blocks.split(","))) if at else ()
    if at:
        _check_rising(text, numbers)
    return TokenPlan(method, _schedule(text, amount), numbers)


def _schedule(text: str, amount: str) -> KeepRatio | RemoveEach:
    if re.fullmatch(_NUMBER, amount) and int(amount) > 0:
        return RemoveEach(int(amount))
    if not re.fullmatch(r"[0-9]?\.[0-9]{1,9}|0", amount):
        raise _not_a_plan(text)
    ratio = Fraction(amount)
    if not 0 < ratio < 1:
        raise UsageError(
            f"token plan {text!r}: the keep ratio must lie between 0 and 1, both excluded",
            "an integer ≥ 1, such as 8, is how many tokens are removed at each site",
        )
    return KeepRatio(ratio)


def _check_rising(text: str, blocks: tuple[int, ...]) -> None:
    if blocks[0] < 1 or any(later <= earlier for earlier, later in itertools.pairwise(blocks)):
        raise UsageError(f"token plan {text!r}: blocks are counted from 1 and must rise", "such as evit:0.7@4,7,10")


def _not_a_plan(text: str) -> UsageError:
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return UsageError(f"not a token plan: {shown!r}", EXAMPLES)


def _default_blocks(schedule: KeepRatio | RemoveEach, depth: int) -> tuple[int, ...]:
    if isinstance(schedule, RemoveEach):
        return tuple(range(1, depth + 1))
    return tuple(sorted({depth * quarter // 4 + 1 for quarter in (1, 2, 3)}))
