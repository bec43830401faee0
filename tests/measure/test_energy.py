"""Energy by counters that begin anew, and by power sensors in two layouts."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.measure.energy import (
    Counters,
    EnergyCount,
    NotMeasured,
    PowerRail,
    energy_of_runs,
    find_energy_source,
    increase_uj,
    mean_watts,
    power_mw,
    source_text,
)
from tests.measure.machines import JETSON_NANO, LAPTOP, MACHINES, ORIN_NANO, UNREADABLE, Tree, build

RANGE_UJ = 262_143_328_850
PACKAGE = "sys/class/powercap/intel-rapl:0/energy_uj"


@given(st.integers(1, RANGE_UJ), st.data())
def test_a_counter_that_begins_anew_has_risen_by_what_it_counted(range_uj: int, data: st.DataObject) -> None:
    before = data.draw(st.integers(0, range_uj))
    used = data.draw(st.integers(0, range_uj))
    assert increase_uj(before, (before + used) % (range_uj + 1), range_uj) == used


@given(st.lists(st.integers(0, RANGE_UJ // 2), min_size=1, max_size=12), st.integers(0, RANGE_UJ))
def test_many_readings_add_up_over_several_rounds_of_the_counter(steps: list[int], begin: int) -> None:
    values = [begin]
    for step in steps:
        values.append((values[-1] + step) % (RANGE_UJ + 1))
    rises = [increase_uj(before, after, RANGE_UJ) for before, after in pairwise(values)]
    assert sum(rises) == sum(steps)


def test_the_packages_of_a_processor_count_and_not_their_parts(tmp_path: Path) -> None:
    root = build(tmp_path, LAPTOP)
    source = find_energy_source(root)
    assert isinstance(source, Counters)
    assert source.name == source_text(source) == "RAPL package-0"
    count = EnergyCount(source)
    count.add()
    (root / PACKAGE).write_text(f"{82_319_483_726 + 3_000_000}\n")
    count.add()
    found = count.energy(runs=100)
    assert found is not None
    assert (found.mj_per_run, found.runs, found.counted) == (30.0, 100, "RAPL package-0")
    assert found.mean_watts == pytest.approx(3.0 / found.seconds)


def test_a_counter_that_begins_anew_between_two_readings(tmp_path: Path) -> None:
    root = build(tmp_path, {**LAPTOP, PACKAGE: str(RANGE_UJ - 999_999)})
    count = EnergyCount(find_energy_source(root))  # type: ignore[arg-type]
    count.add()
    (root / PACKAGE).write_text("1000000\n")
    count.add()
    found = count.energy(runs=1)
    assert found is not None
    assert found.mj_per_run == 2000.0


def test_two_packages_add_up(tmp_path: Path) -> None:
    second = {
        "sys/class/powercap/intel-rapl:2/name": "package-1",
        "sys/class/powercap/intel-rapl:2/energy_uj": "5",
        "sys/class/powercap/intel-rapl:2/max_energy_range_uj": "1000000",
    }
    root = build(tmp_path, {**LAPTOP, **second})
    source = find_energy_source(root)
    assert isinstance(source, Counters)
    assert source.name == "RAPL package-0 + package-1"
    count = EnergyCount(source)
    count.add()
    (root / "sys/class/powercap/intel-rapl:2/energy_uj").write_text("500005\n")
    count.add()
    found = count.energy(runs=1)
    assert found is not None
    assert found.mj_per_run == 500.0


def test_a_counter_that_can_be_read_no_more_tells_nothing(tmp_path: Path) -> None:
    root = build(tmp_path, LAPTOP)
    count = EnergyCount(find_energy_source(root))  # type: ignore[arg-type]
    count.add()
    (root / PACKAGE).unlink()
    count.add()
    (root / PACKAGE).write_text("99\n")
    count.add()
    assert count.energy(runs=1) is None


def test_a_counter_that_does_not_move_is_not_zero_energy(tmp_path: Path) -> None:
    count = EnergyCount(find_energy_source(build(tmp_path, LAPTOP)))  # type: ignore[arg-type]
    assert count.energy(runs=10) is None
    count.add()
    assert count.energy(runs=10) is None
    count.add()
    assert count.energy(runs=10) is None


@pytest.mark.parametrize(
    ("tree", "name", "milliwatts"),
    [(JETSON_NANO, "INA3221 rail POM_5V_IN", 2875.0), (ORIN_NANO, "INA3221 rail VDD_IN", 4984 * 1856 / 1000)],
    ids=["iio", "hwmon"],
)
def test_the_rail_of_the_whole_module_counts(tree: Tree, name: str, milliwatts: float, tmp_path: Path) -> None:
    source = find_energy_source(build(tmp_path, tree))
    assert isinstance(source, PowerRail)
    assert (source.name, power_mw(source)) == (name, milliwatts)


def test_the_older_name_of_the_iio_folder(tmp_path: Path) -> None:
    folder = "sys/bus/i2c/drivers/ina3221x/0-0041/iio_device"
    source = find_energy_source(
        build(tmp_path, {f"{folder}/rail_name_0": "VDD_IN", f"{folder}/in_power0_input": "3800"})
    )
    assert isinstance(source, PowerRail)
    assert power_mw(source) == 3800.0


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({}, "no energy counter (RAPL) and no power sensor (INA3221)"),
        (MACHINES["phone"], "no energy counter (RAPL) and no power sensor (INA3221)"),
        (MACHINES["Raspberry Pi 5"], "no energy counter (RAPL) and no power sensor (INA3221)"),
        (
            {**LAPTOP, PACKAGE: UNREADABLE},
            "energy_uj of intel-rapl:0 (RAPL) cannot be read: Linux gives it to root alone",
        ),
        (
            {name: text for name, text in ORIN_NANO.items() if not name.endswith("in1_label")},
            "no rail of the whole module, only VDD_CPU_GPU_CV, VDD_SOC",
        ),
    ],
    ids=["nothing", "phone", "Pi 5", "root's", "no input rail"],
)
def test_what_is_not_measured_says_why(tree: Tree, reason: str, tmp_path: Path) -> None:
    source = find_energy_source(build(tmp_path, tree))
    assert isinstance(source, NotMeasured)
    assert reason in source_text(source)
    assert source_text(source).startswith("not measured: ")


def test_the_mean_power_weighs_times(tmp_path: Path) -> None:
    assert mean_watts([(0.0, 2000.0), (1.0, 2000.0), (2.0, 4000.0)]) == pytest.approx(2.5)
    assert mean_watts([(0.0, 1000.0), (3.0, 1000.0), (3.5, 3000.0)]) == pytest.approx(4.0 / 3.5)
    assert mean_watts([(0.0, 2000.0)]) is None


@given(st.lists(st.floats(0.001, 10.0), min_size=2, max_size=20), st.floats(1.0, 1e5))
def test_a_constant_power_is_its_own_mean(steps: list[float], milliwatts: float) -> None:
    moments = [sum(steps[:place]) for place in range(len(steps))]
    assert mean_watts([(moment, milliwatts) for moment in moments]) == pytest.approx(milliwatts / 1000)


def test_energy_of_runs_by_a_sensor(tmp_path: Path) -> None:
    rail = find_energy_source(build(tmp_path, JETSON_NANO))
    assert isinstance(rail, PowerRail)
    found = energy_of_runs(rail, lambda: time.sleep(0.01), seconds=0.3, min_runs=3)
    assert found is not None
    assert found.mean_watts == pytest.approx(2.875)
    assert found.mj_per_run == pytest.approx(2875 * found.seconds / found.runs)
    assert found.counted == "INA3221 rail POM_5V_IN"


def test_a_sensor_that_answers_no_more_tells_nothing(tmp_path: Path) -> None:
    rail = PowerRail("INA3221 rail VDD_IN", (tmp_path / "none",))
    assert power_mw(rail) is None
    assert energy_of_runs(rail, lambda: time.sleep(0.01), seconds=0.1, min_runs=1) is None


def test_a_run_that_fails_ends_the_reading(tmp_path: Path) -> None:
    rail = find_energy_source(build(tmp_path, JETSON_NANO))

    def fail() -> None:
        raise RuntimeError("no run")

    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="no run"):
        energy_of_runs(rail, fail, seconds=0.1, min_runs=1)  # type: ignore[arg-type]
    assert threading.active_count() == threads
