"""Estimates from left-out measurements how the errors of predictions for one device go together, and tries anchors."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from edgevit.devices.anchors import AnchorModel, Points, Prior, conditioned
from edgevit.devices.evidence import Row
from edgevit.devices.fitted import Array
from edgevit.devices.interval_table import quantile
from edgevit.devices.validation import RowPrediction

COUNTS = (1, 2, 3, 5, 10)
"""Numbers of anchors that are tried."""
_FEWEST_OTHERS = 3
"""A session is anchored where it has this many graphs besides the anchors."""
_FEWEST_ROWS = 4
"""A session with fewer rows says little of the prior."""
_LARGEST = 1.5
"""Errors of ``log t`` beyond this count as this."""
_START = Prior(scale=0.3, families=(), like=0.03, distance=1.0, noise=0.02)
_FAMILY_START = 0.3
_PULL = 0.5
"""Of the logarithms of the variances and of the distance towards 0, each as if known to a factor of e."""
_ITERATIONS = 30


@dataclass(frozen=True)
class LeftOutErrors:
    """Measurements, and predictions by fits that did not see them."""

    rows: Sequence[Row]
    predicted: Sequence[RowPrediction]
    points: Points
    graphs: Sequence[str]
    """Name of the graph of each row, the same for what is left out together."""

    @property
    def errors(self) -> Array:
        """Logarithm of measured over predicted latency [rows]."""
        return np.array([math.log(row.latency_ms / p.p50) for row, p in zip(self.rows, self.predicted, strict=True)])

    def sessions(self, chosen: Callable[[Row], bool] = lambda _: True) -> list[list[int]]:
        """Returns the indices of the rows of each session whose rows are chosen."""
        found: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for at, row in enumerate(self.rows):
            if chosen(row):
                found[row.configuration.groups()["session"]].append(at)
        return list(found.values())


@dataclass(frozen=True)
class Anchored:
    """A row that was predicted again with anchors."""

    at: int
    """Index of the row."""
    log_ms: float
    sd: float
    """Of the error of ``log_ms``."""


def fit_anchors(left_out: LeftOutErrors) -> AnchorModel:
    """Estimates the prior, and how wide intervals have to be after each number of anchors that there are sessions for."""
    errors = left_out.errors
    prior = fit_prior(errors, left_out.points, left_out.sessions())
    return AnchorModel(prior, _factors(left_out, errors, prior, left_out.sessions()))


def try_anchors(left_out: LeftOutErrors) -> dict[int, list[RowPrediction]]:
    """Predicts rows with anchors from their session, by priors and widths that come from other devices.

    Args:
        left_out: Predictions made without the device of the row.

    Returns:
        Predictions of the rows of sessions with enough graphs, by number of anchors, in no order.
    """
    errors = left_out.errors
    found: dict[int, list[RowPrediction]] = {count: [] for count in COUNTS}
    for half in (0, 1):
        seen = left_out.sessions(lambda row, half=half: _half(row) != half)  # type: ignore[misc]
        judged = left_out.sessions(lambda row, half=half: _half(row) == half)  # type: ignore[misc]
        if not seen:
            continue
        prior = fit_prior(errors, left_out.points, seen)
        factors = _factors(left_out, errors, prior, seen)
        for count, factor in factors.items():
            for made in anchored(left_out, errors, prior, judged, count):
                before = left_out.predicted[made.at]
                p50, wide = math.exp(made.log_ms), math.exp(factor * made.sd)
                found[count].append(RowPrediction(before.id, p50, p50 / wide, p50 * wide, before.basis))
    return {count: predictions for count, predictions in found.items() if predictions}


def _half(row: Row) -> int:
    return hashlib.sha256(row.configuration.device.encode()).digest()[0] % 2


def anchored(
    left_out: LeftOutErrors, errors: Array, prior: Prior, sessions: Sequence[Sequence[int]], count: int
) -> Iterator[Anchored]:
    """Yields rows, predicted again with other graphs of their session as anchors.

    The anchors of a row are the ``count`` graphs that follow its own in an order by hash, so each row has others.

    Args:
        left_out: Predictions made without any row of the session.
        errors: Their errors [rows].
        prior: Of the errors.
        sessions: Indices of rows; those that have three graphs besides the anchors are anchored.
        count: Number of anchors.
    """
    for members in sessions:
        first = {left_out.graphs[at]: at for at in reversed(members)}
        order = sorted(first, key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(order) < count + _FEWEST_OTHERS:
            continue
        of_session = left_out.points.take(members)
        covariance = prior.covariance(of_session, of_session)
        place = {at: position for position, at in enumerate(members)}
        for at in members:
            start = order.index(left_out.graphs[at]) + 1
            chosen = [first[order[(start + step) % len(order)]] for step in range(count)]
            among = [place[at], *(place[other] for other in chosen)]
            update = conditioned(covariance[np.ix_(among, among)], prior.noise, errors[chosen])
            yield Anchored(at, math.log(left_out.predicted[at].p50) + update.shift, update.sd)


def _factors(
    left_out: LeftOutErrors, errors: Array, prior: Prior, sessions: Sequence[Sequence[int]]
) -> Mapping[int, float]:
    factors: dict[int, float] = {}
    for count in COUNTS:
        sizes = [
            abs(math.log(left_out.rows[made.at].latency_ms) - made.log_ms) / made.sd
            for made in anchored(left_out, errors, prior, sessions, count)
        ]
        if sizes:
            factors[count] = quantile(sizes)
    return factors


def fit_prior(errors: Array, points: Points, sessions: Sequence[Sequence[int]]) -> Prior:
    """Estimates the variances under which the errors of the sessions are likeliest (type II maximum likelihood).

    Args:
        errors: Of ``log t`` [rows].
        points: Of the rows.
        sessions: Indices of the rows of each session.
    """
    batches = [
        _Session(np.clip(errors[m], -_LARGEST, _LARGEST), points.take(m)) for m in sessions if len(m) >= _FEWEST_ROWS
    ]
    families = points.shares.shape[1]
    start = np.log([_START.scale, _START.like, _START.distance, _START.noise, *[_FAMILY_START] * families])

    def loss(z: Array) -> tuple[float, Array]:
        value, gradient = _PULL * float(z @ z), 2 * _PULL * z
        for batch in batches:
            one, slope = batch.loss(np.exp(z))
            value, gradient = value + one, gradient + slope
        return value, gradient

    found = np.exp(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x)
    scale, like, distance, noise = (float(value) for value in found[:4])
    return Prior(scale, tuple(float(value) for value in found[4:]), like, distance, noise)


class _Session:
    """Negative logarithm of the likelihood of the errors of one session."""

    def __init__(self, errors: Array, points: Points) -> None:
        self._errors, self._shares = errors, points.shares
        places = points.places
        squares = ((places[:, None] - places[None]) ** 2).sum(axis=2)
        self._squares = squares

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Returns it and its gradient by the logarithms of scale, like, distance, noise, and those of the families."""
        scale, like, distance, noise = theta[:4]
        alike = like * np.exp(-self._squares / (2 * distance**2))
        covariance = scale + alike + (self._shares * theta[4:]) @ self._shares.T
        covariance.flat[:: len(covariance) + 1] += noise
        inverse = np.linalg.inv(covariance)
        weights = inverse @ self._errors
        value = (self._errors @ weights + np.linalg.slogdet(covariance)[1]) / 2
        slope = (inverse - np.outer(weights, weights)) / 2
        families = np.einsum("if,if->f", self._shares, slope @ self._shares)
        gradient = [
            scale * slope.sum(),
            (slope * alike).sum(),
            (slope * alike * self._squares).sum() / distance**2,
            noise * slope.trace(),
            *(theta[4:] * families),
        ]
        return float(value), np.array(gradient)
