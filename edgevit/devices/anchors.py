"""Measurements of known networks on a device tell how long others take there. Needs NumPy alone.

The errors of ``log t`` of predictions for one device are taken as a Gaussian process: networks share what is wrong with
the scale of the device; in proportion to the shares of their times, what is wrong with the cost of a family of features;
and the more the more alike they are, what is wrong with their kernels. Its variances are those of left-out measurements
(``anchor_fit``). The errors of the anchors are conditioned on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgevit.devices.features import FAMILY_OF
from edgevit.devices.fitted import Array
from edgevit.devices.like_graphs import places

_FAMILY_MEMBERS = np.eye(max(FAMILY_OF) + 1)[list(FAMILY_OF)]


@dataclass(frozen=True)
class Points:
    """What of networks tells how their errors go together."""

    shares: Array
    """Of their times that each family of features takes [networks, families]."""
    places: Array
    """See ``like_graphs.places`` [networks, axes]."""

    def take(self, at: Sequence[int] | Array) -> Points:
        """Returns some of them, by their indices."""
        chosen = np.asarray(at, dtype=np.int64)
        return Points(self.shares[chosen], self.places[chosen])


def points(x: Array, times: Array) -> Points:
    """Returns the points of networks.

    Args:
        x: Features for one image [networks, features].
        times: Predicted time of each feature [networks, features], in any unit.
    """
    return Points(times @ _FAMILY_MEMBERS / times.sum(axis=1, keepdims=True), places(x))


def joined(each: Sequence[Points]) -> Points:
    """Returns points as one list."""
    return Points(np.vstack([one.shares for one in each]), np.vstack([one.places for one in each]))


@dataclass(frozen=True)
class Prior:
    """Variances of the errors of ``log t``, and the distance over which likeness falls."""

    scale: float
    """Of what all networks on a device share."""
    families: tuple[float, ...]
    """Of the logarithm of the cost of each family of features."""
    like: float
    """Of what networks share whose graphs are the same."""
    distance: float
    noise: float
    """Of one measurement."""

    def covariance(self, first: Points, second: Points) -> Array:
        """Returns the covariance of the errors of two lists of networks, without noise [first, second]."""
        a, b = first.places, second.places
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
        like = self.like * np.exp(-np.maximum(squares, 0) / (2 * self.distance**2))
        result: Array = self.scale + (first.shares * np.array(self.families)) @ second.shares.T + like
        return result


@dataclass(frozen=True)
class Update:
    """What anchors say of the error of ``log t`` of one network."""

    shift: float
    """What to add to ``log t``."""
    sd: float
    """Standard deviation of its error after that."""


def condition(prior: Prior, network: Points, anchors: Points, errors: Array) -> Update:
    """Conditions the error of one network on those of anchors.

    Args:
        prior: Of the errors.
        network: The one network.
        anchors: The networks that were measured.
        errors: Logarithm of measured over predicted latency of each of them [anchors].
    """
    together = joined([network, anchors])
    return conditioned(prior.covariance(together, together), prior.noise, errors)


def conditioned(covariance: Array, noise: float, errors: Array) -> Update:
    """Conditions the error of the first network on those of the others.

    Args:
        covariance: Of the errors, without noise [1 + anchors, 1 + anchors].
        noise: Variance of one measurement.
        errors: Of the others [anchors].
    """
    across = covariance[0, 1:]
    weights = np.linalg.solve(covariance[1:, 1:] + noise * np.eye(len(errors)), across)
    variance = float(covariance[0, 0] + noise - weights @ across)
    return Update(float(weights @ errors), max(variance, noise) ** 0.5)


@dataclass(frozen=True)
class AnchorModel:
    """Prior of the errors, and how wide intervals are after anchors."""

    prior: Prior
    factors: Mapping[int, float]
    """Half-width of the interval over the standard deviation, by number of anchors."""

    def half_width(self, update: Update, count: int) -> float:
        """Returns the half-width of the interval of ``log t``; between two numbers of anchors the smaller one's holds.

        It is infinite for fewer anchors than were tried.
        """
        known = [number for number in self.factors if number <= count]
        return self.factors[max(known)] * update.sd if known else math.inf

    def document(self) -> dict[str, Any]:
        """Returns the model as plain values."""
        return {"prior": asdict(self.prior), "factors": sorted(self.factors.items())}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> AnchorModel:
        """Reads what :meth:`document` returned."""
        prior = document["prior"]
        return AnchorModel(Prior(**{**prior, "families": tuple(prior["families"])}), dict(document["factors"]))
