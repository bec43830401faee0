"""How sure the order of candidates by their predicted latency on one device is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictedOrder:
    """The order of the usable candidates of a run on one device.

    All predictions for a device share most of their error, which does not change their order: probabilities are from the
    intervals of differences, see :mod:`edgevit.devices.error_correlations`.
    """

    first: str
    """Id of the candidate with the lowest predicted median."""
    fastest: dict[str, float]
    """By id: the probability, 0..1, that it is the fastest of them all there; together they are 1."""
    slower: dict[str, float]
    """By id: the probability, 0..1, that it is slower there than ``first``; 0 of ``first`` itself."""
