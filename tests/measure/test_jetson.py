"""Power mode, fixed clocks, GPU and over-current of Jetsons."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.measure.jetson import (
    clocks_fixed,
    gpu_mhz,
    is_jetson,
    mode_names,
    over_current_events,
    parse_nvpmodel,
    power_mode,
)
from edgevit.results.machine_state import EventCount
from tests.measure.machines import JETSON_NANO, ORIN_NANO, RASPBERRY_PI_4, Commands, Tree, build


def test_the_power_mode_is_named_as_the_configuration_does(tmp_path: Path) -> None:
    asked = Commands()
    assert power_mode(build(tmp_path / "nano", JETSON_NANO), asked) == "MAXN"
    assert power_mode(build(tmp_path / "orin", ORIN_NANO), asked) == "25W"
    assert asked.asked == []


def test_a_mode_without_a_name_has_its_number(tmp_path: Path) -> None:
    assert power_mode(build(tmp_path, {"var/lib/nvpmodel/status": "pmode:0008"}), Commands()) == "mode 8"


def test_the_command_is_asked_where_there_is_no_status(tmp_path: Path) -> None:
    assert (
        power_mode(tmp_path, Commands({"nvpmodel -q": "NV Fan Mode:quiet\nNV Power Mode: MODE_30W\n2\n"})) == "MODE_30W"
    )
    assert power_mode(tmp_path, Commands()) == parse_nvpmodel("NVPM ERROR: Error opening") == "unknown"


def test_comments_of_the_configuration_name_no_mode() -> None:
    assert mode_names("# < POWER_MODEL ID=7 NAME=x >\n< POWER_MODEL ID=3 NAME=7W >\n") == {3: "7W"}


@pytest.mark.parametrize(("tree", "fixed"), [(JETSON_NANO, True), (ORIN_NANO, False), ({}, None)])
def test_jetson_clocks_leaves_one_clock_to_each(tree: Tree, fixed: bool | None, tmp_path: Path) -> None:
    assert clocks_fixed(build(tmp_path, tree)) is fixed


def test_a_free_gpu_is_not_fixed(tmp_path: Path) -> None:
    assert (
        clocks_fixed(build(tmp_path, {**JETSON_NANO, "sys/class/devfreq/57000000.gpu/min_freq": "76800000"})) is False
    )


@pytest.mark.parametrize(("tree", "mhz"), [(JETSON_NANO, 921.6), (ORIN_NANO, 612.0), (RASPBERRY_PI_4, None)])
def test_the_clock_of_the_gpu_and_not_of_a_decoder(tree: Tree, mhz: float | None, tmp_path: Path) -> None:
    assert gpu_mhz(build(tmp_path, tree)) == mhz


def test_an_orin_counts_over_current(tmp_path: Path) -> None:
    assert over_current_events(build(tmp_path / "orin", ORIN_NANO)) == (
        EventCount("under-voltage throttling", 0),
        EventCount("average over-current throttling", 0),
        EventCount("over-current throttling", 37),
    )
    assert over_current_events(build(tmp_path / "nano", JETSON_NANO)) == ()


def test_only_a_jetson_is_one(tmp_path: Path) -> None:
    assert is_jetson(build(tmp_path / "nano", JETSON_NANO))
    assert not is_jetson(build(tmp_path / "pi", RASPBERRY_PI_4))
