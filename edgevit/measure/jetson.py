"""What a Jetson tells of its power mode, of fixed clocks, of the GPU's clock and of over-current.

NVIDIA's Jetson Linux Developer Guide, "Platform Power and Performance": https://docs.nvidia.com/jetson/
"""

from __future__ import annotations

import re
from pathlib import Path

from edgevit.measure.raspberry_pi import RunCommand
from edgevit.measure.sysfs import matches, number_of, text_of
from edgevit.results.machine_state import UNKNOWN, EventCount

_OVER_CURRENT = {1: "under-voltage throttling", 2: "average over-current throttling", 3: "over-current throttling"}
"""Counters of the driver ``soctherm_oc``, by their number: OC1, OC2 and OC3 of an Orin."""
_GPU_NAMES = ("gpu", "gv11b", "gp10b", "ga10b", "gb10b", "gm20b")
"""What the folder of a GPU in ``/sys/class/devfreq`` ends in, after its address."""


def is_jetson(root: Path) -> bool:
    """Returns whether this is a Jetson with NVIDIA's system."""
    return any(text_of(root / name) for name in ("etc/nv_tegra_release", "etc/nvpmodel.conf"))


def power_mode(root: Path, run: RunCommand) -> str:
    """Returns the power mode by its name, such as "15W", or its number where that has none; "unknown" where it is not told.

    Args:
        root: Of the machine: ``nvpmodel`` leaves the mode in ``/var/lib/nvpmodel/status``, names are in ``/etc/nvpmodel.conf``.
        run: Runs ``nvpmodel -q``, where there is no such file.
    """
    found = re.search(r"pmode:([0-9]+)", text_of(root / "var/lib/nvpmodel/status"))
    if found is None:
        return parse_nvpmodel(run(("nvpmodel", "-q")) or "")
    number = int(found[1])
    return mode_names(text_of(root / "etc/nvpmodel.conf")).get(number, f"mode {number}")


def mode_names(configuration: str) -> dict[int, str]:
    """Returns the names of power modes by their numbers, from the text of ``nvpmodel.conf``."""
    found = re.findall(r"^\s*<\s*POWER_MODEL\s+ID=([0-9]+)\s+NAME=([^\s>]+)\s*>", configuration, re.MULTILINE)
    return {int(number): name for number, name in found}


def parse_nvpmodel(text: str) -> str:
    """Returns the mode in what ``nvpmodel -q`` prints: "NV Power Mode: 15W", then its number; "unknown" for other texts."""
    found = re.search(r"^NV Power Mode:\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else UNKNOWN


def clocks_fixed(root: Path) -> bool | None:
    """Returns whether every CPU and the GPU has one clock left to choose, as after ``jetson_clocks``; None where not told."""
    limits = [
        (number_of(policy / "scaling_min_freq"), number_of(policy / "scaling_max_freq"))
        for policy in matches(root, "sys/devices/system/cpu/cpufreq/policy[0-9]*")
    ]
    limits += [(number_of(gpu / "min_freq"), number_of(gpu / "max_freq")) for gpu in _gpus(root)]
    if not limits or any(None in pair for pair in limits):
        return None
    return all(low == high for low, high in limits)


def gpu_mhz(root: Path) -> float | None:
    """Returns the clock of the GPU in MHz; None where it is not told."""
    clocks = [hz for gpu in _gpus(root) if (hz := number_of(gpu / "cur_freq")) is not None]
    return max(clocks) / 1e6 if clocks else None


def over_current_events(root: Path) -> tuple[EventCount, ...]:
    """Returns how often an Orin throttled for its power supply since it started; () where it does not count that."""
    folders = [path.parent for path in matches(root, "sys/class/hwmon/hwmon*/name") if text_of(path) == "soctherm_oc"]
    return tuple(
        EventCount(name, count)
        for folder in folders
        for number, name in _OVER_CURRENT.items()
        if (count := number_of(folder / f"oc{number}_event_cnt")) is not None
    )


def _gpus(root: Path) -> list[Path]:
    return [path for path in matches(root, "sys/class/devfreq/*") if path.name.rpartition(".")[2] in _GPU_NAMES]
