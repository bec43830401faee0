"""The state of machines, read from trees of their files."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from edgevit.measure.energy import NotMeasured, find_energy_source
from edgevit.measure.machine_state import MOST_ZONES, cpu_name, read_state
from edgevit.measure.machine_watch import watching
from edgevit.measure.sysfs import ROOT
from edgevit.results.machine_state import CoolingDevice, CpuCluster, EventCount, MachineState, Temperature
from tests.measure.machines import (
    JETSON_NANO,
    LAPTOP,
    MACHINES,
    ORIN_NANO,
    PHONE,
    RASPBERRY_PI_4,
    RASPBERRY_PI_4_COMMANDS,
    RASPBERRY_PI_5,
    RASPBERRY_PI_5_COMMANDS,
    UNREADABLE,
    Commands,
    build,
    zone,
)

_NOBODY = 65534


def test_a_raspberry_pi_4_at_work(tmp_path: Path) -> None:
    commands = Commands(RASPBERRY_PI_4_COMMANDS)
    assert read_state(build(tmp_path, RASPBERRY_PI_4), commands) == MachineState(
        clusters=(CpuCluster("0-3", "ondemand", 1500.0, 600.0, 1500.0, 1500.0),),
        temperatures=(Temperature("cpu-thermal", 61.835),),
        cooling=(),
        throttling=(),
        throttled_since_boot=(),
        events=(),
        power_supply=(),
        power_mode="unknown",
        clocks_fixed=None,
        gpu_mhz=None,
        memory_available_bytes=3 * 1024**3,
        load_average=0.42,
        affinity="0-3",
        unknown=(),
    )
    assert commands.asked == ["vcgencmd get_throttled", "vcgencmd measure_clock arm"]


def test_a_raspberry_pi_4_on_a_weak_supply(tmp_path: Path) -> None:
    answers = {
        "vcgencmd get_throttled": "throttled=0x50005\n",
        "vcgencmd measure_clock arm": "frequency(48)=600117184\n",
    }
    found = read_state(build(tmp_path, RASPBERRY_PI_4), Commands(answers))
    assert found.throttling == ("throttled", "clock 600 MHz where the kernel asked for 1500 MHz")
    assert found.throttled_since_boot == ("under-voltage", "throttled")
    assert found.power_supply == ("under-voltage",)


def test_under_voltage_that_is_over_is_a_warning_still(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, RASPBERRY_PI_4), Commands({"vcgencmd get_throttled": "throttled=0x10000"}))
    assert (found.power_supply, found.throttling) == (("under-voltage since the machine started",), ())


def test_a_raspberry_pi_5_that_is_too_hot(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, RASPBERRY_PI_5), Commands(RASPBERRY_PI_5_COMMANDS))
    assert found.throttling == (
        "soft temperature limit active",
        "clock 1800 MHz where the kernel asked for 2400 MHz",
    )
    assert found.throttled_since_boot == ("ARM frequency capped", "throttled", "soft temperature limit active")
    assert found.cooling == (CoolingDevice("pwm-fan", 3, 4),)
    assert found.unknown == ()


def test_a_raspberry_pi_without_its_command(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, RASPBERRY_PI_5), Commands())
    assert found.unknown == ("throttling",)


def test_a_jetson_nano_with_fixed_clocks(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, JETSON_NANO), Commands())
    assert (found.power_mode, found.clocks_fixed, found.gpu_mhz) == ("MAXN", True, 921.6)
    assert found.clusters == (CpuCluster("0-3", "schedutil", 1479.0, 1479.0, 1479.0, 1479.0),)
    assert Temperature("CPU-therm", 34.0) in found.temperatures


def test_an_orin_nano_in_a_lower_mode(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, ORIN_NANO), Commands())
    assert (found.power_mode, found.clocks_fixed, found.gpu_mhz) == ("25W", False, 612.0)
    assert found.clusters == (CpuCluster("0-5", "schedutil", 1344.0, 729.6, 1344.0, 1728.0),)
    assert found.temperatures == (Temperature("cpu-thermal", 49.625), Temperature("tj-thermal", 50.812))
    assert EventCount("over-current throttling", 37) in found.events
    assert (found.power_supply, found.unknown) == ((), ())


def test_a_laptop_on_battery(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, LAPTOP), Commands())
    assert found.clusters == (
        CpuCluster("0-3", "powersave", 800.003, 400.0, 4400.0, 4400.0),
        CpuCluster("4-5", "powersave", 700.0, 400.0, 3300.0, 3300.0),
    )
    assert found.events == (EventCount("core thermal throttling", 6), EventCount("package thermal throttling", 7))
    assert (found.power_supply, found.throttling, found.affinity) == (("on battery",), (), "0-5")


def test_a_mouse_on_battery_is_no_warning(tmp_path: Path) -> None:
    mouse = {
        "sys/class/power_supply/hidpp_battery_0/type": "Battery",
        "sys/class/power_supply/hidpp_battery_0/status": "Discharging",
        "sys/class/power_supply/hidpp_battery_0/scope": "Device",
    }
    charged = {**LAPTOP, "sys/class/power_supply/BAT0/status": "Full"}
    assert read_state(build(tmp_path, {**charged, **mouse}), Commands()).power_supply == ()


@pytest.mark.parametrize("kind", ["thermal-cpufreq-0", "cpufreq-cpu0", "Processor", "intel_powerclamp"])
def test_a_limit_of_the_thermal_governor_is_throttling(kind: str, tmp_path: Path) -> None:
    folder = "sys/class/thermal/cooling_device0"
    root = build(tmp_path, {f"{folder}/type": kind, f"{folder}/cur_state": "2", f"{folder}/max_state": "5"})
    found = read_state(root, Commands())
    assert found.throttling == (f"thermal limit by {kind}, 2 of 5",)
    (root / folder / "cur_state").write_text("0\n")
    found = read_state(root, Commands())
    assert (found.throttling, "throttling" in found.unknown) == ((), False)


def test_a_phone_tells_little(tmp_path: Path) -> None:
    found = read_state(build(tmp_path, PHONE), Commands())
    assert [(each.cpus, each.mhz) for each in found.clusters] == [("0-3", 1612.8), ("4-6", 2112.0), ("7", 2649.6)]
    assert found.unknown == ("temperature", "throttling", "memory", "load")
    assert found.affinity == "0-7"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = read_state(tmp_path, Commands())
    assert found == MachineState(
        (), (), (), (), (), (), (), "unknown", None, None, None, None, "unknown", found.unknown
    )
    assert found.unknown == ("clock", "temperature", "throttling", "memory", "load", "affinity")


@pytest.mark.parametrize("tree", MACHINES.values(), ids=MACHINES)
def test_no_machine_whose_files_cannot_be_read_raises(tree: dict[str, str | None], tmp_path: Path) -> None:
    locked = read_state(build(tmp_path / "locked", dict.fromkeys(tree, UNREADABLE)), Commands())
    assert "clock" in locked.unknown
    nonsense = read_state(build(tmp_path / "nonsense", dict.fromkeys(tree, "<not supported>")), Commands())
    assert nonsense.temperatures == ()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs users")
@pytest.mark.parametrize("tree", MACHINES.values(), ids=MACHINES)
def test_folders_that_may_not_be_entered_raise_nothing(tree: dict[str, str | None], tmp_path: Path) -> None:
    for folder in [path for path in build(tmp_path, tree).iterdir() if path.is_dir()]:
        folder.chmod(0)
    child = os.fork()
    if not child:
        with suppress(BaseException):
            if os.geteuid() == 0:
                os.setuid(_NOBODY)  # root may enter all of them
            found = read_state(tmp_path, Commands())
            with watching(2, tmp_path) as watch:
                pass
            told = isinstance(find_energy_source(tmp_path), NotMeasured) and watch.found().busy_mhz == ()
            os._exit(0 if told and {"clock", "temperature", "throttling", "affinity"} <= set(found.unknown) else 3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for folder in tmp_path.iterdir():
        folder.chmod(0o700)


@pytest.mark.parametrize("tree", [LAPTOP, PHONE, {}], ids=["laptop", "phone", "nothing"])
def test_no_command_is_run_but_on_machines_that_have_it(tree: dict[str, str | None], tmp_path: Path) -> None:
    commands = Commands()
    read_state(build(tmp_path, tree), commands)
    assert commands.asked == []


def test_a_sensor_that_is_off_has_no_temperature_and_of_many_zones_the_hottest_count(tmp_path: Path) -> None:
    many = {name: text for number in range(40) for name, text in zone(number, f"cpu-{number}", 1000 * number).items()}
    off = {**zone(40, "modem", -273_000), **zone(41, "sdr0", 2_147_483_647)}
    found = read_state(build(tmp_path, {**many, **off}), Commands())
    assert [each.zone for each in found.temperatures] == [f"cpu-{number}" for number in range(40 - MOST_ZONES, 40)]


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("Raspberry Pi 4", "Cortex-A72 (Raspberry Pi 4 Model B Rev 1.4)"),
        ("Jetson Nano", "Cortex-A57 (NVIDIA Jetson Nano Developer Kit)"),
        ("laptop", "12th Gen Intel(R) Core(TM) i5-1240P"),
        ("nothing", "unknown"),
    ],
)
def test_the_name_of_the_processor_and_the_board(machine: str, name: str, tmp_path: Path) -> None:
    assert cpu_name(build(tmp_path, MACHINES[machine])) == name


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_machine_is_read() -> None:
    found = read_state()
    assert found.memory_available_bytes
    assert found.load_average is not None
    assert found.affinity != "unknown"
    assert cpu_name(ROOT) != "unknown"


READERS = ("machine_state", "machine_watch", "energy", "jetson", "raspberry_pi", "sysfs", "cpuinfo")


@pytest.mark.parametrize("name", READERS)
def test_the_readers_need_nothing_but_python(name: str) -> None:
    """They run on boards, where neither pydantic nor numpy need be."""
    code = (
        f"import sys, edgevit.measure.{name}\n"
        "allowed = set(sys.stdlib_module_names) | {'edgevit', 'sitecustomize', '__main__'}\n"
        "print(sorted(each for each in {name.partition('.')[0] for name in sys.modules} - allowed if each[0] != '_'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
