"""How long the HTML report of a run with 50 candidates takes to make, and how large it is.

    python -m benchmarks.report

Each time is that of a fresh process, from the loaded run to the page; what it takes to import Bokeh and Jinja2 is in it.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from edgevit import units

CANDIDATES = 50
LIMIT_SECONDS = 3.0
REPEATS = 5
_CODE = """
import time
from tests.factories import make_wide_run
run = make_wide_run({candidates})
begun, used = time.perf_counter(), time.process_time()
from edgevit.report.evidence import Evidence
from edgevit.report.html.page import render_page
page = render_page(run, Evidence())
print(time.perf_counter() - begun, time.process_time() - used, len(page.encode()))
"""


def measure() -> tuple[float, float, int]:
    """Returns wall-clock and processor seconds of one report in a fresh process, and the bytes of the page."""
    code = _CODE.format(candidates=CANDIDATES)
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    wall, used, size = done.stdout.split()
    return float(wall), float(used), int(size)


def main() -> None:
    """Prints the medians."""
    found = [measure() for _ in range(REPEATS)]
    wall, used, size = (median(values) for values in zip(*found, strict=True))
    outcome = "within" if wall < LIMIT_SECONDS else "over"
    print(f"HTML report of {CANDIDATES} candidates, median of {REPEATS} fresh processes:")
    print(f"  wall clock {units.seconds(wall)} ({outcome} the {units.seconds(LIMIT_SECONDS)} promised)")
    print(f"  processor  {units.seconds(used)}")
    print(f"  size       {units.size(size)}")


if __name__ == "__main__":
    main()
