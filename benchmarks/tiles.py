"""What tiles cost: ``python -m benchmarks.tiles``.

A MobileNetV2 (random weights, ONNX Runtime, one thread) names what is in an image of 224 and of 512 pixels, in tiles of 224 with a tenth of overlap:
one and nine. Each size is measured in fresh processes, in turn; required are a peak memory of at most 1.1 times, and a time of at most 1.1 times
nine, that of one tile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit import units
from edgevit.cli.terminal import print_line, print_table
from edgevit.measure.resident_memory import peak_resident_bytes
from edgevit.results.artifact import Tiles

TILES = Tiles((224, 224), 0.1, "mean")
SIDES = (224, 512)
_LIMIT = 1.1
_ROUNDS = 3
_RUNS = 10


def main() -> None:
    """Measures both sizes, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs=2, metavar=("FILE", "SIDE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print_line(json.dumps(_measure(Path(given.measure[0]), int(given.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = _export(Path(folder))
        found: dict[int, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(_ROUNDS):
            for side in SIDES:
                command = [sys.executable, "-m", "benchmarks.tiles", "--measure", str(file), str(side)]
                found[side].append(
                    json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                )
    one, nine = (
        {key: statistics.median(each[key] for each in found[side]) for key in ("peak_bytes", "ms", "tiles")}
        for side in SIDES
    )
    memory = nine["peak_bytes"] / one["peak_bytes"]
    times = statistics.median(
        after["ms"] / (after["tiles"] * before["ms"]) for before, after in zip(found[224], found[512], strict=True)
    )
    rows = [
        (f"{side} px", f"{each['tiles']:.0f}", units.milliseconds(each["ms"]), units.size(int(each["peak_bytes"])))
        for side, each in zip(SIDES, (one, nine), strict=True)
    ]
    print_table(("image", "tiles", "time", "peak memory"), rows, numeric=(1, 2, 3))
    print_line(f"peak memory: {memory:.3f} × that of one tile (≤ {_LIMIT}: {'yes' if memory <= _LIMIT else 'NO'})")
    print_line(f"time: {times:.3f} × tiles × that of one (≤ {_LIMIT}: {'yes' if times <= _LIMIT else 'NO'})")


def _export(folder: Path) -> Path:
    from edgevit.backends import get_backend
    from edgevit.model.load import load_model
    from edgevit.model.program.capture import capture
    from edgevit.results.contract import Contract
    from edgevit.spec.spec import ModelSpec

    model, backend = load_model(ModelSpec(name="mobilenetv2_100", random_weights=True), 0), get_backend("onnxruntime")
    path = backend.export(capture(model.module, model.preprocessing.input_size), folder)
    contract = Contract(replace(model.preprocessing, tiles=TILES), "NCHW", (), "fp32", "", "0")
    backend.write_contract(path, contract)
    return path


def _measure(file: Path, side: int) -> dict[str, float]:
    """The median time of an image, and the peak memory of this process."""
    from edgevit.api.load import load

    classifier = load(file)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))
    tiles = sum(1 for _ in classifier.views(image))
    times = []
    for _ in range(_RUNS):
        begin = time.perf_counter()
        classifier.classify(image)
        times.append(1000 * (time.perf_counter() - begin))
    return {"peak_bytes": float(peak_resident_bytes()), "ms": statistics.median(times), "tiles": float(tiles)}


if __name__ == "__main__":
    main()
