"""Picks a point of a front by limits, and writes the spec with which ``edgevit compress`` makes exactly that point."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgevit.errors import UsageError, unknown_name
from edgevit.results.search import NONE, Estimate, Search, SearchedModel, SearchPoint
from edgevit.search.search_budget import tuning_minutes
from edgevit.spec.spec import Spec
from edgevit.spec.toml_files import validate

_LIMIT = re.compile(r"\s*([a-z0-9_]+)\s*(<=|>=)\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(%|kB|MB|GB|)\s*")
_UNITS = {"": 1.0, "%": 0.01, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_VALUES: Mapping[str, Callable[[SearchPoint], Estimate | None]] = {
    "top1": lambda point: point.value,
    "drop": lambda point: point.drop_points,
    "p50_ms": lambda point: point.p50_ms,
    "size": lambda point: point.size_bytes,
}
_ACCURACY = ("top1", "drop")
_EXAMPLE = 'such as "p50_ms<=8", "drop<=1" or "top1>=80%,size<=6MB"'


@dataclass(frozen=True)
class Limit:
    """A limit on one value."""

    name: str
    at_most: bool
    value: float
    """Fraction, points, ms or bytes."""
    text: str

    def excess(self, point: SearchPoint) -> float:
        """Returns by how much a point exceeds the limit, as a share of it; 0 or less where it keeps it."""
        found = _VALUES[self.name](point)
        if found is None:
            return float("inf")
        over = found.value - self.value if self.at_most else self.value - found.value
        return over / max(abs(self.value), 1e-9)


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Parses limits separated by commas.

    Raises:
        UsageError: one is no limit, or names a value that points do not have.
    """
    found = []
    for part in text.split(","):
        match = _LIMIT.fullmatch(part)
        if match is None:
            raise UsageError(f"--pick {part.strip()!r} is no limit", _EXAMPLE)
        name, sign, number, unit = match.groups()
        if name not in _VALUES:
            raise unknown_name("value in --pick", name, list(_VALUES))
        if (unit == "%") > (name == "top1") or (unit in ("kB", "MB", "GB")) > (name == "size"):
            raise UsageError(f"--pick {part.strip()!r}: {name} is not in {unit}", _EXAMPLE)
        found.append(Limit(name, sign == "<=", float(number) * _UNITS[unit], part.strip()))
    return tuple(found)


def pick_point(search: Search, limits: tuple[Limit, ...]) -> SearchPoint:
    """Returns the point of the front that keeps limits: the most accurate one, or the fastest where accuracy is limited.

    Raises:
        UsageError: none does; the limit that binds and the nearest point are named.
    """
    front = search.on_front
    if not front:
        raise UsageError("the search has no front to pick from", "continue it with --resume")
    kept = [point for point in front if all(limit.excess(point) <= 0 for limit in limits)]
    if not kept:
        nearest = min(front, key=lambda point: max(limit.excess(point) for limit in limits))
        binding = max(limits, key=lambda limit: limit.excess(nearest))
        found = _VALUES[binding.name](nearest)
        shown = f"{found.value:.4g}" if found else "unknown"
        raise UsageError(
            f"no point of the front keeps {binding.text}", f"the nearest is {nearest.id}, with {binding.name} {shown}"
        )
    if any(limit.name in _ACCURACY for limit in limits):
        return min(kept, key=lambda point: point.p50_ms.value if point.p50_ms else float("inf"))
    return min(kept, key=lambda point: (-point.value.value if point.value else 0.0, _drop(point)))


def spec_of(search: Search, point: SearchPoint) -> Spec:
    """Returns the spec with which ``compress`` makes exactly a point.

    Args:
        search: That found it.
        point: One of its points.
    """
    settings = point.settings
    model: SearchedModel = next(each for each in search.models if each.name == settings.model)
    document: dict[str, Any] = {**model.spec}
    document["export"] = {**document["export"], "backends": [settings.backend], "schemes": [settings.scheme]}
    passes = {**document["passes"], "tokens": settings.tokens, "form": "auto", "search_minutes": None}
    if settings.form != NONE:
        passes["form"] = settings.form
    if settings.prune != NONE:
        passes["prune"] = settings.prune
    document["passes"] = passes
    document["quantize"] = {**document["quantize"]}
    if settings.scheme != "fp32":
        document["quantize"]["float_layers"] = list(settings.float_layers)
    document["finetune"] = {"mode": "none"}
    if settings.finetune != NONE:
        minutes = tuning_minutes(model.spec["finetune"]["max_minutes"], search.budget.max_minutes)
        document["finetune"] = {**model.spec["finetune"], "mode": settings.finetune, "max_minutes": minutes}
    if document["data"].get("train") is not None and settings.finetune == NONE:
        document["data"] = {**document["data"], "train": None}
    drop = max(model.max_drop, _drop(point))
    document["budget"] = {**document["budget"], "max_drop": drop}
    return validate(Spec, document, "the point that was picked")


def toml_document(spec: Spec) -> dict[str, Any]:
    """Returns what a spec file has to say, without what is as ever."""
    found: dict[str, Any] = spec.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return found


def _drop(point: SearchPoint) -> float:
    return point.drop_points.value if point.drop_points else float("inf")
