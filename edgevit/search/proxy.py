"""Predicts divergence, drop, latency and size of points from single changes, corrected by what was really made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgevit.results.search import NONE, LayerSingle, PlanSingle, PointSettings
from edgevit.search.drop_map import Base, DropMap
from edgevit.search.factors import Corrected, Factors, Parts, Prior
from edgevit.search.space import FLOAT, Change
from edgevit.spec.schemes import SCHEMES, Scheme

_DIVERGENCE = Prior({"tuned quick": math.log(0.75), "tuned full": math.log(0.6)}, spread=0.35, part_spread=1.2)
"""On images that did not train, a short fine-tuning of ViT-Tiny left 0.67 of the divergence of merged tokens and 0.8 of that of squeezed ones and of
smaller images, a full one 0.6."""
_LATENCY = Prior({}, spread=0.05)
"""What the product of single changes missed the latency of an int8 plan by: 0.03 to 0.05 on ViT-Tiny and MobileNetV2, three runtimes."""
_SIZE = Prior({}, spread=0.02, part_spread=2.0)
_LEAST_NATS = 1e-6
_FLOAT_SHARE = 0.05
"""Of the divergence of int8 that stays when all layers are in float: sums, norms and softmax in int8 are no layers."""
_BYTES = {"float32": 4.0, "float16": 2.0, "int8": 1.0, "int4": 0.5}


@dataclass(frozen=True)
class _Assumed:
    """Of a scheme that was not measured in a runtime yet."""

    divergence: float
    speed: float
    """Latency over that of float32."""


_ASSUMED = {
    "float": _Assumed(1e-5, 1.0),
    "int8_static": _Assumed(0.02, 0.55),
    "int8_dynamic": _Assumed(0.01, 0.7),
    "int16_static": _Assumed(0.003, 2.0),
    "int8_weights": _Assumed(0.002, 1.2),
}
_UNMEASURED = ("divergence of a scheme", "speed of a scheme", "speed of a change")
"""Parts of what is only assumed, which make its interval wide."""


@dataclass(frozen=True)
class Singles:
    """What single changes of one model cost; they are measured once."""

    macs: int
    params: int
    changes: Mapping[str, PlanSingle] = field(default_factory=dict)
    """By token plan, and by pruning."""
    speeds: Mapping[tuple[str, Change], float] = field(default_factory=dict)
    """Latency of a change in float over that of the dense model, by backend."""
    layers: tuple[LayerSingle, ...] = ()
    """Of static int8."""


@dataclass(frozen=True)
class Amounts:
    """What a point that was made has."""

    divergence: float
    """In nats."""
    drop: float
    ms: float | None
    """None where it was not timed."""
    bytes: float


@dataclass(frozen=True)
class Predicted:
    """What a point is expected to have."""

    divergence: Corrected
    drop: Corrected
    ms: Corrected
    bytes: Corrected


class Proxy:
    """A model of one network's points; made anew after each batch."""

    def __init__(
        self,
        singles: Singles,
        made: Mapping[PointSettings, Amounts],
        noise_points: float,
    ) -> None:
        """Fits the factors to what was made.

        Args:
            singles: See :class:`Singles`.
            made: Points that were made; the dense float one of each backend is among them.
            noise_points: See :class:`edgevit.search.drop_map.DropMap`.
        """
        self._singles, self._made = singles, made
        known = [(point, amounts) for point, amounts in made.items() if self._tells(point)]
        timed = [(point, amounts.ms) for point, amounts in known if amounts.ms is not None]
        self._divergences = Factors(
            _DIVERGENCE,
            [self._divergence_parts(point) for point, _ in known],
            [_log(amounts.divergence, self._divergence(point)) for point, amounts in known],
        )
        self._latencies = Factors(
            _LATENCY,
            [self._latency_parts(point) for point, _ in timed],
            [_log(ms, self._ms(point)) for point, ms in timed],
        )
        self._sizes = Factors(
            _SIZE,
            [self._size_parts(point) for point, _ in known],
            [_log(amounts.bytes, self._bytes(point)) for point, amounts in known],
        )
        evaluated = {point: amounts for point, amounts in made.items() if point.changes}
        self._drops = DropMap(
            [each.divergence for each in evaluated.values()],
            [each.drop for each in evaluated.values()],
            noise_points,
            list(map(self._base, evaluated)),
        )

    def predict(self, point: PointSettings) -> Predicted:
        """Returns what a point is expected to have, with 80 % intervals."""
        divergence = self._divergences.correct(self._divergence(point), self._divergence_parts(point))
        return Predicted(
            divergence,
            self._drops.drop(divergence, self._base(point)),
            self._latencies.correct(self._ms(point), self._latency_parts(point)),
            self._sizes.correct(self._bytes(point), self._size_parts(point)),
        )

    def float_layer_costs(self, backend: str, scheme: str) -> tuple[tuple[float, float, float], ...]:
        """Returns for each layer of the singles what it adds in int8: nats, and milliseconds and bytes (both negative)."""
        layers = self._singles.layers
        total, macs = self._layer_nats, sum(layer.macs for layer in layers)
        numerics = self._numerics_divergence(backend, scheme) * (1 - _FLOAT_SHARE)
        gained = self._float_ms(backend) * (1 - self._numerics_speed(backend, scheme))
        saved = _BYTES["float32"] - _BYTES[SCHEMES[scheme].weights]
        return tuple(
            (numerics * layer.divergence / total, -gained * layer.macs / macs, -saved * layer.weights)
            for layer in layers
        )

    @property
    def _layer_nats(self) -> float:
        return max(_LEAST_NATS, sum(layer.divergence for layer in self._singles.layers))

    def _base(self, point: PointSettings) -> Base | None:
        """What it is tuned from, else its model in float in any runtime, else what a token search saw of its plan; None for none of these."""
        untuned = replace(point, finetune=NONE)
        if point.finetune != NONE and untuned in self._made:
            return _as_base(self._made[untuned])
        model = (point.tokens, point.prune)
        for other, amounts in self._made.items():
            if other != point and (other.scheme, other.finetune, other.tokens, other.prune) == (FLOAT, NONE, *model):
                return _as_base(amounts)
        single = self._singles.changes.get(point.tokens) if point.prune == NONE else None
        return Base(single.divergence, single.drop) if single and single.drop is not None else None

    def _tells(self, point: PointSettings) -> bool:
        """Whether a point is more than one single change, or a change that was only assumed, so that its error tells something."""
        if not point.changes:
            return False
        if point.changes == 1 and point.tokens != NONE:
            return False
        return not (point.changes == 1 and point.scheme != FLOAT)

    def _dense(self, backend: str, scheme: str) -> Amounts | None:
        return next(
            (
                amounts
                for point, amounts in self._made.items()
                if (point.backend, point.scheme) == (backend, scheme) and point.changes == (scheme != FLOAT)
            ),
            None,
        )

    def _divergence(self, point: PointSettings) -> float:
        """Sum of the single changes, in nats."""
        total = sum(self._singles.changes[name].divergence for name in _model_changes(point))
        if point.scheme != FLOAT:
            total += self._numerics_divergence(point.backend, point.scheme) * self._int8_share(point)
        return max(_LEAST_NATS, total)

    def _numerics_divergence(self, backend: str, scheme: str) -> float:
        dense = self._dense(backend, scheme)
        if dense:
            return max(_LEAST_NATS, dense.divergence)
        of_others = [a.divergence for p, a in self._made.items() if p.scheme == scheme and p.changes == 1]
        if of_others:
            return max(
                _LEAST_NATS, math.exp(sum(math.log(max(_LEAST_NATS, each)) for each in of_others) / len(of_others))
            )
        return _ASSUMED[SCHEMES[scheme].numerics].divergence * (10 if SCHEMES[scheme].weights == "int4" else 1)

    def _int8_share(self, point: PointSettings) -> float:
        """Of the divergence that quantizing all layers costs."""
        in_float = sum(layer.divergence for layer in self._singles.layers if layer.module in point.float_layers)
        return 1 - (1 - _FLOAT_SHARE) * min(1.0, in_float / self._layer_nats)

    def _divergence_parts(self, point: PointSettings) -> Parts:
        parts = {f"together {point.backend}": float(_combined(point))}
        if point.float_layers:
            parts["layers in float"] = 1.0
        if point.finetune != NONE:
            parts[f"tuned {point.finetune}"] = 1.0
        if point.scheme != FLOAT and self._dense(point.backend, point.scheme) is None:
            parts[_UNMEASURED[0]] = 2.0
        return parts

    def _ms(self, point: PointSettings) -> float:
        """Product of the speeds of the single changes; layers in float give back what int8 gained on them."""
        ms, change = self._float_ms(point.backend), Change(point.tokens, point.form)
        if change.tokens != NONE:
            ms *= self._change_speed(point.backend, change)
        if point.prune != NONE:
            ms *= self._singles.changes[point.prune].mac_share
        speed = self._numerics_speed(point.backend, point.scheme)
        layers = self._singles.layers
        macs = sum(layer.macs for layer in layers if layer.module in point.float_layers)
        in_float = macs / max(1, sum(layer.macs for layer in layers))
        return ms * (speed + (1 - speed) * in_float)

    def _change_speed(self, backend: str, change: Change) -> float:
        """As measured in this runtime, by a candidate or before, else in another one, else by the MACs."""
        made = self._made_float(backend, change)
        whole = self._dense(backend, FLOAT)
        if made and made.ms and whole and whole.ms:
            return made.ms / whole.ms
        speeds = self._singles.speeds
        elsewhere = [speed for (_, other), speed in speeds.items() if other == change] or [
            speed for (_, other), speed in speeds.items() if other.tokens == change.tokens
        ]
        return speeds.get((backend, change), min(elsewhere, default=self._singles.changes[change.tokens].mac_share))

    def _made_float(self, backend: str, change: Change) -> Amounts | None:
        return next(
            (
                amounts
                for point, amounts in self._made.items()
                if (point.backend, point.scheme, point.tokens, point.form)
                == (backend, FLOAT, change.tokens, change.form)
                and point.changes == 1
            ),
            None,
        )

    def _float_ms(self, backend: str) -> float:
        dense = self._dense(backend, FLOAT)
        if dense and dense.ms:
            return dense.ms
        timed = [amounts.ms for point, amounts in self._made.items() if not point.changes and amounts.ms]
        return sum(timed) / len(timed) if timed else 20.0 * self._singles.macs / 1e9

    def _numerics_speed(self, backend: str, scheme: str) -> float:
        if scheme == FLOAT:
            return 1.0
        measured = self._measured_speed(backend, scheme)
        if measured is not None:
            return measured
        others = {point.backend for point in self._made if point.scheme == scheme}
        speeds = [speed for speed in (self._measured_speed(other, scheme) for other in sorted(others)) if speed]
        return sum(speeds) / len(speeds) if speeds else _ASSUMED[SCHEMES[scheme].numerics].speed

    def _measured_speed(self, backend: str, scheme: str) -> float | None:
        dense, whole = self._dense(backend, scheme), self._dense(backend, FLOAT)
        return dense.ms / whole.ms if dense and whole and dense.ms and whole.ms else None

    def _latency_parts(self, point: PointSettings) -> Parts:
        parts = {f"together {point.backend}": float(_combined(point))}
        if point.float_layers:
            parts[f"layers in float {point.backend}"] = 1.0
        if point.scheme != FLOAT and self._dense(point.backend, point.scheme) is None:
            parts[_UNMEASURED[1]] = 4.0
        change = Change(point.tokens, point.form)
        is_known = (point.backend, change) in self._singles.speeds or self._made_float(point.backend, change)
        if point.tokens != NONE and not is_known:
            parts[_UNMEASURED[2]] = 2.0
        if point.prune != NONE:
            parts[f"pruned {point.backend}"] = 1.0
        return parts

    def _bytes(self, point: PointSettings) -> float:
        dense = self._dense(point.backend, point.scheme)
        size = dense.bytes if dense else self._singles.params * _weight_bytes(SCHEMES[point.scheme])
        saved = _BYTES["float32"] - _weight_bytes(SCHEMES[point.scheme])
        size += saved * sum(layer.weights for layer in self._singles.layers if layer.module in point.float_layers)
        for name in _model_changes(point):
            size *= self._singles.changes[name].weight_share
        return size

    def _size_parts(self, point: PointSettings) -> Parts:
        parts = {"together": float(_combined(point))}
        if point.scheme != FLOAT and self._dense(point.backend, point.scheme) is None:
            parts["size of a scheme"] = 3.0
        return parts


def _as_base(amounts: Amounts) -> Base:
    return Base(amounts.divergence, amounts.drop)


def _model_changes(point: PointSettings) -> Sequence[str]:
    return [name for name in (point.tokens, point.prune) if name != NONE]


def _combined(point: PointSettings) -> bool:
    """Whether several changes meet in a point, of which one alone may not tell what they do together."""
    return len(_model_changes(point)) + (point.scheme != FLOAT) > 1


def _weight_bytes(scheme: Scheme) -> float:
    return _BYTES.get(scheme.weights, 4.0)


def _log(measured: float, predicted: float) -> float:
    return math.log(max(_LEAST_NATS, measured) / predicted)
