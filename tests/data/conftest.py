"""Fixtures that tests of images share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.pictures import save


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Three classes of 4, 3 and 2 images."""
    seed = 0
    for name, count in (("a", 4), ("b", 3), ("c", 2)):
        for number in range(count):
            save(tmp_path / "classes" / name / f"{number}.png", seed := seed + 1)
    return tmp_path / "classes"
