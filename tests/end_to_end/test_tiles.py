"""A run in tiles by the installed command: its artifact carries them, and answers with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch

from edgevit.api.load import load
from edgevit.data.images import open_images
from edgevit.model.load import load_model
from edgevit.results.artifact import Tiles
from edgevit.spec.spec import ModelSpec

# isort: split
from tests.end_to_end.test_compress import edgevit, run_document

pytestmark = pytest.mark.slow


def write_large_images(folder: Path, count: int = 30) -> None:
    """Images of 64 x 64 pixels with a digit in a corner, in a folder for each class."""
    digits = open_images("digits")
    assert digits.labels is not None
    for place, (name, label) in enumerate(zip(digits.ids[:count], digits.labels, strict=False)):
        digit = digits.image(name)
        large = Image.new("RGB", (64, 64), digit.getpixel((0, 0)))
        large.paste(digit, (32 * (place % 2), 32 * (place // 2 % 2)))
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        large.save(folder / str(label) / f"{place}.png")


def top1_of_most_confident_tile(folder: Path) -> float:
    """Share of the images that the bundled network recognizes on that of its four tiles of which it is surest."""
    model, images = load_model(ModelSpec(name="digits_cnn")), open_images(str(folder))
    assert images.labels is not None
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (model.preprocessing.mean, model.preprocessing.std))
    found = []
    for name in images.ids:
        pixels = torch.from_numpy(np.array(images.image(name))).permute(2, 0, 1) / 255
        tiles = [pixels[:, top : top + 32, left : left + 32] for top in (0, 32) for left in (0, 32)]
        with torch.no_grad():
            probabilities = model.module((torch.stack(tiles) - mean) / std).softmax(dim=1)
        found.append(int(probabilities[probabilities.max(dim=1).values.argmax()].argmax()))
    return float(np.mean(np.array(found) == np.array(images.labels)))


def test_a_run_in_tiles(tmp_path: Path) -> None:
    write_large_images(tmp_path / "large")
    done = edgevit(
        "compress", "digits_cnn", "--data", "large", "--calibration", "calibration:digits", "--export", "onnx",
        "--scheme", "static_wi8_ai8", "--tiles", "size=32,overlap=0,reduce=best", "--max-drop", "10", "--out", "run",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = run_document(tmp_path / "run")
    assert document["baseline"]["samples"] == 30
    assert document["baseline"]["top1"] == pytest.approx(top1_of_most_confident_tile(tmp_path / "large"))
    for candidate in document["candidates"]:
        path = tmp_path / "run" / candidate["artifact"]["path"]
        classifier = load(path)
        assert classifier.preprocessing.tiles == Tiles((32, 32), 0.0, "best")
        assert candidate["artifact"]["preprocessing"]["tiles"] == {"size": [32, 32], "overlap": 0.0, "reduce": "best"}
        assert (candidate["accuracy"]["samples"], candidate["verification"]["samples"]) == (30, 30)
        found = edgevit(
            "eval", path, "--data", "large", "--save-outputs", tmp_path / "saved.npz", "--json", cwd=tmp_path
        )
        assert json.loads(found.stdout)["accuracy"]["top1"] == candidate["accuracy"]["top1"]
        image = next((tmp_path / "large").rglob("*.png"))
        script = subprocess.run(
            [sys.executable, "-I", path.with_name("use.py"), image], capture_output=True, text=True, check=True
        )
        label, probability = classifier.classify(image)[0]
        assert script.stdout.splitlines()[1] == f"{probability:8.2%}  {label}"
        assert np.isfinite(np.load(tmp_path / "saved.npz")["logits"]).all()
        (tmp_path / "saved.npz").unlink()
