"""How far a run is: its stages counted against its plan, and the time left, refined by what has been done."""

from __future__ import annotations

from edgevit.run.progress import RunPlan

_READ_BACK = 0.1
"""A stage that took less than this share of the time planned was read back from the run folder: it says nothing about
the pace."""
_TRUST = 0.1
"""The plan's own pace counts as much as this share of it carried out."""


class RunCount:
    """Counts the stages of a run. Not thread-safe: its callers are."""

    def __init__(self, plan: RunPlan, now: float) -> None:
        """Begins to count.

        Args:
            plan: What the run makes at least.
            now: Seconds on any clock, the same for all calls.
        """
        self._plan = plan
        self._planned = {stages.kind: stages.count for stages in plan.stages}
        self._work = {stages.kind: stages.seconds / (1 if stages.alone else plan.jobs) for stages in plan.stages}
        self._running: dict[str, float] = {}
        self._unplanned: set[str] = set()
        self._ended: set[str] = set()
        self._last = now
        self._busy = self._carried_out = 0.0

    def begin(self, name: str, now: float) -> None:
        """Counts a stage that begins; one that the plan does not know makes the run longer."""
        if name in self._running or name in self._ended:
            return
        self._running[name] = now
        kind = name.partition(" ")[0]
        if self._planned.get(kind, 0) > 0:
            self._planned[kind] -= 1
        else:
            self._unplanned.add(name)

    def end(self, name: str, now: float) -> None:
        """Counts a stage that has ended, whatever came of it."""
        if name in self._ended:
            return
        self.begin(name, now)
        took = now - self._running.pop(name)
        self._ended.add(name)
        work = self._work_of(name)
        if work and took >= _READ_BACK * work:
            self._busy += now - max(self._last, now - took)
            self._carried_out += work
        self._last = now

    @property
    def ended(self) -> int:
        """Stages that have ended."""
        return len(self._ended)

    @property
    def total(self) -> int:
        """Stages of the run as far as they are known: those seen, and those planned that have not begun."""
        return len(self._ended) + len(self._running) + sum(self._planned.values())

    def seconds_left(self, now: float) -> float:
        """Estimates the time that the rest takes: by the plan, at the pace of what has been carried out so far."""
        trusted = _TRUST * self._plan.seconds
        pace = (self._busy + trusted) / (self._carried_out + trusted) if trusted else 1.0
        to_begin = sum(count * self._work[kind] for kind, count in self._planned.items())
        begun = sum(max(0.0, self._work_of(name) * pace - (now - since)) for name, since in self._running.items())
        return pace * to_begin + begun

    def _work_of(self, name: str) -> float:
        """Seconds of the run that the plan gives a stage; none where it does not know it."""
        return 0.0 if name in self._unplanned else self._work.get(name.partition(" ")[0], 0.0)
