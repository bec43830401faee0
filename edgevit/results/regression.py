"""What a comparison of two artifacts on one machine found: the latency of the new one over that of the old one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RegressionOutcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class ComparedFile:
    """One of the two artifacts."""

    path: Path
    sha256: str
    """Of its files, the main one first."""
    size_bytes: int
    runtime: str
    precision: str
    """That the runtime computed in."""
    delegate: str
    inputs: tuple[tuple[int, ...], ...]
    """Their shapes."""
    latency_ms: float
    """Median over blocks of what a run takes that nothing holds up."""


@dataclass(frozen=True)
class RegressionLimits:
    """What the new artifact may do."""

    max_regression: float
    """Largest part by which it may take longer: 0.05 for 5 %; 0 or more."""
    max_speed_up: float
    """Largest part by which it may take less time and is not suspected to have lost layers; above 0, below 1."""


@dataclass(frozen=True)
class Regression:
    """The comparison and its outcome."""

    new: ComparedFile
    old: ComparedFile
    limits: RegressionLimits
    outcome: RegressionOutcome
    reason: str
    """Of the outcome, in words."""
    log_ratios: tuple[float, ...]
    """Natural logarithm of the ratio of latencies, new over old, in each block."""
    block_seconds: tuple[float, ...]
    """How long each block took."""
    ratio: float
    """Median over blocks."""
    low: float | None
    """Lower end of the interval of the ratio, which holds at whatever moment one stops; None where it is not known yet."""
    high: float | None
    """Upper end, likewise."""
    error_rate: float
    """Largest probability that the interval misses the ratio."""
    seconds: float
    """From the first block to the last, and to start what carries them out."""
    threads: int
    contention: tuple[str, ...] = ()
    """What disturbed most blocks, such as "steal time 8 % in 9 of 11 blocks"."""
    notes: tuple[str, ...] = ()
    """What people have to know of the two files, such as that they are the same."""
