"""Prints what many images cost in memory, see benchmarks/image_memory.py; ends with 1 where a step needs 1 GiB or more.

python -m benchmarks.images [--images N] [--side PIXELS] [--out DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.image_memory import IMAGES, LIMIT_BYTES, memory_of_steps


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table of the steps; returns 1 where one took more than its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--out", type=Path, help="a temporary folder when left out")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        costs = memory_of_steps(given.images, given.side, (given.out or Path(temporary)).resolve())
    print(f"| {given.images:,} images of {given.side} x {given.side} | time | own memory, peak |\n|---|---|---|")
    for cost in costs:
        print(f"| {cost.step} | {cost.seconds:.1f} s | {cost.own_peak_bytes / (1 << 20):.0f} MiB |")
    return int(max(cost.own_peak_bytes for cost in costs) >= LIMIT_BYTES)


if __name__ == "__main__":
    raise SystemExit(main())
