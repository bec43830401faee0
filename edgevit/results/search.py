"""What ``edgevit search`` found: its ``search.json``."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import TypeAdapter

from edgevit.errors import UsageError
from edgevit.results.document import LATER, from_json
from edgevit.results.measurement import Host
from edgevit.results.token_search import TokenSearch

SEARCH_FILE: Final = "search.json"
SCHEMA_VERSION: Final = 1
NONE: Final = "none"

Objective = Literal["top1", "p50_ms", "size"]
"""What a point is judged by: the metric of the spec (top-1, without labels agreement), latency, and bytes of the files."""
Source = Literal["measured", "predicted"]
Status = Literal["measured", "predicted", "not run", "rejected", "failed"]
"""Of a point. "predicted": may be on the front, and was not made; "not run": dominated by prediction; "rejected": made, and
slower than its float parent or beyond every drop that is looked at; "failed": could not be made, or gave wrong answers."""


@dataclass(frozen=True, order=True)
class PointSettings:
    """What decides a point: all that a spec needs to make exactly it."""

    model: str
    """As the search names it."""
    backend: str
    scheme: str
    tokens: str = NONE
    """Token plan, or smaller input image."""
    form: str = NONE
    """How the graph selects tokens; none where the plan selects none."""
    prune: str = NONE
    """Structured pruning."""
    finetune: str = NONE
    """Rung of the label-free fine-tuning."""
    float_layers: tuple[str, ...] = ()
    """Modules whose layers stay in float."""

    @property
    def id(self) -> str:
        """Names the point for people: what is "none" is left out, and many layers become their number and a digest."""
        parts = [self.backend, self.scheme, *(each for each in (self.prune, self.tokens) if each != NONE)]
        if self.form != NONE:
            parts[-1] += f"-{self.form}"
        parts += [self.finetune] if self.finetune != NONE else []
        if self.float_layers:
            parts.append(f"{len(self.float_layers)}-float-{self.layers_digest}")
        return "/".join(re.sub(r"[:@,+=]", "-", part) for part in parts)

    @property
    def layers_digest(self) -> str:
        """Of the layers that stay in float; "" for none."""
        if not self.float_layers:
            return ""
        return hashlib.sha256(json.dumps(sorted(self.float_layers)).encode()).hexdigest()[:6]

    @property
    def changes(self) -> int:
        """Number of changes of the dense float model, of which the form of a graph is none."""
        return sum(value not in (NONE, "fp32", ()) for value in astuple(replace(self, form=NONE))[2:])


@dataclass(frozen=True)
class Estimate:
    """A value with its interval."""

    value: float
    low: float
    """Of the 95 % interval of what was measured, or the 80 % interval of what was predicted."""
    high: float
    source: Source


@dataclass(frozen=True)
class SearchPoint:
    """A point of the space that was looked at."""

    id: str
    """Unique in the search."""
    settings: PointSettings
    status: Status
    value: Estimate | None
    """Of the metric, as a fraction where it is one; None where nothing is known."""
    drop_points: Estimate | None
    """Against the float model, in percentage points or the unit of the metric."""
    p50_ms: Estimate | None
    size_bytes: Estimate | None
    divergence: Estimate | None
    """KL(original || point) on calibration images, in nats."""
    on_front: bool
    reasons: tuple[str, ...] = ()
    candidate: str | None = None
    """Id in the run of the model; None unless it was made."""
    order: int | None = None
    """In which it was made, from 1; None unless it was."""


@dataclass(frozen=True)
class Struck:
    """Pairs that are impossible, left out before anything ran."""

    what: str
    reason: str
    points: int
    """That would have been, without counting choices of layers."""


@dataclass(frozen=True)
class AdditivityRecord:
    """Whether the KL divergence of random mixes of layers is the sum of what single layers cost."""

    mixes: int
    spearman: float | None
    """None where it cannot be told, as of too few mixes."""
    median_factor: float | None
    """Of measured over sum."""
    holds: bool
    note: str = ""
    """Why it was not checked, or what follows where it does not hold."""


@dataclass(frozen=True)
class LayerSingle:
    """A module whose layers alone are quantized."""

    module: str
    divergence: float
    """KL(float || quantized) in nats."""
    measured: bool
    """Whether it was measured; else it is the Fisher score, scaled to those that were."""
    fisher: float
    """Half the mean square of the derivative of the log-likelihood along what quantizing changes, in nats."""
    macs: int
    weights: int


@dataclass(frozen=True)
class PlanSingle:
    """A model-wide change alone: a token plan, a smaller image, or a pruning, in float."""

    settings: str
    divergence: float
    """KL(float || changed) on calibration images, in nats."""
    mac_share: float
    """MACs over those of the dense model."""
    weight_share: float = 1.0
    """Parameters over those of the dense model."""
    drop: Annotated[float | None, LATER] = None
    """On the images that points are judged on, where a token search has counted it: in percentage points or the unit of the metric."""


@dataclass(frozen=True)
class SearchedModel:
    """One model of a search."""

    name: str
    spec: dict[str, Any]
    """The resolved spec, as JSON."""
    run: str
    """Folder of its run, relative to that of the search."""
    baseline: float | None
    """Of the metric for the original model, as a fraction where it is one."""
    metric: str
    samples: int
    max_drop: float
    """Limit of the spec, in percentage points or the unit of the metric."""
    space: int
    """Points, without counting choices of layers."""
    layers: int
    """That may stay in float one by one: the space has 2 to this power times as many points where they are chosen."""
    struck: tuple[Struck, ...]
    additivity: AdditivityRecord | None
    singles: tuple[PlanSingle, ...]
    layer_singles: tuple[LayerSingle, ...]
    token_searches: tuple[TokenSearch, ...] = ()
    """That proposed token plans."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecasts:
    """What predictions were worth: points that were predicted before they were made."""

    points: int
    in_interval: float | None
    """Share of the measured latencies and drops that lay in their 80 % intervals; None without any."""
    latency_correlation: float | None
    """Spearman's, of predicted and measured latency; None for fewer than 4 points."""
    drop_correlation: float | None
    """The same of the drops."""


@dataclass(frozen=True)
class SearchBudget:
    """What a search was allowed, and what it took."""

    max_minutes: float | None
    max_trials: int | None
    minutes: float
    trials: int
    """Candidates that were really made."""


@dataclass(frozen=True)
class Infeasible:
    """That no point keeps all limits."""

    limit: str
    """Which binds, such as "max_drop 1"."""
    nearest: str
    """Id of the point that exceeds the limits least."""
    words: str


@dataclass(frozen=True)
class Search:
    """What a search found so far, as in its ``search.json``."""

    edgevit_version: str
    created_at: str
    """UTC, ISO 8601."""
    seed: int
    method: str
    """"proxy", or the black-box sampler."""
    objectives: tuple[Objective, ...]
    target: str
    """"host", or the device that latencies are of."""
    models: tuple[SearchedModel, ...]
    points: tuple[SearchPoint, ...]
    """Made ones first, in their order; then those that were not, the most promising first."""
    front: tuple[str, ...]
    """Ids of the points that no other measured point beats in all objectives, the fastest first."""
    hypervolume: float | None
    """Of the front over ``reference``, as a share of the box that ``reference`` spans; None without a front."""
    reference: dict[Objective, float]
    """The worst value of each objective that counts."""
    forecasts: Forecasts
    budget: SearchBudget
    ended: str
    """Why the search ended; "" while it goes on."""
    infeasible: Infeasible | None
    host: Host
    tool_versions: dict[str, str]
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA_VERSION

    @property
    def on_front(self) -> tuple[SearchPoint, ...]:
        """The points of the front, the fastest first."""
        by_id = {point.id: point for point in self.points}
        return tuple(by_id[name] for name in self.front)


def search_json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``search.json``."""
    return TypeAdapter(Search).json_schema(mode="serialization")


def load_search(path: Path) -> Search:
    """Loads a search from its folder or from its ``search.json``.

    Raises:
        UsageError: the file cannot be read, or is no search of this schema version.
    """
    file = path / SEARCH_FILE if path.is_dir() else path
    hint = "give the folder that `edgevit search --out DIR` wrote"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read a search at {file}: {error.strerror or error}", hint) from error
    try:
        return from_json(Search, content)
    except ValueError as error:
        raise UsageError(f"{file} is not a search of schema version {SCHEMA_VERSION}: {error}", hint) from error
