"""Predictions of a calibrated host against measurements, on networks that no calibration saw: ``make bench-host``.

Exports timm models and token-reduced ones to every runtime (--models: unseen, or those that the method was chosen with; see
:data:`benchmarks.host_models.Set`), in float32 and in the int8 that a run would try first; runs
``edgevit devices calibrate``; times each file twice, each time in a fresh process, beside the reference network in the same
rounds; and compares the predicted with the measured time, both divided by the reference's. What is done is kept in --out: a
run that was stopped goes on, and a second one measures nothing anew. Files take some 15 minutes on two cores, the calibration
5, the timing 6.

    python -m benchmarks.host_predictions [--models unseen|known] [--out DIR] [--files DIR] [--device FILE] [--only NAME] [--force] [--files-only]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import get_args

from benchmarks.host_files import make_files
from benchmarks.host_models import MODELS, ModelMaker, Set
from edgevit.backends import get_backend
from edgevit.cli.terminal import make_progress, print_line, print_message, print_table
from edgevit.commands.calibrate import HostCalibration, calibrate_machine
from edgevit.devices.calibration.timing import FileTime, FileTimeJob, HostRuntime, time_file
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device, load_device
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.machine import this_machine
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task

RUNTIMES: tuple[HostRuntime, ...] = get_args(HostRuntime)
REPEATS = 2
"""Fresh processes in which each file is timed."""
TIMEOUT_SECONDS = 120.0
MINUTES = 5.0
WITHIN, LEAST_WITHIN, MOST_MEDIAN = 0.10, 0.80, 0.06
"""What has to be reached: share of the files whose prediction is so near, and the median error."""


@dataclass(frozen=True)
class Row:
    """One file."""

    model: str
    runtime: HostRuntime
    scheme: str
    """"float" or "int8"."""
    predicted: float
    """As a multiple of the reference network's time, as the next one."""
    measured: float
    predicted_ms: float
    measured_ms: float
    covered: bool
    """Whether the measured time is in the predicted interval."""

    @property
    def error(self) -> float:
        """Relative; above 0 where the prediction is too long."""
        return self.predicted / self.measured - 1


def main() -> None:
    """Makes files, calibrates, times and prints the table; exit 1 where it is less than what has to be reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", choices=get_args(Set), default="unseen")
    parser.add_argument("--out", type=Path, default=Path("runs") / "bench-host")
    parser.add_argument("--files", type=Path, help="folder of the exported files; OUT/files-MODELS when not given")
    parser.add_argument("--device", type=Path, help="file of devices calibrate; OUT/host.toml when not given")
    parser.add_argument("--only", help="models whose names begin so")
    parser.add_argument("--force", action="store_true", help="calibrate even a busy machine")
    parser.add_argument("--files-only", action="store_true", help="make the files and end")
    parser.add_argument("--no-export", action="store_true", help="take only files that were made before")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = arguments.files or arguments.out / f"files-{arguments.models}"
    if not arguments.no_export:
        _make_files(MODELS[arguments.models], folder, arguments.only)
    if arguments.files_only:
        return
    device = _device(arguments.device or arguments.out / "host.toml", arguments.force)
    times = _times(_files(folder, arguments.only), arguments.out / "times.json")
    rows = list(_rows(device, times))
    (arguments.out / f"rows-{arguments.models}.json").write_text(
        json.dumps([{**asdict(row), "error": row.error} for row in rows], indent=1)
    )
    raise SystemExit(0 if _print(rows) else 1)


def _make_files(models: Mapping[str, ModelMaker], folder: Path, only: str | None) -> None:
    for name, make in models.items():
        if only is None or name.startswith(only):
            try:
                list(make_files({name: make}, folder))
            except (CandidateFailed, UsageError, RuntimeError, ValueError) as error:
                print_message(f"{name}: {str(error).splitlines()[0]}")


def _files(folder: Path, only: str | None) -> Iterator[Path]:
    """Yields main files in folders such as "resnet18.litert.int8"."""
    for place in sorted(folder.glob(f"{only or ''}*.*.*")):
        if place.suffix in (".float", ".int8"):
            suffix = get_backend(place.name.split(".")[1]).suffix
            yield from place.glob(f"model{suffix}")


def _device(path: Path, force: bool) -> Device:
    if not path.exists():
        with make_progress() as progress:
            calibrate_machine(HostCalibration(path, (), 60 * MINUTES, 1, force), this_machine(1), progress)
    return load_device(str(path))


def _times(files: Iterable[Path], kept: Path) -> dict[Path, list[FileTime]]:
    """Times what is not among the times that were kept; all files once, then all of them again."""
    every = list(files)
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for repeat in range(REPEATS):
        for at, file in enumerate(every):
            found = known.setdefault(str(file.absolute()), [])
            if len(found) > repeat:
                continue
            precision = "f32" if _scheme(file) == "float" else "fastest"
            job = FileTimeJob(_runtime(file), file.absolute(), precision, 1, kept.parent)
            task = Task(time_file, job, FileTime, timing=True)
            print_message(f"time {file.parent.name} ({at + 1} of {len(every)}, pass {repeat + 1})")
            try:
                time = run_in_child(task, timeout_seconds=TIMEOUT_SECONDS, log=kept.with_name("log"))
            except (CandidateFailed, UsageError) as error:
                print_message(f"{file.parent.name}: {str(error).splitlines()[0]}")
                continue
            found.append({"relative": time.relative, "ms": time.ms})
            kept.write_text(json.dumps(known, indent=1))
    return {
        file: [FileTime(tuple(each["relative"]), each["ms"]) for each in known[str(file.absolute())]] for file in every
    }


def _rows(device: Device, times: dict[Path, list[FileTime]]) -> Iterator[Row]:
    (unit,) = device.units
    reference_ms = {each.runtime: each.reference_ms for each in unit.calibrations}
    for file, found in times.items():
        runtime = _runtime(file)
        if not found or runtime not in reference_ms:
            continue
        latency = predict_latency(get_backend(runtime).read_graph(file), device).latency_ms
        if latency is None:
            continue
        measured = median(each for time in found for each in time.relative)
        unit_ms = reference_ms[runtime]
        yield Row(
            model=file.parent.name.split(".")[0],
            runtime=runtime,
            scheme=_scheme(file),
            predicted=latency.p50 / unit_ms,
            measured=measured,
            predicted_ms=latency.p50,
            measured_ms=median(time.ms for time in found),
            covered=latency.low <= measured * unit_ms <= latency.high,
        )


def _runtime(file: Path) -> HostRuntime:
    name = file.parent.name.split(".")[1]
    return next(runtime for runtime in RUNTIMES if runtime == name)


def _scheme(file: Path) -> str:
    return file.parent.suffix.removeprefix(".")


def _print(rows: Sequence[Row]) -> bool:
    """Prints the table and what was reached, and returns whether that is enough."""
    columns = [(runtime, scheme) for runtime in RUNTIMES for scheme in ("float", "int8")]
    by_place = {(row.model, row.runtime, row.scheme): row for row in rows}
    table = []
    for model in dict.fromkeys(row.model for row in rows):
        cells = [by_place.get((model, *column)) for column in columns]
        table.append((model, *("–" if row is None else f"{row.predicted_ms:.1f} {row.error:+.0%}" for row in cells)))
    print_table(("model: predicted ms, error", *(f"{runtime} {scheme}" for runtime, scheme in columns)), table)
    if not rows:
        print_line("nothing was measured")
        return False
    errors = [abs(row.error) for row in rows]
    within = sum(error <= WITHIN for error in errors) / len(errors)
    covered = sum(row.covered for row in rows) / len(rows)
    print_line(
        f"{len(rows)} files of {len(table)} models: {within:.0%} within 10 % (at least {LEAST_WITHIN:.0%}), median error"
        f" {median(errors):.1%} (at most {MOST_MEDIAN:.0%}); intervals hold {covered:.0%}"
    )
    return within >= LEAST_WITHIN and median(errors) <= MOST_MEDIAN


if __name__ == "__main__":
    main()
