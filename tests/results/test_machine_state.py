"""Values of a machine's state, in documents and in words."""

from __future__ import annotations

import pytest

from edgevit.results.document import from_json, to_json
from edgevit.results.machine_state import (
    CoolingDevice,
    Energy,
    EventCount,
    MachineConditions,
    Temperature,
    hottest,
    not_stable,
)
from edgevit.results.measurement import Conditions, RoundLatency
from tests.factories import make_latency, make_machine, make_machine_state, make_measurement


def test_a_whole_machine_comes_back_from_a_document() -> None:
    machine = make_machine(
        before=make_machine_state(
            cooling=(CoolingDevice("pwm-fan", 1, 4),),
            events=(EventCount("over-current throttling", 2),),
            clocks_fixed=True,
        ),
        energy=Energy(30.5, 4.2, 140, 2.1, "RAPL package-0"),
        changed=("the clock changed by 9 %, 1400 to 1540 MHz",),
    )
    assert from_json(MachineConditions, to_json(machine)) == machine


def test_measurements_of_earlier_versions_have_none() -> None:
    for value in (make_measurement().conditions, make_latency(1.0, 2.0)):
        content = to_json(value).replace(b'"machine": null', b'"other": null')
        assert b"machine" not in content
        kind: type[Conditions | RoundLatency] = type(value)
        assert from_json(kind, content).machine is None


@pytest.mark.parametrize(
    ("zones", "found"),
    [
        ((("x86_pkg_temp", 55.0), ("iwlwifi_1", 71.0)), "x86_pkg_temp"),
        ((("CPU-therm", 34.0), ("GPU-therm", 31.0), ("PMIC-Die", 100.0)), "CPU-therm"),
        ((("cpu-thermal", 49.6), ("tj-thermal", 50.8)), "tj-thermal"),
        ((("BIG", 60.0), ("battery", 33.0)), "BIG"),
        ((("PMIC-Die", 100.0),), None),
        ((), None),
    ],
)
def test_the_hottest_zone_is_one_of_the_processor(zones: tuple[tuple[str, float], ...], found: str | None) -> None:
    zone = hottest([Temperature(*each) for each in zones])
    assert (zone.zone if zone else None) == found


def test_what_is_not_stable_is_said_once() -> None:
    machine = make_machine(changed=("throttled", "other processes used 0.9 cores"))
    assert not_stable("", None) == not_stable("", make_machine()) == ""
    assert (
        not_stable("steal time 12 %; throttled", machine)
        == "steal time 12 %; throttled; other processes used 0.9 cores"
    )
    assert not_stable("steal time 12 %", None) == "steal time 12 %"
