"""getprop and dumpsys as phones print them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.measure.boards.phone_state import PhoneState, disturbance, parse_facts, parse_state

COOL = PhoneState(0, 81, 30.1, True, False)
DUMP = """\
IsStatusOverride: false
Thermal Status: 2
Cached temperatures:
\tTemperature{mValue=33.931, mType=-1, mName=neutral_therm, mStatus=1}
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Max charging current: 0
  status: 3
  level: 67
  scale: 100
  temperature: 337
  technology: Li-poly
edgevit-saver:1
"""
PROPERTIES = """\
[ro.build.version.release]: [11]
[ro.board.platform]: [sm6150]
[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a,armeabi]
[ro.product.manufacturer]: [Xiaomi]
[ro.product.model]: [Mi 9T]
edgevit-governor:schedutil walt
edgevit-load:3.52 2.91 2.80 2/1024 9000
"""


def test_facts() -> None:
    found = parse_facts(PROPERTIES)
    assert (found.title, found.abis[0]) == ("Xiaomi Mi 9T (sm6150), Android 11", "arm64-v8a")
    assert (found.governor, found.load_average, found.emulated) == ("schedutil, walt", 3.52, False)
    assert parse_facts("[ro.boot.qemu]: [1]").emulated


def test_facts_of_a_phone_that_tells_nothing() -> None:
    found = parse_facts("edgevit-governor:\nedgevit-load:\n")
    assert (found.title, found.abis, found.load_average) == ("phone, Android unknown", (), None)


def test_state() -> None:
    found = parse_state(DUMP)
    assert found == PhoneState(2, 67, 33.7, charging=False, battery_saver=True)
    assert found.thermal_name == "moderate"


def test_state_that_is_not_told() -> None:
    found = parse_state("Can't find service: thermalservice\nedgevit-saver:null\n")
    assert found == PhoneState(None, None, None, None, None)
    assert found.thermal_name == "not told"


def test_log_of_the_battery_is_not_its_state() -> None:
    text = "Current Battery Service state:\n  level: 75\n[EventLogBuffer]\n  level: 72\n"
    assert parse_state(text).battery_percent == 75


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (COOL, COOL, ""),
        (COOL, replace(COOL, thermal_status=3), "the phone was hot (thermal status severe)"),
        (replace(COOL, thermal_status=1), COOL, "the phone was hot (thermal status light)"),
        (replace(COOL, battery_saver=True), COOL, "the battery saver was on"),
        (COOL, replace(COOL, charging=False), "the charger was plugged in or out"),
        (replace(COOL, thermal_status=None), replace(COOL, thermal_status=None), ""),
    ],
)
def test_disturbance(before: PhoneState, after: PhoneState, words: str) -> None:
    assert disturbance(before, after) == words
