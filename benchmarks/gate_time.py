"""How long the gate takes for a run of many candidates: the whole command, and its parts in one process.

    python -m benchmarks.gate_time [--candidates 50] [--repeat 10]

The shortest of several times is shown, for other work only adds to it, and CPU time beside it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgevit.results.run import run_to_json

_LIMITS = """size_bytes = "8 MB"
accuracy_drop_points = "1 pt"
[devices.host]
latency_p50_ms = "15 ms"
peak_rss_bytes = "200 MB"
[devices.raspberry-pi-5]
latency_p50_ms = "40 ms"
"""
_PARTS = """
import sys, time
begin = time.process_time()
from edgevit.gate.gate_runs import GateRequest, gate_runs
from pathlib import Path
imported = time.process_time()
request = GateRequest((Path(sys.argv[1]),), Path(sys.argv[2]))
result = gate_runs(request)
first = time.process_time()
gate_runs(request)
print(imported - begin, first - imported, time.process_time() - first)
"""


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.json").write_bytes(_run(asked.candidates))
        (folder / "budget.toml").write_text(_LIMITS, encoding="utf-8")
        size = (folder / "run.json").stat().st_size
        command = [sys.executable, "-m", "edgevit", "gate", str(folder), "--budget", str(folder / "budget.toml")]
        empty = [_timed([sys.executable, "-c", "pass"]) for _ in range(asked.repeat)]
        whole = [_timed(command) for _ in range(asked.repeat)]
        parts = [_parts(folder) for _ in range(asked.repeat)]
    print(f"run.json of {asked.candidates} candidates, {size / 1000:.0f} kB; best of {asked.repeat}")
    for title, times in (("python alone", empty), ("edgevit gate", whole)):
        print(f"{title}: {min(wall for wall, _ in times):.3f} s, CPU {min(cpu for _, cpu in times):.3f} s")
    imported, first, again = (min(part[index] for part in parts) for index in range(3))
    print(
        f"of it, CPU: imports {imported:.3f} s, reading and judging {first:.3f} s, once more in the same process {again:.3f} s"
    )


def _run(count: int) -> bytes:
    from tests.factories import make_candidate, make_latency, make_prediction, make_run

    devices = ("raspberry-pi-5", "raspberry-pi-4b", "coral-dev-board")
    made = (
        make_candidate(
            f"litert/dynamic_wi8_afp32/plan-{number}",
            latency=make_latency(11.9, 12.0, 12.1, 12.0, 12.0, 11.95, 12.05),
            predictions=tuple(make_prediction(10, 39, device=device) for device in devices),
        )
        for number in range(count)
    )
    return run_to_json(make_run(*made))


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds of a command, by the clock and of CPU."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, capture_output=True, check=False)
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _parts(folder: Path) -> tuple[float, float, float]:
    command = [sys.executable, "-c", _PARTS, str(folder), str(folder / "budget.toml")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    imported, first, again = map(float, said.split())
    return imported, first, again


if __name__ == "__main__":
    main()
