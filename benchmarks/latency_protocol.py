"""Whether latencies can be believed: ``make bench-latency`` (needs the package onnx).

Times one file under two names, and a file that does 5 % more work, by the rounds that table, choice and gate rest on
(edgevit/measure/rounds.py), again and again, while another process works and rests in a changing pattern, on one core or on
all of them. The two names of one file should come out within 3 % and tied, the slower file should come out behind.

Every run is kept in ``runs.jsonl`` of the folder: the same command goes on where it was stopped.

    python -m benchmarks.latency_protocol [--runs 100] [--minutes M] [--out DIR] [--table docs/latency-protocol.md]
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Thread

import numpy as np
from pydantic import TypeAdapter

from edgevit import units
from edgevit.cli.terminal import print_line, print_message
from edgevit.errors import CandidateFailed
from edgevit.measure.host import host_fingerprint
from edgevit.measure.rounds import RoundEntry, Rounds, RoundSettings, measure_rounds, rounds_for
from edgevit.results.statistics import Ratio, paired_ratio
from edgevit.run.executor import Executor, processors
from edgevit.run.files import write_atomically
from edgevit.run.packages import version_of

RUNS = 100
WITHIN = 0.03
"""How far from 1 the ratio of one file to itself may be."""
LEAST_SHARE = 0.95
"""Of the runs."""
LAYERS = 20
"""Of the file; the slower one has one more, and so 5 % more multiplications."""
ROUNDS = rounds_for(3)
_CHANNELS, _SIZE = 24, 36
_RUNS = "runs.jsonl"
_FILE, _AGAIN, _SLOWER = "file", "the same file", "5 % slower"


@dataclass(frozen=True)
class ProtocolRun:
    """One run of the rounds, and what was found."""

    loaded: bool
    """Whether another process worked meanwhile."""
    seconds: float
    rounds: Rounds

    @property
    def same(self) -> Ratio:
        """How many times faster the file is than itself."""
        return self._ratio(_AGAIN, _FILE)

    @property
    def slower(self) -> Ratio:
        """How many times faster the file is than the slower one."""
        return self._ratio(_SLOWER, _FILE)

    @property
    def unstable(self) -> bool:
        """Whether the protocol calls one of the latencies unstable."""
        return any(latency.unstable for latency in self.rounds.latencies.values())

    def _ratio(self, before: str, after: str) -> Ratio:
        latencies = self.rounds.latencies
        return paired_ratio(latencies[before].bursts_ms, latencies[after].bursts_ms)


def main() -> None:
    """Makes the runs that are missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", type=int, default=RUNS, help="with changing load; a tenth as many on the machine as it is"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no further run after that long")
    parser.add_argument("--out", type=Path, default=Path("runs") / "latency-protocol")
    parser.add_argument("--table", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    for loaded, wanted in ((False, arguments.runs // 10), (True, arguments.runs)):
        while _count(read_runs(arguments.out), loaded) < wanted and time.monotonic() < end:
            _add_run(arguments.out, loaded, seed=_count(read_runs(arguments.out), loaded))
    runs = read_runs(arguments.out)
    text = table(runs)
    print_line(text)
    if arguments.table:
        arguments.table.write_text(text, encoding="utf-8")
    missing = arguments.runs - _count(runs, loaded=True)
    if missing > 0:
        print_message(f"{missing} runs are left: run the same command again")


def read_runs(folder: Path) -> list[ProtocolRun]:
    """Reads the runs that are finished."""
    file = folder / _RUNS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [TypeAdapter(ProtocolRun).validate_json(line) for line in lines]


def keep_run(folder: Path, run: ProtocolRun) -> None:
    """Adds a run to the file of the folder, whole or not at all."""
    lines = (TypeAdapter(ProtocolRun).dump_json(each) for each in (*read_runs(folder), run))
    write_atomically(folder / _RUNS, b"".join(line + b"\n" for line in lines))


def _count(runs: Sequence[ProtocolRun], loaded: bool) -> int:
    return sum(run.loaded == loaded for run in runs)


def _add_run(folder: Path, loaded: bool, seed: int) -> None:
    files = {_FILE: LAYERS, _AGAIN: LAYERS, _SLOWER: LAYERS + 1}
    entries = [RoundEntry(name, "onnxruntime", stack(folder, layers), "fastest") for name, layers in files.items()]
    log = folder / "log"
    begin = time.monotonic()
    with load(seed) if loaded else nothing(), Executor(processors(), 120.0, log) as executor:
        settings = RoundSettings(rounds=ROUNDS, at_once=executor.jobs, seed=seed)
        rounds = measure_rounds(entries, settings, functools.partial(executor.run_in_turn, log=log))
    if rounds.failures:
        raise CandidateFailed(f"a run failed: {rounds.failures}", "run the same command again")
    done = ProtocolRun(loaded, time.monotonic() - begin, rounds)
    keep_run(folder, done)
    print_message(
        f"{'loaded' if loaded else 'as it is'} {seed + 1}: same file {done.same.median:.3f}"
        f" ({done.same.interval.low:.3f} to {done.same.interval.high:.3f}), 5 % slower {done.slower.median:.3f}"
        f" ({done.slower.interval.low:.3f} to {done.slower.interval.high:.3f}), {units.seconds(done.seconds)}"
    )


def stack(folder: Path, layers: int) -> Path:
    """Writes a network of equal convolutions, and returns its file; its time is proportional to their number."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    file = folder / f"{layers}-layers.onnx"
    if not file.exists():
        shape = [1, _CHANNELS, _SIZE, _SIZE]
        random = np.random.default_rng(0)
        weights, nodes = [], []
        for layer in range(layers):
            values = random.standard_normal((_CHANNELS, _CHANNELS, 3, 3)).astype(np.float32)
            weights.append(numpy_helper.from_array(values / np.float32(3 * _CHANNELS**0.5), f"weight{layer}"))
            nodes.append(
                helper.make_node("Conv", [f"x{layer}", f"weight{layer}"], [f"x{layer + 1}"], pads=[1, 1, 1, 1])
            )
        graph = helper.make_graph(
            nodes,
            "stack",
            [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(f"x{layers}", TensorProto.FLOAT, shape)],
            weights,
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), file)
    return file


@contextmanager
def load(seed: int) -> Iterator[None]:
    """Lets another process work and rest in a pattern that depends on the seed alone."""
    code = f"from benchmarks.latency_protocol import work_and_rest; work_and_rest({seed}, {os.getpid()})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def nothing() -> Iterator[None]:
    """No load."""
    yield


def pattern(seed: int, cores: int) -> Iterator[tuple[float, int]]:
    """Yields phases of the load without end: seconds, and busy cores, 0 for rest."""
    random = Random(seed)
    while True:
        yield random.uniform(0.3, 4.0), random.choice([0, 0, 1, 1, cores])


def work_and_rest(seed: int, parent: int) -> None:
    """Carries out the pattern until the parent process ends."""
    for seconds, busy in pattern(seed, os.cpu_count() or 1):
        if os.getppid() != parent:
            return
        threads = [Thread(target=_work, args=(seconds,)) for _ in range(busy)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        for thread in threads:
            thread.join()


def _work(seconds: float) -> None:
    """Keeps one core and the memory busy; numpy lets the other threads run meanwhile."""
    values, end = np.zeros(1 << 20, np.float32), time.monotonic() + seconds
    while time.monotonic() < end:
        np.cos(values, out=values)


def table(runs: Sequence[ProtocolRun]) -> str:
    """Returns the findings in Markdown: one row per requirement, as the machine was and with load."""
    host = host_fingerprint(1)
    lines = [
        "# Whether latencies can be believed",
        "",
        "Written by `make bench-latency` (benchmarks/latency_protocol.py): one file under two names and a file that does 5 %"
        f" more work ({LAYERS} and {LAYERS + 1} equal convolutions) are timed by the rounds that table, choice and gate rest"
        " on; *with load* while another process works and rests in a changing pattern, on one core or on all, each run with"
        " a pattern of its own.",
        "",
        f"Machine: {host.cpu}, {host.cores} cores, {host.os}; ONNX Runtime {version_of('onnxruntime')}, 1 thread;"
        f" {ROUNDS} rounds, bursts of {RoundSettings().seconds:g} s.",
        "",
        "| requirement | as the machine was | with load | required |",
        "|---|---|---|---|",
    ]
    groups = [[run for run in runs if run.loaded == loaded] for loaded in (False, True)]
    required = f"≥ {100 * LEAST_SHARE:.0f} %"
    rows: list[tuple[str, Callable[[Sequence[ProtocolRun]], str], str]] = [
        ("runs", lambda group: str(len(group)), f"{RUNS} with load"),
        (f"one file under two names: ratio within {100 * WITHIN:.0f} %", _share_of(_is_within), required),
        ("one file under two names: called a tie", _share_of(lambda run: run.same.tied), required),
        ("5 % slower file: ranked below", _share_of(lambda run: run.slower.median > 1), required),
        ("5 % slower file: ranked below and no tie", _share_of(lambda run: run.slower.interval.low > 1), "–"),
        ("ratio of one file to itself: median (5 % to 95 %)", _spread_of(lambda run: run.same.median), "–"),
        ("ratio of the slower file: median (5 % to 95 %)", _spread_of(lambda run: run.slower.median), "–"),
        (
            "p50 of the file in ms: median (5 % to 95 %)",
            _spread_of(lambda run: run.rounds.latencies[_FILE].p50_ms),
            "–",
        ),
        ("called unstable", _share_of(lambda run: run.unstable), "–"),
        ("repeated bursts of a run, mean", _mean_of(_repeated), "–"),
        ("seconds of a run, mean", _mean_of(lambda run: run.seconds), "–"),
    ]
    for title, cell, limit in rows:
        cells = [cell(group) if group else "–" for group in groups]
        lines.append(f"| {title} | {' | '.join(cells)} | {limit} |")
    return "\n".join(lines) + "\n"


def _is_within(run: ProtocolRun) -> bool:
    return abs(run.same.median - 1) <= WITHIN


def _repeated(run: ProtocolRun) -> float:
    return sum(latency.repeated_bursts for latency in run.rounds.latencies.values())


def _share_of(holds: Callable[[ProtocolRun], bool]) -> Callable[[Sequence[ProtocolRun]], str]:
    return lambda group: f"{100 * sum(map(holds, group)) / len(group):.0f} %"


def _mean_of(value: Callable[[ProtocolRun], float]) -> Callable[[Sequence[ProtocolRun]], str]:
    return lambda group: f"{sum(map(value, group)) / len(group):.1f}"


def _spread_of(value: Callable[[ProtocolRun], float]) -> Callable[[Sequence[ProtocolRun]], str]:
    def text(group: Sequence[ProtocolRun]) -> str:
        low, middle, high = np.percentile([value(run) for run in group], (5, 50, 95))
        return f"{middle:.3f} ({low:.3f} to {high:.3f})"

    return text


if __name__ == "__main__":
    main()
