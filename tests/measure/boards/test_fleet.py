"""Fleet files."""

from __future__ import annotations

from pathlib import Path

from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.boards.fleet import FleetBoard, read_fleet

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
