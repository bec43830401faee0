"""What the gate finds: a check of one limit, the checks of one candidate, and those of all that were judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.errors import ExitCode

Outcome = Literal["pass", "fail", "inconclusive"]
Level = Literal["error", "warn"]
Unit = Literal["", "bytes", "points", "ms", "share", "count", "mJ", "dB"]
"""Of a value: "share" is a fraction in 0..1, "points" are percentage points, "" is a metric in units of its own."""
Source = Literal["run", "file", "evaluated", "measured", "predicted", "none"]
"""Where a value is from: "run" means the candidate's status and verification, "none" that there is no value."""
Operator = Literal["<=", ">=", "is"]


@dataclass(frozen=True)
class Check:
    """One limit tested on one candidate."""

    metric: str
    """For people, such as "latency p50"."""
    device: str | None
    """Device name, with the compute unit where several were predicted; None where the metric has no device."""
    operator: Operator
    limit: float | None
    """In ``unit``; of a limit that is relative to a baseline, what it comes to. None for a check that has no limit."""
    actual: float | None
    """In ``unit``; p50 of a predicted latency, middle of a predicted memory; None where there is no finite value."""
    unit: Unit
    source: Source
    verdict: Outcome
    message: str
    low: float | None = None
    """Lower end of the interval of ``actual``, in ``unit``; None where it has none."""
    high: float | None = None
    """Upper end, likewise."""
    level: Level = "error"
    """"warn" for a limit that is reported and does not decide."""
    key: str = ""
    """Place of the limit in the budget file, such as "devices.host.latency_p50_ms"; "" for a check that has none."""
    candidate: str | None = None
    """Id of the candidate."""
    baseline: float | None = None
    """The same value of the baseline run, in ``unit``; None of a limit that is not relative to it."""
    margin: float | None = None
    """How far ``actual`` is from ``limit`` as a share of it: positive where it is within; None where that is not known."""


@dataclass(frozen=True)
class Verdict:
    """All checks of one candidate."""

    candidate: str | None
    """Id, or None when the run selected none."""
    checks: tuple[Check, ...]
    note: str = ""
    """What people have to know of how it was judged, such as that the artifact's files were not there."""
    run: str = ""
    """The run as it was named; "" where it was not read from a file."""
    quick: bool = False
    """Whether the run was a first look, on few images."""
    unstable: str = ""
    """Why the candidate's latency on this host is not to be relied on, or what changed of the machine meanwhile; "" for neither."""

    @property
    def outcome(self) -> Outcome:
        """``pass`` only if there are checks and every one that decides passed."""
        return outcome_of(self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """DONE for a pass, CHECK_FAILED for everything else."""
        return ExitCode.DONE if self.outcome == "pass" else ExitCode.CHECK_FAILED


@dataclass(frozen=True)
class GateResult:
    """Verdicts on every candidate that a budget was held against."""

    verdicts: tuple[Verdict, ...]
    budget: str = ""
    """The budget file as it was named; "" where it was not read from a file."""
    baseline: str = ""
    """The baseline run as it was named; "" without one."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Of all candidates."""
        return tuple(check for verdict in self.verdicts for check in verdict.checks)

    @property
    def outcome(self) -> Outcome:
        """``pass`` only if there are verdicts and every one is a pass."""
        outcomes = {verdict.outcome for verdict in self.verdicts}
        if outcomes == {"pass"}:
            return "pass"
        return "fail" if "fail" in outcomes or not outcomes else "inconclusive"

    @property
    def exit_code(self) -> ExitCode:
        """DONE for a pass, CHECK_FAILED for everything else."""
        return ExitCode.DONE if self.outcome == "pass" else ExitCode.CHECK_FAILED


def outcome_of(checks: tuple[Check, ...]) -> Outcome:
    """Returns what checks come to: those of level "warn" do not decide, and no checks at all are no pass."""
    outcomes = {check.verdict for check in checks if check.level == "error"}
    if not checks or "fail" in outcomes:
        return "fail"
    return "inconclusive" if "inconclusive" in outcomes else "pass"
