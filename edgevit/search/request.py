"""What a search is asked for, checked before anything is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from edgevit.errors import UsageError, unknown_name
from edgevit.results.search import Objective
from edgevit.search.black_box import METHODS
from edgevit.spec.spec import Spec

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
REACH = 4.0
"""Multiple of the drop allowed up to which candidates are looked at: a front shows what more would cost."""
_LEAST_REACH = 5.0
"""Points that are looked at in any case."""


@dataclass(frozen=True)
class SearchRequest:
    """A search."""

    specs: tuple[Spec, ...]
    """One for each model."""
    objectives: tuple[Objective, ...] = OBJECTIVES
    max_minutes: float | None = None
    max_trials: int | None = None
    """Candidates that are really made."""
    method: str = "proxy"
    """See :data:`edgevit.search.black_box.METHODS`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models in this search; of several with one name, the others get a number."""
        seen, names = Counter[str](), []
        for spec in self.specs:
            name = spec.model.name.rpartition("/")[2].rpartition(":")[2]
            seen[name] += 1
            names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
        return tuple(names)

    @property
    def seed(self) -> int:
        """Of all that is drawn."""
        return self.specs[0].seed


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Parses objectives separated by commas.

    Raises:
        UsageError: one is unknown or given twice, or there are fewer than two, or accuracy is not among them.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES)
        if names.count(name) > 1:
            raise UsageError(f"objective {name} is given twice", "give it once")
    if len(names) < 2 or "top1" not in names:
        raise UsageError(
            f"--objectives {text}: a front needs top1 and at least one other", "such as --objectives top1,p50_ms"
        )
    return tuple(each for each in OBJECTIVES if each in names)


def check_request(request: SearchRequest) -> None:
    """Refuses a search that can be refused before models are opened.

    Raises:
        UsageError: it has no limit, no model, no images, or models that cannot be compared.
    """
    if request.method not in METHODS:
        raise unknown_name("method", request.method, METHODS)
    if request.max_minutes is None and request.max_trials is None:
        raise UsageError("a search needs a limit", "give --max-minutes 30, --trials 40, or both")
    several = len(request.specs) > 1
    for spec in request.specs:
        _check_spec(spec, several=several)
    _check_equal(request.specs)


def _check_spec(spec: Spec, *, several: bool) -> None:
    name = spec.model.name
    if spec.model.random_weights:
        raise UsageError(f"{name}: a front of random weights tells nothing", "give --weights FILE, or --pretrained")
    if spec.data.evaluation is None and spec.data.calibration is None:
        raise UsageError(
            f"{name}: a search needs images to judge by", "give --data, best with labels, or --calibration"
        )
    if several and spec.data.evaluation is None:
        raise UsageError("several models are compared by their accuracy, which needs labels", "give --data")
    for wrong, what in (
        (spec.quick, "quick"),
        (bool(spec.boards.on), "boards.on"),
        (spec.distill is not None, "distill"),
        (spec.max_minutes is not None, "max_minutes in the spec"),
        (spec.quantize.float_layers is not None, "quantize.float_layers"),
    ):
        if wrong:
            raise UsageError(f"{name}: {what} has no effect in a search", "leave it out; edgevit compress has it")
    if len(spec.devices) > 1:
        raise UsageError(
            f"a search is for one device, not {', '.join(spec.devices)}",
            "give one with --device, or none for this host",
        )


def _check_equal(specs: Sequence[Spec]) -> None:
    """Refuses models that are measured for different devices, with different threads, or by different metrics."""
    for what, values in (
        ("devices", {spec.devices for spec in specs}),
        ("measure.threads", {spec.measure.threads for spec in specs}),
        ("budget.metric", {spec.budget.metric for spec in specs}),
        ("seed", {spec.seed for spec in specs}),
    ):
        if len(values) > 1:
            raise UsageError(f"the specs differ in {what}, so that one front cannot hold them all", "make them equal")


def reach_of(spec: Spec) -> float:
    """Returns the largest drop that is looked at, in percentage points or the unit of the metric."""
    least = _LEAST_REACH if spec.budget.metric is None else 0.0
    return max(least, REACH * spec.budget.max_drop)
