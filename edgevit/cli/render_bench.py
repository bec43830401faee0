"""What ``edgevit bench`` measured, as text on stdout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.cli.terminal import print_line, print_table

_MOST_KERNELS = 12

if TYPE_CHECKING:
    from edgevit.commands.image_pipeline import PipelineLatency
    from edgevit.measure.sustained import SustainedLatency
    from edgevit.results.comparison import Comparison, TimedFile
    from edgevit.results.machine_state import MachineConditions
    from edgevit.results.measurement import Interval, Measurement
    from edgevit.results.op_times import OpTimes


def print_measurement(artifact: Path, measurement: Measurement, machine: str) -> None:
    """Prints the measurement of one artifact; ``machine`` is where it was taken, such as "this host"."""
    latency, conditions = measurement.latency_ms, measurement.conditions
    rows = [
        ("latency p50", units.milliseconds(latency.p50)),
        ("latency p90", units.milliseconds(latency.p90)),
        ("latency p99", units.milliseconds(latency.p99)),
        ("latency min", units.milliseconds(latency.min)),
        *_batch_rows(conditions.batch, latency.p50),
        ("load", units.milliseconds(measurement.load_ms)),
        ("first run", units.milliseconds(measurement.first_run_ms)),
        ("process memory, peak", units.size(measurement.peak_rss_bytes)),
        ("memory over the empty runtime", units.size(measurement.rss_delta_bytes)),
        *_energy_rows(conditions.machine),
        ("runs", str(conditions.runs)),
        ("threads", _threads(measurement.threads, conditions.note)),
        (
            "runtime",
            f"{conditions.runtime} {conditions.runtime_version}, {conditions.delegate}, {conditions.precision}",
        ),
    ]
    print_table((_name(artifact, conditions.batch), f"measured on {machine}"), rows, numeric=(1,))
    _print_conditions(conditions.unstable, conditions.not_judged, conditions.machine)
    _print_emulated(conditions.emulated)


def print_comparison(comparison: Comparison, machine: str) -> None:
    """Prints files that were timed alternately, the fastest first; ``machine`` is where, such as "this host"."""
    batches = {file.latency.batch for file in comparison.files}
    rows = [_row(file, per_image=batches != {1}) for file in comparison.files]
    titles = ["file", "p50", "95 % interval", *(["per image", "throughput"] if batches != {1} else [])]
    titles += ["speed-up over the first", "95 % interval", "", "conditions"]
    print_table(titles, rows, numeric=range(1, len(titles) - 2))
    print_line()
    (fastest, *others), threads = comparison.files, _threads(comparison.threads, comparison.note)
    tied = [str(file.artifact) for file in others if file.tied]
    print_line(f"fastest: {fastest.artifact}" + (f", tied with {', '.join(tied)}" if tied else ""))
    rounds = len(fastest.latency.bursts_ms)
    print_line(f"{rounds} rounds on {machine}, each file in a fresh process in each; threads: {threads}")
    for file in comparison.unstable:
        print_line(f"unstable: {file.artifact}: {file.latency.unstable}")
    for reason in dict.fromkeys(file.latency.not_judged for file in comparison.files if file.latency.not_judged):
        print_line(f"not judged, for this system does not report it: {reason}")
    for file in comparison.files:
        _print_changes(file.latency.machine, file.latency.unstable, f"{file.artifact}: ")
    state = fastest.latency.machine
    if state:
        from edgevit.report.machine_text import machine_text

        print_line(f"conditions: {machine_text(state)}")
    _print_emulated(fastest.latency.emulated)


def print_sustained(artifact: Path, found: SustainedLatency, machine: str) -> None:
    """Prints how the latency of one artifact changed during a long run on a machine, such as "this host"."""
    clock = found.clock_drift
    rows = [
        ("seconds", str(len(found.windows))),
        ("p50 in the first tenth", units.milliseconds(found.first_ms)),
        ("throttled p50" if found.throttled else "p50 in the last tenth", units.milliseconds(found.last_ms)),
        ("change", f"{100 * found.drift:+.1f} %"),
        ("slowest second", units.milliseconds(max(window.p50_ms for window in found.windows))),
        ("clock", "not reported by this system" if clock is None else f"{100 * clock:+.1f} %"),
        ("runs", str(sum(window.runs for window in found.windows))),
        ("threads", str(found.threads)),
    ]
    print_table((_name(artifact, found.batch), f"long run on {machine}"), rows, numeric=(1,))
    print_line()
    stretches = [
        (
            f"{each.begin_s:.0f} to {each.end_s:.0f} s",
            f"{each.images_per_second:.1f}",
            units.milliseconds(each.p50_ms),
            "–" if each.clock_mhz is None else f"{each.clock_mhz:.0f} MHz",
        )
        for each in found.stretches
    ]
    print_table(("time", "images/s", "p50", "clock"), stretches, numeric=(1, 2, 3))
    print_line()
    _print_conditions(found.unstable, "", found.machine)
    _print_emulated(found.emulated)
    if found.throttled:
        print_line(
            f"throttled: {100 * found.drift:.0f} % slower at the end, the clock {-100 * (clock or 0.0):.0f} % lower"
        )


def sustained_document(found: SustainedLatency) -> dict[str, Any]:
    """Returns the JSON document of a long run: its windows, with what follows from them."""
    from edgevit.results.document import to_document

    return {
        "first_ms": found.first_ms,
        "last_ms": found.last_ms,
        "drift": found.drift,
        "clock_drift": found.clock_drift,
        "throttled": found.throttled,
        "unstable": found.unstable,
        "images_per_second": list(found.images_per_second),
        "stretches": [to_document(each) for each in found.stretches],
        **to_document(found),
    }


def print_pipeline(artifact: Path, found: PipelineLatency) -> None:
    """Prints how long each step takes from the encoded image to the outputs of one artifact."""
    times = found.times
    steps = [
        (step.name, units.milliseconds(step.p50_ms), _between(step.interval_ms), units.percent(step.share))
        for step in times.steps
    ]
    rows = [*steps, ("end to end", units.milliseconds(times.p50_ms), _between(times.interval_ms), "")]
    print_table((artifact.name, "p50", "95 % interval", "share"), rows, numeric=(1, 2, 3))
    rate = times.images_per_second_interval
    print_line(
        f"{times.images_per_second:.1f} images/s end to end ({rate.low:.1f} to {rate.high:.1f}), one after another"
    )
    if found.inferences_per_image != 1:
        print_line(f"{found.inferences_per_image:.4g} tiles an image, fed one by one")
    print_line(f"{times.runs} runs on images of {found.images}; threads: {found.threads}; measured on this host")
    _print_conditions(found.unstable, found.not_judged, found.machine)


def print_op_times(artifact: Path, found: OpTimes) -> None:
    """Prints where the time of one inference goes: by op family, then by kernel."""
    families = [
        (family.kind.replace("_", " "), str(family.count), units.milliseconds(family.ms), units.percent(family.share))
        for family in found.families
    ]
    print_table((artifact.name, "ops", "time", "share"), families, numeric=(1, 2, 3))
    print_line()
    kernels = [
        (op.native, op.kind.replace("_", " "), str(op.count), units.milliseconds(op.ms))
        for op in found.ops[:_MOST_KERNELS]
    ]
    print_table(("kernel", "family", "ops", "time"), kernels, numeric=(2, 3))
    hidden = len(found.ops) - len(kernels)
    if hidden:
        print_line(f"and {hidden} kernels of less time: --json has all")
    print_line(f"sum of all ops: {units.milliseconds(found.sum_ms)}; without the profiler:"
               f" {units.milliseconds(found.fastest_ms)} at best, p50 {units.milliseconds(found.p50_ms)}; threads: {found.threads}, {found.precision}")  # fmt: skip
    print_line(f"measured by {found.profiler}")


def _row(file: TimedFile, *, per_image: bool) -> tuple[str, ...]:
    latency = file.latency
    per_image_cells = (
        units.milliseconds(latency.p50_ms / latency.batch),
        f"{latency.images_per_second:.0f} images/s",
    )
    return (
        f"{file.artifact}" + (f" (batch {latency.batch})" if latency.batch != 1 else ""),
        units.milliseconds(latency.p50_ms),
        _between(latency.interval_ms),
        *(per_image_cells if per_image else ()),
        units.ratio(file.speed_up),
        f"{file.speed_up_interval.low:.2f} to {file.speed_up_interval.high:.2f}",
        "tied" if file.tied else "",
        "unstable" if latency.unstable else "stable",
    )


def _between(interval_ms: Interval) -> str:
    return f"{units.milliseconds(interval_ms.low)} to {units.milliseconds(interval_ms.high)}"


def _name(artifact: Path, batch: int) -> str:
    return artifact.name + (f", batch {batch}" if batch != 1 else "")


def _batch_rows(batch: int, p50_ms: float) -> list[tuple[str, str]]:
    if batch == 1:
        return []
    return [
        ("p50 per image", units.milliseconds(p50_ms / batch)),
        ("throughput", f"{1000 * batch / p50_ms:.0f} images/s"),
    ]


def _threads(threads: int, note: str) -> str:
    return note or str(threads)


def _print_emulated(reason: str) -> None:
    if reason:
        print_line(f"emulated: {reason}; these times say nothing about a board, and gate refuses them")


def _energy_rows(machine: MachineConditions | None) -> list[tuple[str, str]]:
    from edgevit.report.machine_text import energy_text

    return [("energy of a run", energy_text(machine))] if machine and machine.energy else []


def _print_conditions(unstable: str, not_judged: str, machine: MachineConditions | None) -> None:
    from edgevit.report.machine_text import energy_text, machine_text

    print_line(f"unstable: {unstable}" if unstable else "stable: no other work disturbed it")
    if not_judged:
        print_line(f"not judged, for this system does not report it: {not_judged}")
    if machine:
        _print_changes(machine, unstable)
        print_line(f"conditions: {machine_text(machine)}")
        if not machine.energy:
            print_line(f"energy {energy_text(machine)}")


def _print_changes(machine: MachineConditions | None, unstable: str, of: str = "") -> None:
    """Prints what changed of a machine, as far as that is not said yet.

    Args:
        machine: None where it was not recorded.
        unstable: What was said.
        of: What was measured on it, such as "a.onnx: ".
    """
    changed = [each for each in machine.changed if each not in unstable] if machine else []
    if changed:
        print_line(f"conditions changed: {of}{'; '.join(changed)}")
