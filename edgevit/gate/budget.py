"""A budget: the limits that a user states in TOML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from edgevit.gate import limits
from edgevit.gate.limits import Kind, Limit, read_limit
from edgevit.results.measurement import HOST
from edgevit.spec.toml_files import read_toml, validate

_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "description": 'a quantity, such as "15 ms", "8 MB", "1 pt" or "98 %"'},
        {
            "type": "object",
            "properties": {
                **{key: {"type": ["number", "string"]} for key in ("max", "min", "max_increase", "max_decrease")},
                "level": {"enum": list(limits.LEVELS)},
                "source": {"enum": ["any", "measured"]},
                "by": {"enum": ["interval", "value"]},
            },
            "additionalProperties": False,
        },
    ]
}


def _taken(kind: Kind) -> PlainValidator:
    return PlainValidator(partial(read_limit, kind))


_AS_LIMIT = WithJsonSchema(_SCHEMA)


def _described(default: Any, description: str) -> Any:
    """A field with its meaning, which pydantic would else read from the source: a third of the time that the gate takes."""
    return Field(default, description=description)


_Bytes = Annotated[Limit, _taken(limits.BYTES), _AS_LIMIT]
_Milliseconds = Annotated[Limit, _taken(limits.MILLISECONDS), _AS_LIMIT]
_Count = Annotated[Limit, _taken(limits.COUNT), _AS_LIMIT]
_Points = Annotated[Limit, _taken(limits.POINTS), _AS_LIMIT]
_Share = Annotated[Limit, _taken(limits.SHARE), _AS_LIMIT]
_Energy = Annotated[Limit, _taken(limits.MILLIJOULES), _AS_LIMIT]
_Metric = Annotated[Limit, _taken(limits.METRIC), _AS_LIMIT]
_MetricDrop = Annotated[Limit, _taken(limits.METRIC_DROP), _AS_LIMIT]


@dataclass(frozen=True)
class PlacedLimit:
    """A limit with its place in the budget file."""

    path: str
    """Such as "devices.host.latency_p50_ms"."""
    key: str
    """Of the metric, such as "latency_p50_ms"."""
    device: str | None
    limit: Limit
    cpu: str | None = None
    """Pattern of the processor that a measurement on the host has to be from; None for any."""


class DeviceBudget(BaseModel):
    """Limits on one device; at least one is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_p50_ms: _Milliseconds | None = _described(None, "Median milliseconds for one image.")
    latency_p90_ms: _Milliseconds | None = _described(
        None, "Milliseconds that 9 of 10 inferences of one image take at most; measured alone."
    )
    latency_p99_ms: _Milliseconds | None = _described(
        None, "Milliseconds that 99 of 100 inferences of one image take at most; measured alone."
    )
    peak_rss_bytes: _Bytes | None = _described(
        None, "Peak resident memory of the process; a prediction passes only if its whole interval is within the limit."
    )
    peak_tensor_bytes: _Bytes | None = _described(
        None, "Predicted weights and largest set of live activations, without the memory of the runtime."
    )
    peak_memory_bytes: _Bytes | None = _described(None, "Older name of ``peak_rss_bytes``; one of the two is given.")
    unsupported_ops: _Count | None = _described(
        None, "Ops that the compute unit does not run, each counted as often as it occurs."
    )
    partitions: _Count | None = _described(
        None, "Parts into which the graph is cut for the compute unit, or on this host for the delegate."
    )
    energy_mj: _Energy | None = _described(None, "Millijoules of one inference; fails where none was measured.")
    cpu: str | None = _described(
        None,
        "Of the host alone: the processor that measurements have to be from, with * for any part; another one never passes.",
    )

    @model_validator(mode="after")
    def _is_clear(self) -> DeviceBudget:
        if self.peak_rss_bytes is not None and self.peak_memory_bytes is not None:
            raise ValueError("peak_memory_bytes is the older name of peak_rss_bytes; give peak_rss_bytes alone")
        if not any(_limits_of(self)):
            raise ValueError(
                f"states no limit; give {', '.join(key for key in _keys(type(self)) if key not in _OLDER)}"
            )
        return self


class ArtifactBudget(BaseModel):
    """Limits on artifacts; at least one is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: _Bytes | None = _described(None, "Size of the artifact's files together.")
    macs: _Count | None = _described(None, "Multiply-accumulates of one inference.")
    int8_share: _Share | None = _described(
        None, 'Least share of the multiply-accumulates that are int8, 0..1 or such as "90 %".'
    )
    top1: _Share | None = _described(None, 'Least top-1 accuracy, 0..1 or such as "98 %".')
    accuracy_drop_points: _Points | None = _described(
        None, "Largest drop of top-1 against the float baseline, in percentage points, 0..100."
    )
    agreement: _Share | None = _described(
        None, 'Least share of the images with the same class as from the original float model, 0..1 or such as "99 %".'
    )
    metric: _Metric | None = _described(
        None, "Least value by what the run was judged by (its ``--metric``, else top-1, without labels agreement)."
    )
    metric_drop: _MetricDrop | None = _described(
        None,
        "Largest drop of what the run was judged by against the float baseline: in percentage points, or in the unit of a metric that is no percentage.",
    )
    shifted_drop_points: _Points | None = _described(
        None,
        "Largest drop of top-1 against the float parent under any corruption or further evaluation set, in percentage points.",
    )
    devices: dict[str, DeviceBudget] = _described({}, 'By device name; "host" is the machine that the run was made on.')

    @model_validator(mode="after")
    def _is_clear(self) -> ArtifactBudget:
        elsewhere = next((name for name, each in self.devices.items() if each.cpu and name != HOST), None)
        if elsewhere is not None:
            raise ValueError(
                f"devices.{elsewhere}.cpu: measurements on other devices do not name their processor; leave it out"
            )
        self._check_not_empty()
        return self

    def _check_not_empty(self) -> None:
        if not any(_limits_of(self)) and not self.devices:
            raise ValueError(f"states no limit; give {', '.join(_keys(type(self)))} or a [devices.NAME] table")

    def placed(self, section: str = "") -> tuple[PlacedLimit, ...]:
        """Returns every limit that is on, with its place.

        Args:
            section: Table that this is of the budget file, with a dot at its end; "" for the whole.
        """
        own = [PlacedLimit(f"{section}{key}", key, None, limit) for key, limit in _limits_of(self)]
        for device, of_device in sorted(self.devices.items()):
            own += [
                PlacedLimit(
                    f"{section}devices.{_quoted(device)}.{key}", _OLDER.get(key, key), device, limit, of_device.cpu
                )
                for key, limit in _limits_of(of_device)
            ]
        return tuple(each for each in own if each.limit.level != "off")


class Budget(ArtifactBudget):
    """Limits on the chosen artifact, and on others by name; at least one is given."""

    artifacts: dict[str, ArtifactBudget] = _described(
        {},
        "By id or file of the candidates, with * for any part: limits on each of them, in place of the same keys above.",
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Budget:
        if not self.placed() and not any(self.placed_for(pattern) for pattern in self.artifacts):
            raise ValueError("states no limit: every one is off")
        return self

    def _check_not_empty(self) -> None:
        if not self.artifacts:
            super()._check_not_empty()

    def placed_for(self, pattern: str) -> tuple[PlacedLimit, ...]:
        """Returns the limits of ``[artifacts."PATTERN"]``."""
        return self.artifacts[pattern].placed(f"artifacts.{_quoted(pattern)}.")


_OLDER = {"peak_memory_bytes": "peak_rss_bytes"}
"""Older names of keys."""


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name not in ("devices", "artifacts", "cpu")]


def _limits_of(section: BaseModel) -> Iterator[tuple[str, Limit]]:
    for name in _keys(type(section)):
        limit = getattr(section, name)
        if limit is not None:
            yield name, limit


def _quoted(name: str) -> str:
    """A key as it stands in TOML."""
    return name if name and all(each.isascii() and (each.isalnum() or each in "-_") for each in name) else f'"{name}"'


def load_budget(path: Path) -> Budget:
    """Loads a budget from a TOML file.

    Raises:
        UsageError: the file cannot be read, has an unknown key or a limit that is not finite and positive, or states
            no limit at all.
    """
    return validate(Budget, read_toml(path), str(path))
