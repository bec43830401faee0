"""What measuring over SSH adds to a latency: this machine, measured as itself and as a board on loopback.

    python -m benchmarks.remote_overhead [FILE] [--rounds 60] [--on ADDRESS]

Bursts of one file take turns, one started here and one over SSH with this very Python, in rounds whose order changes; the ratio of
the two latencies, the median over the rounds with its 95 % interval, should lie within 2 % of 1. Without --on it starts an sshd of its
own (needs openssh-server).
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.latency_protocol import LAYERS, stack
from edgevit import units
from edgevit.backends import backend_of_file
from edgevit.cli.terminal import print_line, print_message
from edgevit.errors import CandidateFailed
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.board import open_board
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.burst import Burst, BurstJob
from edgevit.measure.rounds import RoundEntry, Rounds, RoundSettings, measure_rounds
from edgevit.results.statistics import Ratio, paired_ratio
from edgevit.run.executor import Executor
from edgevit.run.task import Task

WITHIN = 0.02
"""How far from 1 the ratio may be."""
HERE, THERE = "here", "over SSH"


def main() -> None:
    """Measures one file both ways, prints both latencies and their ratio, and ends with 1 where it is not within 2 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="a network of convolutions when not given")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--on", help="this machine by SSH, such as localhost")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, board_here(given.on, Path(folder)) as address:
        file = given.file or stack(Path(folder), LAYERS)
        begin = time.monotonic()
        rounds = measure_both(file, address, given.rounds, Path(folder) / "log")
    ratio = slower_over_ssh(rounds)
    for name in (HERE, THERE):
        latency = rounds.latencies[name]
        interval = latency.interval_ms
        print_line(
            f"{name}: p50 {units.milliseconds(latency.p50_ms)} ({units.milliseconds(interval.low)} to"
            f" {units.milliseconds(interval.high)})" + (f", unstable: {latency.unstable}" if latency.unstable else "")
        )
    low, high = ratio.interval.low, ratio.interval.high
    print_line(
        f"ratio {ratio.median:.4f} ({low:.4f} to {high:.4f}) in {given.rounds} rounds; should be 1 within {WITHIN:.0%}"
    )
    print_message(f"took {units.seconds(time.monotonic() - begin)}")
    sys.exit(abs(ratio.median - 1) > WITHIN)


def measure_both(file: Path, address: str, rounds: int, log: Path) -> Rounds:
    """Times a file here and on a board that is this machine, in turns.

    Args:
        file: The artifact.
        address: Of this machine.
        rounds: How many.
        log: Gets what the processes print.

    Raises:
        CandidateFailed: one of them failed.
    """
    backend = backend_of_file(file)
    asked = BoardSpec(parse_address(address), sys.executable)
    with open_board(asked, [backend], 1, 120.0, print_message) as board:
        there = board.send(file)
        here = Executor(1, 120.0, log)
        over_ssh = Executor(1, 120.0, log, start=board.start)

        def run(tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
            found: list[Burst | CandidateFailed] = []
            for task in tasks:
                executor = over_ssh if task.argument.artifact == there else here
                with executor.alone():
                    found += executor.run_in_turn([task], log)
            return found

        entries = [
            RoundEntry(HERE, backend.name, file.absolute(), "fastest"),
            RoundEntry(THERE, backend.name, there, "fastest"),
        ]
        told = functools.partial(_tell, time.monotonic())
        found = measure_rounds(entries, RoundSettings(rounds=rounds), run, told)
    for name, reason in found.failures.items():
        raise CandidateFailed(f"{name}: {reason}")
    return found


def slower_over_ssh(rounds: Rounds) -> Ratio:
    """Returns how many times longer a run takes over SSH."""
    latencies = rounds.latencies
    return paired_ratio(latencies[THERE].bursts_ms, latencies[HERE].bursts_ms)


@contextmanager
def board_here(address: str | None, folder: Path) -> Iterator[str]:
    """Gives the address of this machine as a board: the one that is given, or that of an sshd that it starts."""
    if address is not None:
        yield address
        return
    from tests.loopback import loopback_board

    place = folder / "sshd"
    place.mkdir()
    with loopback_board(place) as board:
        os.environ["PATH"] = board.path
        yield "board"


def _tell(begin: float, done: int, total: int) -> None:
    if done % 20 == 0:
        print_message(f"{done} of {total} bursts, {units.seconds(time.monotonic() - begin)}")


if __name__ == "__main__":
    main()
