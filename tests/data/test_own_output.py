"""What edgevit wrote is told from a class folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.data.images import open_images
from edgevit.data.own_output import is_own_output
from tests.data.pictures import save


@pytest.mark.parametrize(
    "name", ["begin.json", "run.json", "distill.json", "report.md", "sensitivity.json", "attention_distance.png"]
)
def test_a_folder_of_results_is_no_class(tmp_path: Path, name: str) -> None:
    for folder in ("Abyss", "Bee", "Cat"):
        save(tmp_path / folder / "a.png", 0)
    before = open_images(str(tmp_path))
    (tmp_path / "Abyss" / name).write_text("")
    assert is_own_output(tmp_path / "Abyss")
    assert not is_own_output(tmp_path / "Bee")
    assert before.labels == (0, 1, 2)
    assert open_images(str(tmp_path)).ids == ("Bee/a.png", "Cat/a.png")
