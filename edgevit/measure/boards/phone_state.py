"""What a phone is, and the state that it measures in: from Android's ``getprop`` and ``dumpsys``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PROPERTY = re.compile(r"^\[([^\]]+)\]: \[(.*)\]$", re.M)
_THERMAL = re.compile(r"^\s*Thermal Status: (\d+)", re.M)
_BATTERY = re.compile(r"^\s{2}(AC powered|USB powered|Wireless powered|level|temperature): (\w+)", re.M)
_THERMAL_NAMES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Of ``android.os.PowerManager.THERMAL_STATUS_*``."""
PROBE = (
    "getprop; echo edgevit-governor:$(cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor 2>/dev/null | sort -u);"
    " echo edgevit-load:$(cat /proc/loadavg 2>/dev/null)"
)
"""Script of the phone's shell for :func:`parse_facts`."""
STATE = (
    "dumpsys thermalservice 2>/dev/null; dumpsys battery 2>/dev/null;"
    " echo edgevit-saver:$(settings get global low_power 2>/dev/null)"
)
"""Script of the phone's shell for :func:`parse_state`."""


@dataclass(frozen=True)
class PhoneFacts:
    """A phone, as its Android names it; "" for what it does not tell."""

    model: str
    """Such as "Google Pixel 7"."""
    soc: str
    """Such as "Google GS201"; of Android 12 or later, else the name of the board."""
    android: str
    """Such as "14"."""
    abis: tuple[str, ...]
    """That it runs, such as "arm64-v8a", the best first."""
    emulated: bool
    """Whether it is an emulator, whose times say nothing of a phone."""
    governor: str
    """Of the processor's clock, such as "sched_pixel"; several are joined by a comma."""
    load_average: float | None

    @property
    def title(self) -> str:
        """For people."""
        soc = f" ({self.soc})" if self.soc else ""
        return f"{self.model or 'phone'}{soc}, Android {self.android or 'unknown'}"


@dataclass(frozen=True)
class PhoneState:
    """What changes while a phone measures; None for what it does not tell."""

    thermal_status: int | None
    """0 for none, to 6 for shutdown; of Android 10 or later."""
    battery_percent: int | None
    battery_celsius: float | None
    charging: bool | None
    battery_saver: bool | None

    @property
    def thermal_name(self) -> str:
        """The thermal status in Android's word."""
        status = self.thermal_status
        return "not told" if status is None else _THERMAL_NAMES[status] if status < len(_THERMAL_NAMES) else str(status)


def parse_facts(text: str) -> PhoneFacts:
    """Reads what ``PROBE`` printed."""
    properties = dict(_PROPERTY.findall(text))

    def first(*names: str) -> str:
        return next((properties[name] for name in names if properties.get(name)), "")

    model = f"{first('ro.product.manufacturer')} {first('ro.product.model')}".strip()
    soc = f"{first('ro.soc.manufacturer')} {first('ro.soc.model')}".strip() or first("ro.board.platform", "ro.hardware")
    abis = first("ro.product.cpu.abilist", "ro.product.cpu.abi")
    load = _after("edgevit-load:", text).split()
    return PhoneFacts(
        model=model,
        soc=soc,
        android=first("ro.build.version.release"),
        abis=tuple(abi for abi in abis.split(",") if abi),
        emulated="1" in (properties.get("ro.kernel.qemu"), properties.get("ro.boot.qemu")),
        governor=", ".join(_after("edgevit-governor:", text).split()),
        load_average=float(load[0]) if load and re.fullmatch(r"\d+\.\d+", load[0]) else None,
    )


def parse_state(text: str) -> PhoneState:
    """Reads what ``STATE`` printed."""
    thermal = _THERMAL.search(text)
    battery: dict[str, str] = {}
    for key, value in _BATTERY.findall(text):
        battery.setdefault(key, value)
    powered = [battery[key] for key in ("AC powered", "USB powered", "Wireless powered") if key in battery]
    saver = _after("edgevit-saver:", text).strip()
    celsius = _whole(battery.get("temperature"))
    return PhoneState(
        thermal_status=int(thermal[1]) if thermal else None,
        battery_percent=_whole(battery.get("level")),
        battery_celsius=None if celsius is None else celsius / 10,
        charging="true" in powered if powered else None,
        battery_saver={"0": False, "1": True}.get(saver),
    )


def disturbance(before: PhoneState, after: PhoneState) -> str:
    """Returns why times that were taken between two states are not to be relied on; "" if they are, as far as it is told."""
    reasons = []
    hottest = max(before, after, key=lambda state: state.thermal_status or 0)
    if hottest.thermal_status:
        reasons.append(f"the phone was hot (thermal status {hottest.thermal_name})")
    if before.battery_saver or after.battery_saver:
        reasons.append("the battery saver was on")
    if before.charging != after.charging:
        reasons.append("the charger was plugged in or out")
    return "; ".join(reasons)


def _after(marker: str, text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith(marker)), marker)
    return line.removeprefix(marker)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
