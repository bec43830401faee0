"""Logits on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import write_logits


def test_logits_on_disk_are_whole(tmp_path: Path) -> None:
    write_logits(tmp_path / "a" / "x.npy", 2, [np.ones((1, 3), np.float64)] * 2)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.npy"]
    loaded = np.load(tmp_path / "a" / "x.npy")
    assert (loaded.dtype, loaded.shape) == (np.float32, (2, 3))
