"""The conditions of a measurement in words."""

from __future__ import annotations

from edgevit.report.machine_text import clock_text, energy_text, machine_text, millijoules, state_rows, temperature_text
from edgevit.results.machine_state import CpuCluster, Energy, MachineState, Temperature
from tests.factories import make_machine, make_machine_state, make_machine_while

ENERGY = Energy(30.52, 4.21, 140, 2.1, "INA3221 rail VDD_IN")
NOTHING = MachineState(
    (), (), (), (), (), (), (), "unknown", None, None, None, None, "unknown", ("clock", "throttling")
)


def test_a_board_that_is_well() -> None:
    assert machine_text(make_machine()) == (
        "governor ondemand, 1500 MHz, 48 to 62 °C (cpu-thermal), 3.10 GB available, CPUs 0-3, not throttled"
    )


def test_a_jetson_that_is_not() -> None:
    state = make_machine_state(power_mode="25W", clocks_fixed=False, gpu_mhz=612.0, power_supply=("under-voltage",))
    during = make_machine_while(busy_mhz=(1344.0, 960.0))
    text = machine_text(
        make_machine(before=state, after=state, during=during, throttled=("over-current throttling: 3 more",))
    )
    assert text == (
        "governor ondemand, 960 to 1344 MHz, 48 to 62 °C (cpu-thermal), power mode 25W, clocks not fixed, GPU 612 MHz,"
        " 3.10 GB available, CPUs 0-3, throttled (over-current throttling: 3 more), under-voltage"
    )


def test_what_is_not_known_is_left_out() -> None:
    nothing = make_machine(before=NOTHING, after=NOTHING, during=make_machine_while(busy_mhz=(), hottest=()))
    assert machine_text(nothing) == ""
    assert (clock_text(nothing), temperature_text(nothing)) == ("–", "–")


def test_the_temperature_is_of_one_zone() -> None:
    state = make_machine_state(temperatures=(Temperature("CPU-therm", 34.0), Temperature("PMIC-Die", 100.0)))
    during = make_machine_while(hottest=(Temperature("CPU-therm", 34.2), Temperature("PMIC-Die", 100.0)))
    assert temperature_text(make_machine(before=state, during=during)) == "34 °C (CPU-therm)"


def test_energy_and_why_there_is_none() -> None:
    assert energy_text(make_machine(energy=ENERGY)) == "30.5 mJ, 4.2 W (INA3221 rail VDD_IN, rest included)"
    assert energy_text(make_machine(energy_unknown="no counter")) == "not measured: no counter"
    assert (millijoules(ENERGY), millijoules(None)) == ("30.5 mJ", "–")


def test_what_a_machine_tells_in_few_lines() -> None:
    clusters = (
        CpuCluster("0-3", "schedutil", 960.0, 300.0, 1804.8, 1804.8),
        CpuCluster("7", "schedutil", None, None, None, None),
    )
    state = make_machine_state(
        clusters=clusters, throttling=("throttled",), throttled_since_boot=("under-voltage", "throttled"),
        power_mode="MAXN", clocks_fixed=True, power_supply=("on battery",),
    )  # fmt: skip
    assert state_rows(state) == (
        ("clock", "CPUs 0-3: schedutil, 300 to 1805 MHz; CPUs 7: schedutil, limits not reported"),
        ("temperature", "48 °C (cpu-thermal)"),
        ("throttling", "throttled; since the start: under-voltage, throttled"),
        ("power", "power mode MAXN; clocks fixed; on battery"),
    )


def test_a_machine_that_tells_nothing_says_so() -> None:
    assert dict(state_rows(NOTHING)) == {
        **dict.fromkeys(("clock", "temperature", "throttling"), "not reported by this system"),
        "power": "no warning of the power supply",
    }
