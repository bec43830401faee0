"""What looking at the machine costs the runs that are timed meanwhile.

    python -m benchmarks.watch_cost FILE [--pairs 300]

Twins of runs follow each other, in an order that is tossed, one of them right behind a look: what it takes longer, times the
looks of a second, is the share of the time that looks add to what is timed. The machine that is looked at is a folder with 16
clocks, 12 temperatures and a counter of energy: more than boards have. Waits for a core are left out, as in bursts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

from edgevit import units
from edgevit.backends import backend_of_file, get_backend
from edgevit.cli.terminal import print_line
from edgevit.measure.bench import noise_call, warm_up
from edgevit.measure.core_wait import timer_without_waits
from edgevit.measure.energy import Counters, EnergyCount, find_energy_source
from edgevit.measure.machine_watch import LOOK_SECONDS, watching
from edgevit.results.statistics import median_interval

_CLOCKS, _ZONES = 16, 12
_SETTLE_RUNS = 3
"""Before each twin."""


def main() -> None:
    """Measures one file and prints what a look costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--pairs", type=int, default=300)
    given = parser.parse_args()
    session = get_backend(backend_of_file(given.file).name).open_session(given.file.absolute(), 1, "fastest")
    call = noise_call(session)
    warm_up(call, 10, 0.5)
    random = Random(0)
    looks_ms, plain_ms, slower_ms = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        root = write_machine(Path(folder))
        source = find_energy_source(root)
        assert isinstance(source, Counters)
        with watching(1, root, EnergyCount(source)) as watch, timer_without_waits(1) as timed:
            for _ in range(given.pairs):
                found = {}
                for with_look in random.sample((True, False), 2):
                    for _ in range(_SETTLE_RUNS):
                        call()
                    begin = time.thread_time()
                    if with_look:
                        watch.look()
                        looks_ms.append(1000 * (time.thread_time() - begin))
                    found[with_look] = timed(call)
                plain_ms.append(found[False])
                slower_ms.append(found[True] - found[False])
    slower, interval = median(slower_ms), median_interval(slower_ms)
    print_line(f"{given.file.name}: {units.milliseconds(median(plain_ms))} a run, {given.pairs} pairs")
    print_line(f"a look takes {units.milliseconds(median(looks_ms))} of the processor, outside the times of runs")
    print_line(
        f"the run behind it takes {1000 * slower:+.0f} µs ({1000 * interval.low:+.0f} to {1000 * interval.high:+.0f})"
    )
    shares = [units.percent(ms / 1000 / LOOK_SECONDS, 3) for ms in (slower, interval.low, interval.high)]
    print_line(f"at a look every {LOOK_SECONDS:g} s that is {shares[0]} of what is timed ({shares[1]} to {shares[2]})")


def write_machine(root: Path) -> Path:
    """Writes the files of a machine with many clocks and temperatures; returns its root."""
    package = "sys/class/powercap/intel-rapl:0"
    files = {f"{package}/name": "package-0", f"{package}/energy_uj": "1", f"{package}/max_energy_range_uj": "1000000"}
    for number in range(_CLOCKS):
        policy = f"sys/devices/system/cpu/cpufreq/policy{number}"
        files |= {f"{policy}/affected_cpus": str(number), f"{policy}/scaling_cur_freq": "2400000"}
    for number in range(_ZONES):
        zone = f"sys/class/thermal/thermal_zone{number}"
        files |= {f"{zone}/type": f"cpu-{number}", f"{zone}/temp": "48000"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


if __name__ == "__main__":
    main()
