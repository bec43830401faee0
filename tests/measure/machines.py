"""Machines as small trees of the files that their kernels show, with the commands that they have.

Names, units and values are those that are documented or that people published of such machines; every tree is a choice of
few files. Sources:

- cpufreq, thermal, power supply and powercap: the kernel's documentation (admin-guide/pm/cpufreq.rst,
  driver-api/thermal/sysfs-api.rst, power/power_supply_class.rst, power/powercap/powercap.rst).
- Raspberry Pi: https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd; ``get_throttled`` in hexadecimal without
  0x, and its deprecation: drivers/firmware/raspberrypi.c of raspberrypi/linux; ``rpi_volt``: drivers/hwmon/raspberrypi-hwmon.c.
- Jetson Nano: INA3221 as an iio device with rails POM_5V_IN, POM_5V_GPU and POM_5V_CPU, thermal zones with PMIC-Die at a
  constant 100 °C: NVIDIA's Jetson Linux Developer Guide 32.7, "Power Management for Jetson Nano".
- Jetson Orin Nano: INA3221 by hwmon with VDD_IN, VDD_CPU_GPU_CV and VDD_SOC, ``soctherm_oc``: the Developer Guide 36.4,
  "Jetson Orin Nano Series …, Platform Power and Performance"; zones of parts that are switched off answer with an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

CPU = "sys/devices/system/cpu"
UNREADABLE = None
"""A file that is there and cannot be read: a folder at its place, for tests may run as root."""
Tree = Mapping[str, "str | None"]


def build(root: Path, tree: Tree) -> Path:
    """Writes a tree; returns its root."""
    for name, text in tree.items():
        path = root / name
        if text is UNREADABLE:
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
    return root


class Commands:
    """Answers commands from a table, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, str] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> str | None:
        self.asked.append(" ".join(arguments))
        return self.answers.get(" ".join(arguments))


def policy(number: int, cpus: str, governor: str, now: int, low: int, high: int, hardware: int | None = None) -> Tree:
    """One policy of ``cpufreq``; clocks in kHz."""
    folder = f"{CPU}/cpufreq/policy{number}"
    return {
        f"{folder}/affected_cpus": cpus,
        f"{folder}/scaling_governor": governor,
        f"{folder}/scaling_cur_freq": str(now),
        f"{folder}/scaling_min_freq": str(low),
        f"{folder}/scaling_max_freq": str(high),
        f"{folder}/cpuinfo_max_freq": str(hardware or high),
    }


def zone(number: int, kind: str, millidegrees: int | None) -> Tree:
    """One thermal zone."""
    folder = f"sys/class/thermal/thermal_zone{number}"
    return {f"{folder}/type": kind, f"{folder}/temp": UNREADABLE if millidegrees is None else str(millidegrees)}


def cooling(number: int, kind: str, state: int, most: int) -> Tree:
    """One cooling device."""
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": kind, f"{folder}/cur_state": str(state), f"{folder}/max_state": str(most)}


PROC: Tree = {
    "proc/meminfo": "MemTotal:        3882020 kB\nMemFree:          210332 kB\nMemAvailable:    3145728 kB",
    "proc/loadavg": "0.42 0.31 0.20 1/190 2211",
    "proc/self/status": "Name:\tpython3\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n",
}
RASPBERRY_PI_4: Tree = {
    **PROC,
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4",
    **policy(0, "0 1 2 3", "ondemand", 1_500_000, 600_000, 1_500_000),
    **zone(0, "cpu-thermal", 61_835),
    "sys/class/hwmon/hwmon1/name": "rpi_volt",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
}
RASPBERRY_PI_4_COMMANDS = {
    "vcgencmd get_throttled": "throttled=0x0\n",
    "vcgencmd measure_clock arm": "frequency(48)=1500345728\n",
}
RASPBERRY_PI_5: Tree = {
    **PROC,
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0",
    **policy(0, "0 1 2 3", "ondemand", 2_400_000, 1_500_000, 2_400_000),
    **zone(0, "cpu-thermal", 82_500),
    **cooling(0, "pwm-fan", 3, 4),
    "sys/class/hwmon/hwmon2/name": "rpi_volt",
    "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "0",
}
RASPBERRY_PI_5_COMMANDS = {
    "vcgencmd get_throttled": "throttled=0xe0008\n",
    "vcgencmd measure_clock arm": "frequency(0)=1800010752\n",
}
"""Too hot, and slowed down for that."""
JETSON_NANO: Tree = {
    **PROC,
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd07",
    "etc/nv_tegra_release": "# R32 (release), REVISION: 7.1, BOARD: t210ref",
    "etc/nvpmodel.conf": "# < POWER_MODEL ID=id_num NAME=mode_name >\n< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=1 NAME=5W >\n< PM_CONFIG DEFAULT=0 >",
    "var/lib/nvpmodel/status": "pmode:0000",
    **policy(0, "0 1 2 3", "schedutil", 1_479_000, 1_479_000, 1_479_000),
    "sys/class/devfreq/57000000.gpu/cur_freq": "921600000",
    "sys/class/devfreq/57000000.gpu/min_freq": "921600000",
    "sys/class/devfreq/57000000.gpu/max_freq": "921600000",
    **zone(0, "AO-therm", 41_500),
    **zone(1, "CPU-therm", 34_000),
    **zone(2, "GPU-therm", 31_000),
    **zone(4, "PMIC-Die", 100_000),
    **{
        f"sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/{name}": text
        for name, text in {
            "rail_name_0": "POM_5V_IN", "in_power0_input": "2875", "in_voltage0_input": "5024", "in_current0_input": "572",
            "rail_name_1": "POM_5V_GPU", "in_power1_input": "120",
            "rail_name_2": "POM_5V_CPU", "in_power2_input": "640",
        }.items()
    },
}  # fmt: skip
"""After ``jetson_clocks``."""
ORIN_NANO: Tree = {
    **PROC,
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd42",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.4, BOARD: generic",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >",
    "var/lib/nvpmodel/status": "pmode:0001",
    **policy(0, "0 1 2 3", "schedutil", 960_000, 729_600, 1_344_000, 1_728_000),
    **policy(4, "4 5", "schedutil", 1_344_000, 729_600, 1_344_000, 1_728_000),
    "sys/class/devfreq/17000000.gpu/cur_freq": "612000000",
    "sys/class/devfreq/17000000.gpu/min_freq": "306000000",
    "sys/class/devfreq/17000000.gpu/max_freq": "918000000",
    "sys/class/devfreq/15480000.nvdec/cur_freq": "793600000",
    **zone(0, "cpu-thermal", 49_625),
    **zone(2, "cv0-thermal", None),
    **zone(8, "tj-thermal", 50_812),
    **cooling(0, "pwm-fan", 1, 3),
    "sys/class/hwmon/hwmon1/name": "ina3221",
    **{
        f"sys/class/hwmon/hwmon1/{name}": text
        for name, text in {
            "in1_label": "VDD_IN", "in1_input": "4984", "curr1_input": "1856",
            "in2_label": "VDD_CPU_GPU_CV", "in2_input": "4984", "curr2_input": "304",
            "in3_label": "VDD_SOC", "in3_input": "4984", "curr3_input": "480",
            "in7_label": "sum of shunt voltages", "in7_input": "6000",
        }.items()
    },
    "sys/class/hwmon/hwmon3/name": "soctherm_oc",
    "sys/class/hwmon/hwmon3/oc1_event_cnt": "0",
    "sys/class/hwmon/hwmon3/oc2_event_cnt": "0",
    "sys/class/hwmon/hwmon3/oc3_event_cnt": "37",
}  # fmt: skip
LAPTOP: Tree = {
    **PROC,
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: 12th Gen Intel(R) Core(TM) i5-1240P\nflags\t\t: avx2 avx_vnni",
    "proc/self/status": "Cpus_allowed_list:\t0-5",
    **{
        name: text
        for number in range(4)
        for name, text in policy(number, str(number), "powersave", 800_000 + number, 400_000, 4_400_000).items()
    },
    **{
        name: text
        for number in (4, 5)
        for name, text in policy(number, str(number), "powersave", 700_000, 400_000, 3_300_000).items()
    },
    **zone(0, "x86_pkg_temp", 55_000),
    **zone(1, "iwlwifi_1", 71_000),
    **cooling(0, "Processor", 0, 10),
    **cooling(1, "intel_powerclamp", -1, 50),
    **{f"{CPU}/cpu{number}/thermal_throttle/core_throttle_count": str(number) for number in range(4)},
    **{f"{CPU}/cpu{number}/thermal_throttle/package_throttle_count": "7" for number in range(4)},
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": "0",
    "sys/class/power_supply/BAT0/type": "Battery",
    "sys/class/power_supply/BAT0/status": "Discharging",
    "sys/class/powercap/intel-rapl:0/name": "package-0",
    "sys/class/powercap/intel-rapl:0/energy_uj": "82319483726",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850",
    "sys/class/powercap/intel-rapl:0:0/name": "core",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": "44444444444",
    "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850",
    "sys/class/powercap/intel-rapl:1/name": "psys",
    "sys/class/powercap/intel-rapl:1/energy_uj": "99999999999",
    "sys/class/powercap/intel-rapl:1/max_energy_range_uj": "262143328850",
}
PHONE: Tree = {
    "proc/self/status": "Cpus_allowed_list:\t0-7",
    "proc/loadavg": UNREADABLE,
    "proc/meminfo": UNREADABLE,
    **policy(0, "0 1 2 3", "walt", 1_612_800, 300_000, 1_804_800),
    **policy(4, "4 5 6", "walt", 2_112_000, 710_400, 2_419_200),
    **policy(7, "7", "walt", 2_649_600, 844_800, 2_841_600),
    "sys/class/thermal": UNREADABLE,
    "sys/class/hwmon": UNREADABLE,
}
"""Of three kinds of cores; most of it is not for programs."""
MACHINES: Mapping[str, Tree] = {
    "Raspberry Pi 4": RASPBERRY_PI_4,
    "Raspberry Pi 5": RASPBERRY_PI_5,
    "Jetson Nano": JETSON_NANO,
    "Orin Nano": ORIN_NANO,
    "laptop": LAPTOP,
    "phone": PHONE,
    "nothing": {},
}
