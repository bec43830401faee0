"""The conditions of measurements, in the report."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.conditions import conditions_section, conditions_text
from edgevit.report.details import details
from edgevit.report.setting import setting_rows
from edgevit.results.candidate import Candidate
from edgevit.results.machine_state import Energy, MachineConditions
from tests.factories import make_candidate, make_latency, make_machine, make_machine_state, make_measurement, make_run


def measured(alone: MachineConditions | None, rounds: MachineConditions | None) -> Candidate:
    measurement = make_measurement()
    measurement = replace(measurement, conditions=replace(measurement.conditions, machine=alone))
    return replace(
        make_candidate(), measurements=(measurement,), latency=replace(make_latency(12.0, 12.1), machine=rounds)
    )


HOT = make_machine(throttled=("throttled",), changed=("throttled", "other processes used 0.9 cores"))


def test_each_measurement_has_a_row() -> None:
    alone = make_machine(energy=Energy(30.52, 4.2, 100, 2.0, "RAPL package-0"))
    run = make_run(measured(alone, HOT))
    rows = [line for line in conditions_section(run).splitlines() if line.startswith("| litert")]
    assert [[cell.strip() for cell in row.split("|")[2:-1]] for row in rows] == [
        ["alone", "1500 MHz", "48 to 62 °C (cpu-thermal)", "no", "30.5 mJ", "nothing"],
        [
            "final round", "1500 MHz", "48 to 62 °C (cpu-thermal)", "throttled", "–",
            "throttled; other processes used 0.9 cores",
        ],
    ]  # fmt: skip
    assert conditions_section(run) in details(run)
    text = dict(setting_rows(run))["conditions"]
    assert text.startswith("governor ondemand, 1500 MHz")
    assert text.endswith("; changed during 1 of 2 measurements")


def test_throttling_that_is_not_reported_is_not_called_absent() -> None:
    silent = make_machine(after=make_machine_state(unknown=("throttling",)))
    assert "not reported" in conditions_section(make_run(measured(silent, None)))


def test_runs_of_earlier_versions_say_nothing_of_it() -> None:
    run = make_run(measured(None, None))
    assert (conditions_section(run), conditions_text(run)) == ("", "")
    assert "conditions" not in dict(setting_rows(run))
