"""How often ``edgevit gate --measure NEW --against OLD`` is right, and how fast: ``make bench-gate``.

Each comparison is one call of the gate on MobileNetV2 (float, ONNX Runtime, one thread): with itself, or of a file that does
a planted part more work, since it repeats one of its own layers, with the file itself. Meanwhile another process works and
rests in a changing pattern, on one core or on all, beside whatever else the machine does. Finished comparisons are kept in
``--out``, and the next call goes on; all kinds of comparison advance side by side.

    python -m benchmarks.regression_gate [--model FILE.onnx] [--minutes M] [--out DIR] [--table docs/regression-gate-trials.md]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from pydantic import TypeAdapter

from benchmarks.latency_protocol import load
from benchmarks.models import default_data
from edgevit import units
from edgevit.cli.terminal import print_line, print_message
from edgevit.commands.regression import RegressionRequest, measure_regression
from edgevit.gate.confidence_sequence import ERROR_RATE, EVERYTHING, narrowed
from edgevit.gate.regression import Decision, decide
from edgevit.measure.host import host_fingerprint
from edgevit.results.proportions import proportion_interval
from edgevit.results.regression import Regression, RegressionLimits
from edgevit.run.files import write_atomically
from edgevit.run.packages import version_of
from edgevit.run.progress import Silent

MOST_MINUTES = 2.0
"""Of one comparison that can be decided in that time."""
FEW_MINUTES = 1 / 3
"""Of one that cannot: what it could find wrongly, it finds as readily in the first blocks as in later ones."""
MOST_SPEED_UP = 0.2
CALIBRATION_REPEATS = (20, 40, 60)
CALIBRATION_RUNS = 1000
_LOOK_AGAIN_S = 5.0
_TRIALS = "trials.jsonl"
_PLANTS = "plants.json"


@dataclass(frozen=True)
class Arm:
    """One kind of comparison."""

    planted: float
    """Part by which the new file takes longer; 0 for a file with itself."""
    max_regression: float
    wanted: int
    """Comparisons."""
    most_minutes: float
    """Of one of them."""


ARMS = (
    Arm(0.0, 0.0, 200, FEW_MINUTES),
    Arm(0.05, 0.0, 50, MOST_MINUTES),
    Arm(0.03, 0.0, 50, MOST_MINUTES),
    Arm(0.01, 0.0, 30, FEW_MINUTES),
    Arm(0.02, 0.05, 50, MOST_MINUTES),
    Arm(0.08, 0.05, 50, MOST_MINUTES),
)


@dataclass(frozen=True)
class Plant:
    """A file with planted work."""

    planted: float
    repeats: int
    measured: float
    """By which part it takes longer, by ``slow_downs``."""


@dataclass(frozen=True)
class Trial:
    """One comparison, and what was found."""

    arm: Arm
    begin: float
    """Seconds since 1970."""
    load_before: float
    """Load average of one minute when it began, before the load that it has itself."""
    load_average: float
    """When it ended."""
    found: Regression


@dataclass(frozen=True)
class Row:
    """A line of the table: a share of the trials of an arm."""

    title: str
    arm: Arm
    holds: Callable[[Trial], bool]
    required: str


def main() -> None:
    """Makes the comparisons that are missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="MobileNetV2 as ONNX; exported when not given")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no further comparison after that long"
    )
    parser.add_argument("--begin-below", type=float, default=float("inf"), help="load average at which none begins")
    parser.add_argument("--out", type=Path, default=Path("runs") / "regression-gate")
    parser.add_argument("--table", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    plants = prepare(arguments.out, arguments.model) if arguments.minutes > 0 else read_plants(arguments.out)
    while (arm := next_arm(read_trials(arguments.out))) is not None and time.monotonic() < end:
        if os.getloadavg()[0] < arguments.begin_below:
            _add_trial(arguments.out, arm)
        else:
            time.sleep(_LOOK_AGAIN_S)
    trials = read_trials(arguments.out)
    text = table(trials, plants)
    print_line(text)
    if arguments.table:
        arguments.table.write_text(text, encoding="utf-8")
    missing = sum(max(0, arm.wanted - sum(trial.arm == arm for trial in trials)) for arm in ARMS)
    if missing:
        print_message(f"{missing} comparisons are left: run the same command again")


def prepare(out: Path, model: Path | None) -> tuple[Plant, ...]:
    """Makes the files that are missing, and returns what was planted."""
    from benchmarks.slower_models import slow_downs, with_repeats

    base, again = out / "model.onnx", out / "again.onnx"
    if not base.exists():
        shutil.copyfile(model or _export(out), base)
        shutil.copyfile(base, again)
    if (out / _PLANTS).exists():
        return read_plants(out)
    tried = [out / f"{number}-repeats.onnx" for number in CALIBRATION_REPEATS]
    for file, number in zip(tried, CALIBRATION_REPEATS, strict=True):
        with_repeats(base, file, number)
    each = median(
        part / number
        for part, number in zip(slow_downs([base, *tried], CALIBRATION_RUNS)[1:], CALIBRATION_REPEATS, strict=True)
    )
    wanted = sorted({arm.planted for arm in ARMS if arm.planted})
    repeats = [max(1, round(planted / each)) for planted in wanted]
    files = [_file(out, planted) for planted in wanted]
    for file, number in zip(files, repeats, strict=True):
        with_repeats(base, file, number)
    measured = slow_downs([base, *files], CALIBRATION_RUNS)[1:]
    plants = tuple(map(Plant, wanted, repeats, measured))
    write_atomically(out / _PLANTS, TypeAdapter(tuple[Plant, ...]).dump_json(plants, indent=1))
    return plants


def read_plants(out: Path) -> tuple[Plant, ...]:
    """Reads what was planted; nothing before the files are made."""
    if not (out / _PLANTS).is_file():
        return ()
    return TypeAdapter(tuple[Plant, ...]).validate_json((out / _PLANTS).read_bytes())


def read_trials(out: Path) -> list[Trial]:
    """Reads the comparisons that are finished; a line that was not written whole is left out."""
    file = out / _TRIALS
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.is_file() else []
    return [TypeAdapter(Trial).validate_json(line) for line in lines if line.endswith("\n")]


def next_arm(trials: Sequence[Trial]) -> Arm | None:
    """Returns the kind of comparison that is farthest behind; None where all are done."""
    done = {arm: sum(trial.arm == arm for trial in trials) / arm.wanted for arm in ARMS}
    behind = min(ARMS, key=lambda arm: done[arm])
    return behind if done[behind] < 1 else None


def _add_trial(out: Path, arm: Arm) -> None:
    request = RegressionRequest(
        new=_file(out, arm.planted),
        old=out / "model.onnx",
        limits=RegressionLimits(arm.max_regression, MOST_SPEED_UP),
        most_seconds=60 * arm.most_minutes,
    )
    begin, load_before = time.time(), os.getloadavg()[0]
    with load(int(begin)):
        found = measure_regression(request, Silent())
    trial = Trial(arm, begin, load_before, os.getloadavg()[0], found)
    lines = [*map(_line, read_trials(out)), _line(trial)]
    write_atomically(out / _TRIALS, b"".join(lines))
    print_message(
        f"planted {100 * arm.planted:g} %, limit {100 * arm.max_regression:g} %: {found.outcome} after"
        f" {units.seconds(found.seconds)} and {len(found.log_ratios)} blocks, ratio {found.ratio:.3f}"
        f" ({found.low or 0:.3f} to {found.high or float('inf'):.3f}), load {trial.load_average:.1f}"
    )


def _line(trial: Trial) -> bytes:
    return json.dumps(TypeAdapter(Trial).dump_python(trial, mode="json")).encode() + b"\n"


def _file(out: Path, planted: float) -> Path:
    return out / (f"plus-{100 * planted:g}-percent.onnx" if planted else "again.onnx")


def _export(out: Path) -> Path:
    """Exports MobileNetV2, with the trained weights where the data folder has them."""
    data = default_data()
    weights = data / "weights" / "mobilenetv2_100.safetensors" if data else None
    source = ["--weights", str(weights)] if weights else ["--random-weights"]
    command = [sys.executable, "-m", "edgevit", "export", "mobilenetv2_100", *source, "--export", "onnx"]
    subprocess.run([*command, "--out", str(out / "export")], check=True)
    return out / "export" / "artifacts" / "onnxruntime" / "fp32" / "dense" / "model.onnx"


def judged_by(trial: Trial, max_regression: float) -> tuple[Decision, float]:
    """Returns what the gate would have decided by another limit on the same blocks, and after how many seconds.

    Args:
        trial: A comparison.
        max_regression: The other limit.
    """
    ratios, interval = trial.found.log_ratios, EVERYTHING
    limits = RegressionLimits(max_regression, MOST_SPEED_UP)
    seconds = trial.found.seconds - sum(trial.found.block_seconds)
    for count in range(1, len(ratios) + 1):
        interval = narrowed(interval, ratios[:count])
        seconds += trial.found.block_seconds[count - 1]
        decision = decide(interval, limits)
        if decision != "not known yet":
            return decision, seconds
    return "not known yet", seconds


def _failed(trial: Trial) -> bool:
    return trial.found.outcome == "fail"


def _passed(trial: Trial) -> bool:
    return trial.found.outcome == "pass"


def _passed_5_percent(trial: Trial) -> bool:
    return judged_by(trial, 0.05)[0] == "within the limits"


def _failed_5_percent(trial: Trial) -> bool:
    return judged_by(trial, 0.05)[0] in ("too slow", "suspiciously fast")


_AA, _FIVE, _THREE, _ONE, _TWO, _EIGHT = ARMS
ROWS = (
    Row("file with itself, limit 0 %: false alarm", _AA, _failed, "≤ 1 %"),
    Row("file with itself, limit 0 %: passes", _AA, _passed, "–"),
    Row("the same blocks, limit 5 %: false alarm", _AA, _failed_5_percent, "≤ 1 %"),
    Row("the same blocks, limit 5 %: passes", _AA, _passed_5_percent, "–"),
    Row("5 % planted, limit 0 %: found", _FIVE, _failed, "≥ 95 %"),
    Row("3 % planted, limit 0 %: found", _THREE, _failed, "≥ 80 %"),
    Row("1 % planted, limit 0 %: certified as none", _ONE, _passed, "never"),
    Row("1 % planted, limit 0 %: found", _ONE, _failed, "–"),
    Row("2 % planted, limit 5 %: passes", _TWO, _passed, "≥ 95 %"),
    Row("8 % planted, limit 5 %: fails", _EIGHT, _failed, "≥ 95 %"),
)


def table(trials: Sequence[Trial], plants: Sequence[Plant]) -> str:
    """Returns the findings in Markdown: shares with their intervals, and how long a verdict took."""
    host = host_fingerprint(1)
    before, loads = [trial.load_before for trial in trials], [trial.load_average for trial in trials]
    planted = ", ".join(
        f"{100 * plant.planted:g} % ({plant.repeats} repeats, measured {100 * plant.measured:.1f} %)"
        for plant in plants
    )
    lines = [
        "# How often the regression gate is right",
        "",
        "Written by `make bench-gate` (benchmarks/regression_gate.py): each comparison is one call of"
        " [the gate](regression-gate.md) on MobileNetV2 (float32, 224 × 224, ONNX Runtime), while another process works and rests"
        " in a changing pattern, on one core or on all, beside whatever else the machine does. Planted slow-downs are real work:"
        f" the file repeats one of its own depthwise layers, {planted}; measured means single runs that alternate in one process.",
        "",
        f"Machine: {host.cpu}, {host.cores} cores, {host.os}; ONNX Runtime {version_of('onnxruntime')}, 1 thread; at most"
        f" {60 * MOST_MINUTES:g} s for a comparison, {60 * FEW_MINUTES:g} s for one of a file with itself or of 1 %; error rate of an interval {100 * ERROR_RATE:g} %. Load average of one"
        f" minute: {_spread(before, '.1f')} when a comparison began, before its own load, none of them at {_limit(before)} or above;"
        f" {_spread(loads, '.1f')} when it ended.",
        "",
        "| comparison: what is counted | count | share | 95 % interval | required |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        group = [trial for trial in trials if trial.arm == row.arm]
        if not group:
            lines.append(f"| {row.title} | – | – | – | {row.required} |")
            continue
        count = sum(map(row.holds, group))
        interval = proportion_interval(count, len(group))
        between = f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"
        share = f"{100 * count / len(group):.1f} %"
        lines.append(f"| {row.title} | {count} of {len(group)} | {share} | {between} | {row.required} |")
    lines += [
        "",
        "| comparison | decided | seconds to a verdict, median (5 % to 95 %) | blocks, median | ratio, median (5 % to 95 %) |"
        " load average, median |",
        "|---|---|---|---|---|---|",
    ]
    for arm in ARMS:
        lines.append(_time_row(arm, [trial for trial in trials if trial.arm == arm], arm.max_regression))
    lines.append(_time_row(_AA, [trial for trial in trials if trial.arm == _AA], 0.05))
    decided = [trial.found.seconds for trial in trials if trial.found.outcome != "inconclusive"]
    lines += ["", f"All verdicts: median {_spread(decided, '.1f')} s; required ≤ 20 s."]
    return "\n".join(lines) + "\n"


def _time_row(arm: Arm, group: Sequence[Trial], max_regression: float) -> str:
    title = "file with itself" if arm.planted == 0 else f"{100 * arm.planted:g} % planted"
    title += f", limit {100 * max_regression:g} %"
    if not group:
        return f"| {title} | – | – | – | – | – |"
    found = [judged_by(trial, max_regression) for trial in group]
    seconds = [time for decision, time in found if decision != "not known yet"]
    blocks = median(len(trial.found.log_ratios) for trial in group)
    load_average = median(trial.load_average for trial in group)
    ratios = _spread([trial.found.ratio for trial in group], ".3f")
    return (
        f"| {title} | {len(seconds)} of {len(group)} | {_spread(seconds, '.1f')} | {blocks:.0f} | {ratios} |"
        f" {load_average:.1f} |"
    )


def _limit(loads: Sequence[float]) -> str:
    """The least whole number that all are below."""
    return str(int(max(loads)) + 1) if loads else "–"


def _spread(values: Sequence[float], form: str) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:{form}}"
    cuts = quantiles(values, n=20, method="inclusive")
    return f"{median(values):{form}} ({cuts[0]:{form}} to {cuts[-1]:{form}})"


if __name__ == "__main__":
    main()
