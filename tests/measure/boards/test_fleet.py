"""Fleet files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.boards.fleet import FleetBoard, fleet_of, read_fleet

FLEET = """
[[board]]
name = "pi5"
address = "pi@raspberrypi.local"
device = "raspberry-pi-5"
runtimes = ["tflite", "onnxruntime"]
lock = "refuse"
python = "~/edgevit/bin/python"

[[board]]
name = "spare"
address = "spare:2222"
"""


def test_the_boards_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    first = BoardSpec(parse_address("pi@raspberrypi.local"), "~/edgevit/bin/python", 0.0, "pi5")
    second = BoardSpec(parse_address("spare:2222"), "python3", 60.0, "spare")
    assert read_fleet(tmp_path / "fleet.toml", 60.0) == (
        FleetBoard("pi5", first, "raspberry-pi-5", ("litert", "onnxruntime")),
        FleetBoard("spare", second),
    )


def test_boards_by_address_are_named_by_their_hosts_unless_two_have_the_same() -> None:
    assert [board.name for board in fleet_of(["pi@a", "b:22"], "python3", 0.0)] == ["a", "b"]
    twice = fleet_of(["pi@a", "root@a"], "python3", 0.0)
    assert [(board.name, board.spec.name) for board in twice] == [("pi@a", "pi@a"), ("root@a", "root@a")]
    with pytest.raises(UsageError, match="given twice"):
        fleet_of(["pi@a", "pi@a"], "python3", 0.0)
    with pytest.raises(UsageError, match="SSH"):
        fleet_of(["adb:R58"], "python3", 0.0)
