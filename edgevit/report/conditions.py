"""The machine while candidates were measured, as a section of Markdown."""

from __future__ import annotations

from edgevit.report.machine_text import clock_text, machine_text, millijoules, temperature_text
from edgevit.report.markdown_text import section
from edgevit.results.candidate import Candidate
from edgevit.results.machine_state import MachineConditions
from edgevit.results.run import Run


def conditions_section(run: Run) -> str:
    """Returns what the machine was like for each candidate, as measured alone and in the final round; "" where not recorded."""
    rows = [
        (
            candidate.id,
            how,
            clock_text(machine),
            temperature_text(machine),
            "; ".join(machine.throttled) or ("not reported" if "throttling" in machine.after.unknown else "no"),
            millijoules(machine.energy),
            "; ".join(machine.changed) or "nothing",
        )
        for candidate in run.candidates
        for how, machine in _machines(candidate)
    ]
    titles = ("candidate", "measured", "clock", "temperature", "throttled", "energy of a run", "changed meanwhile")
    return section("Conditions", titles, rows, numeric=(2, 5))


def conditions_text(run: Run) -> str:
    """Returns the machine at the first measurement in a few words; "" where it was not recorded."""
    machines = [machine for candidate in run.candidates for _, machine in _machines(candidate)]
    if not machines:
        return ""
    changed = sum(bool(machine.changed) for machine in machines)
    return machine_text(machines[0]) + (
        f"; changed during {changed} of {len(machines)} measurements" if changed else ""
    )


def _machines(candidate: Candidate) -> list[tuple[str, MachineConditions]]:
    found = [("alone", each.conditions.machine) for each in candidate.measurements]
    found += [("final round", candidate.latency.machine)] if candidate.latency else []
    return [(how, machine) for how, machine in found if machine]
