"""Looks at a machine while something is timed there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgevit.measure import machine_watch
from edgevit.measure.energy import Counters, EnergyCount, find_energy_source
from edgevit.measure.machine_state import read_state
from edgevit.measure.machine_watch import LOOK_SECONDS, MOST_OF_TIME, joined_spans, watching
from edgevit.results.machine_state import ClockRange, MachineSpan, MachineWhile, Temperature
from tests.measure.machines import (
    CPU,
    LAPTOP,
    MACHINES,
    PHONE,
    RASPBERRY_PI_4,
    Commands,
    Tree,
    build,
    cooling,
)


def set_clock(root: Path, policy: int, khz: int) -> None:
    (root / f"{CPU}/cpufreq/policy{policy}/scaling_cur_freq").write_text(f"{khz}\n")


def test_a_clock_that_jumps_is_seen(tmp_path: Path) -> None:
    root = build(tmp_path, RASPBERRY_PI_4)
    with watching(4, root) as watch:
        set_clock(root, 0, 600_000)
        watch.look()
        set_clock(root, 0, 1_500_000)
    assert watch.found() == MachineWhile(
        looks=3,
        busy_mhz=(1500.0, 600.0, 1500.0),
        clocks=(ClockRange("0-3", 600.0, 1500.0),),
        hottest=(Temperature("cpu-thermal", 61.835),),
        throttling=(),
    )


def test_the_hottest_moment_and_every_limit_are_kept(tmp_path: Path) -> None:
    root = build(tmp_path, {**RASPBERRY_PI_4, **cooling(0, "thermal-cpufreq-0", 0, 3)})
    with watching(1, root) as watch:
        (root / "sys/class/thermal/thermal_zone0/temp").write_text("84100\n")
        (root / "sys/class/thermal/cooling_device0/cur_state").write_text("1\n")
        (root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("1\n")
        watch.look()
        (root / "sys/class/thermal/thermal_zone0/temp").write_text("70000\n")
        (root / "sys/class/thermal/cooling_device0/cur_state").write_text("0\n")
        (root / "sys/class/hwmon/hwmon1/in0_lcrit_alarm").write_text("0\n")
    found = watch.found()
    assert found.hottest == (Temperature("cpu-thermal", 84.1),)
    assert found.throttling == ("thermal limit by thermal-cpufreq-0, 1 of 3", "under-voltage")


@pytest.mark.parametrize(("threads", "mhz"), [(1, 2649.6), (2, (2649.6 + 2112.0) / 2), (4, (2649.6 + 3 * 2112.0) / 4)])
def test_the_clock_that_counts_is_that_of_as_many_cores_as_threads(threads: int, mhz: float, tmp_path: Path) -> None:
    with watching(threads, build(tmp_path, PHONE)) as watch:
        pass
    assert watch.found().busy_mhz[0] == pytest.approx(mhz, abs=0.05)


def test_cores_that_the_process_may_not_use_do_not_count(tmp_path: Path) -> None:
    with watching(1, build(tmp_path, {**PHONE, "proc/self/status": "Cpus_allowed_list:\t0-3"})) as watch:
        pass
    assert watch.found().busy_mhz == (1612.8, 1612.8)


def test_clocks_are_told_by_cluster(tmp_path: Path) -> None:
    with watching(1, build(tmp_path, LAPTOP)) as watch:
        pass
    assert [each.cpus for each in watch.found().clocks] == ["0-3", "4-5"]


@pytest.mark.parametrize("tree", MACHINES.values(), ids=MACHINES)
def test_every_machine_can_be_watched(tree: Tree, tmp_path: Path) -> None:
    with watching(1, build(tmp_path, tree)) as watch:
        watch.look_if_due()
    found = watch.found()
    assert found.looks == 2
    assert len(found.busy_mhz) == (2 if any("cpufreq" in name for name in tree) else 0)


def test_files_that_vanish_are_not_missed(tmp_path: Path) -> None:
    root = build(tmp_path, RASPBERRY_PI_4)
    with watching(1, root) as watch:
        (root / "sys/class/thermal/thermal_zone0/temp").write_text("\n")
        set_clock(root, 0, 0)
    assert watch.found().busy_mhz == (1500.0,)


def test_energy_is_counted_from_the_first_look_to_the_last(tmp_path: Path) -> None:
    root = build(tmp_path, LAPTOP)
    counter, source = root / "sys/class/powercap/intel-rapl:0/energy_uj", find_energy_source(root)
    assert isinstance(source, Counters)
    count = EnergyCount(source)
    begin = int(counter.read_text())
    with watching(1, root, count):
        counter.write_text(f"{begin + 1_000_000}\n")
    found = count.energy(runs=10)
    assert found is not None
    assert found.mj_per_run == 100.0


def test_looks_are_rare_and_take_a_small_part_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a board whose files answer slowly, too: 20 ms for each look here."""
    now, took, looks = [0.0], 0.02, []

    def read(file: int) -> int:
        now[0] += took / 2  # a clock and a temperature are read
        return 1_000_000

    monkeypatch.setattr(machine_watch, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    tree = {name: text for name, text in RASPBERRY_PI_4.items() if "hwmon" not in name}
    with watching(1, build(tmp_path, tree)) as watch:
        monkeypatch.setattr(machine_watch, "_number", read)
        begin = now[0]
        for _ in range(10_000):  # runs of 5 ms
            now[0] += 0.005
            before = now[0]
            watch.look_if_due()
            if now[0] > before:
                looks.append(before)
        assert len(looks) * took <= 1.05 * MOST_OF_TIME * (now[0] - begin)
        assert min(after - before for before, after in pairwise(looks)) >= LOOK_SECONDS


def test_spans_are_joined_from_the_first_to_the_last(tmp_path: Path) -> None:
    root = build(tmp_path, RASPBERRY_PI_4)
    spans = []
    for khz in (1_500_000, 1_200_000):
        before = read_state(root, Commands())
        set_clock(root, 0, khz)
        with watching(1, root) as watch:
            pass
        spans.append(MachineSpan(before, watch.found(), read_state(root, Commands())))
    found = joined_spans(spans)
    assert (found.before, found.after) == (spans[0].before, spans[1].after)
    assert (found.during.looks, found.during.busy_mhz) == (4, (1500.0, 1500.0, 1200.0, 1200.0))
    assert found.during.clocks == (ClockRange("0-3", 1200.0, 1500.0),)
    assert joined_spans(spans[:1]) == spans[0]
