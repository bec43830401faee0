"""Image files that tests write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, seed: int, side: int = 6) -> None:
    """Writes a square RGB image of noise; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)


def class_folders(root: Path, names: tuple[str, ...]) -> str:
    """Writes two images of 32 x 32 for each class, in a folder of its name, and returns the path of all."""
    for seed, name in enumerate(names):
        for number in range(2):
            save(root / name / f"{number}.png", 10 * seed + number, side=32)
    return str(root)
