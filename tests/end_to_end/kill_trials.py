"""Runs that are killed at random moments, in every way there is: ``--resume`` has to end as an unbroken run does.

    python -m tests.end_to_end.kill_trials --trials 50

Exit 0 if every trial ended with the same artifacts and accuracies, and left no process and no half-written file.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.test_compress import edgevit, outcome, start

RUN = (
    "compress", "digits_cnn", "--quick", "--data", "digits", "--samples", "60", "--calibration", "calibration:digits",
    "--set", "data.calibration_samples=16", "--set", "measure.min_seconds=0", "--scheme", "static_wi8_ai8",
    "--max-drop", "100", "--set", "quantize.max_minutes=600",
)  # fmt: skip
PATIENCE_S = 5.0
Outcome = list[tuple[Any, ...]]
CODES = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}


def descendants(process: int) -> list[int]:
    """Returns the processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}
    found = [process]
    for each in found:
        found += [pid for pid, parent in parents.items() if parent == each]
    return found[1:]


def kill_group(process: int, chance: random.Random) -> None:
    os.killpg(process, signal.SIGKILL)


def kill_parent(process: int, chance: random.Random) -> None:
    os.kill(process, signal.SIGKILL)


def kill_child(process: int, chance: random.Random) -> None:
    children = descendants(process)
    if children:
        os.kill(chance.choice(children), signal.SIGKILL)


def send(number: signal.Signals, *, to_group: bool) -> Callable[[int, random.Random], None]:
    def stop(process: int, chance: random.Random) -> None:
        (os.killpg if to_group else os.kill)(process, number)

    return stop


@dataclass(frozen=True)
class Way:
    """A way to end a run."""

    name: str
    stop: Callable[[int, random.Random], None]
    codes: tuple[int, ...]
    """Exit codes that it may end with, besides those of a run that was done before."""


WAYS = (
    Way("KILL group", kill_group, (-9,)),
    Way("KILL parent", kill_parent, (-9,)),
    Way("KILL child", kill_child, (0,)),
    *(
        Way(f"{number.name} {'group' if group else 'parent'}", send(number, to_group=group), (CODES[number], -number))
        for number in CODES
        for group in (False, True)
    ),
)


def trial(way: Way, seconds: float, backends: str, wanted: Outcome, chance: random.Random) -> list[str]:
    """Ends one run after some seconds, resumes it, and returns what is wrong."""
    wrong = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "run")
        arguments = (*RUN, "--export", backends, "--out", folder, "--resume")
        process = start(arguments, Path(place), start_new_session=True)
        time.sleep(seconds)
        started = descendants(process.pid)
        if process.poll() is None:
            way.stop(process.pid, chance)
        _, said = process.communicate(timeout=300)
        if process.returncode not in (0, *way.codes):
            wrong.append(f"exit code {process.returncode}: {said[-300:]}")
        if process.returncode in CODES.values() and (folder / "stages").exists() and "--resume --out" not in said:
            wrong.append("no word of --resume")
        left = those_left(started)
        if left:
            wrong.append(f"{len(left)} processes left")
        resumed = edgevit(*arguments, cwd=place)
        if resumed.returncode != 0:
            wrong.append(f"resumed: exit code {resumed.returncode}: {resumed.stderr[-300:]}")
        else:
            wrong += [f"made {made}, not {whole}" for made, whole in differences(outcome(folder), wanted)]
        wrong += [f"left {path.name}" for pattern in ("*.partial", "*.tmp") for path in folder.rglob(pattern)]
    return wrong


def differences(made: Outcome, wanted: Outcome) -> list[tuple[object, object]]:
    """Returns what differs between two outcomes, candidate by candidate."""
    pairs = itertools.zip_longest(made, wanted, fillvalue=())
    return [
        (one, other)
        for pair in pairs
        for one, other in itertools.zip_longest(*pair, fillvalue="nothing")
        if one != other
    ]


def those_left(processes: list[int]) -> list[int]:
    """Returns which processes still run after some seconds, which a busy machine takes to end them."""
    limit = time.monotonic() + PATIENCE_S
    while left := [each for each in processes if not is_zombie(each)]:
        if time.monotonic() > limit:
            break
        time.sleep(0.1)
    return left


def is_zombie(process: int) -> bool:
    """Whether a process has ended and nobody has asked for its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def unbroken(backends: str) -> tuple[Outcome, float]:
    """Returns the outcome of a run that nobody ends, and its seconds."""
    with tempfile.TemporaryDirectory() as place:
        begin = time.monotonic()
        done = edgevit(*RUN, "--export", backends, "--out", Path(place, "run"), cwd=place)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return outcome(Path(place, "run")), time.monotonic() - begin


def main() -> int:
    """Carries out the trials and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50, help="on one backend; one more is on three")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance, failed = random.Random(given.seed), 0
    for backends, count in (("onnx", given.trials), ("onnx,openvino,tflite", 1)):
        wanted, whole = unbroken(backends)
        print(f"{backends}: {whole:.1f} s unbroken", flush=True)
        for number in range(count):
            way, seconds = WAYS[number % len(WAYS)], chance.uniform(0.2, 0.95 * whole)
            wrong = trial(way, seconds, backends, wanted, chance)
            failed += bool(wrong)
            print(f"{number + 1:3} {way.name:14} after {seconds:5.2f} s: {'; '.join(wrong) or 'same'}", flush=True)
    print(f"{failed} of {given.trials + 1} trials failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
