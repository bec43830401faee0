"""Calibrates a machine: what kernels take in each runtime, as a device file that predictions are made from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

from edgevit.backends import Backend, all_backends, get_backend
from edgevit.backends.onnxruntime.providers import VARIABLE, asked_provider
from edgevit.devices.calibration.fitted import FEWEST, fit_times
from edgevit.devices.calibration.quiet import Quiet, QuietJob, look_whether_quiet
from edgevit.devices.calibration.timing import HostRuntime, RuntimeTimes, TimingJob, time_runtime
from edgevit.devices.device import CALIBRATED_FEATURES, Calibration, Cores, Device, Quantity, Unit
from edgevit.devices.runtimes import RuntimeName
from edgevit.errors import UsageError
from edgevit.measure.emulation import refuse_emulated
from edgevit.measure.machine import Machine
from edgevit.results.measurement import Host
from edgevit.run.files import write_atomically
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.toml_files import validate
from edgevit.spec.write_toml import to_toml
from edgevit.version import __version__

MOST_DRIFT = 0.5
"""Width of the middle half of the reference's times, as a share: a machine that drifts by more is refused."""
_LOOK_SECONDS = 2.0
"""How long the machine may take to become quiet before the first network."""
_SLACK_SECONDS = 120.0
"""For imports, the last network and the fit, on top of what a runtime may take."""
_INSTRUCTIONS = {
    "asimd": "neon", "fphp": "fp16", "asimdhp": "fp16", "asimddp": "dotprod", "i8mm": "i8mm", "sve2": "sve2", "avx2": "avx2",
    "avx_vnni": "avx_vnni", "avx512f": "avx512", "avx512_vnni": "avx512_vnni", "amx_int8": "amx", "bf16": "bf16",
    "avx512_bf16": "bf16",
}  # fmt: skip
"""Names of device files for what ``/proc/cpuinfo`` names."""


@dataclass(frozen=True)
class HostCalibration:
    """What is asked."""

    out: Path
    """Device file to write."""
    runtimes: tuple[str, ...]
    """Runtimes or formats; all that are installed there when empty."""
    seconds: float
    threads: int
    force: bool = False
    """Whether a file that exists is replaced, and a busy machine is calibrated all the same."""


def check_calibration(asked: HostCalibration) -> tuple[Backend, ...]:
    """Checks what is asked, as far as no machine is needed for it.

    Returns:
        The backends that are named; all when none is.

    Raises:
        UsageError: the file exists or cannot be written, there is no such runtime, or another provider of ONNX Runtime is asked for.
    """
    _check_out(asked)
    if asked_provider() != "cpu":
        raise UsageError(f"{VARIABLE} is {asked_provider()}, and a processor is calibrated", "unset it")
    return tuple(dict.fromkeys(get_backend(name) for name in asked.runtimes)) or all_backends()


def calibrate_machine(asked: HostCalibration, machine: Machine, progress: Progress) -> Device:
    """Times small networks in each runtime of a machine, fits coefficients to their times, and writes a device file.

    Args:
        asked: What to time, and where to write.
        machine: This one, or a board.
        progress: Progress callback.

    Returns:
        What was written.

    Raises:
        UsageError: see :func:`check_calibration`; or a runtime is not installed there, the machine is emulated or busy, or the time is
            too short; nothing is written.
    """
    backends = _usable(asked, check_calibration(asked), machine)
    refuse_emulated(machine.emulated, "calibrated")
    seconds = asked.seconds / len(backends)
    found: dict[RuntimeName, RuntimeTimes] = {}
    with (
        machine.scratch() as folder,
        child_runner(progress, seconds + _SLACK_SECONDS, machine.start) as children,
    ):
        look = Task(look_whether_quiet, QuietJob(asked.threads, _LOOK_SECONDS), Quiet)
        _check_quiet(asked, machine, children.run("look whether it is quiet", look))
        for backend in backends:
            job = TimingJob(_name(backend), asked.threads, folder, seconds)
            times = children.run(f"time {backend.title}", Task(time_runtime, job, RuntimeTimes, timing=True))
            _check_times(backend, times, asked)
            if times.busy:
                progress.message(f"{backend.title}: the machine was busy: {times.busy}; the file says so")
            found[_name(backend)] = times
    device = describe_machine(asked.out, found, replace(machine.host, threads=asked.threads))
    write_atomically(asked.out, device_toml(device).encode())
    return device


def describe_machine(out: Path, found: dict[RuntimeName, RuntimeTimes], host: Host) -> Device:
    """Returns a machine as a device, with the coefficients of each runtime.

    Args:
        out: File that it is for, which names it.
        found: What was timed, by runtime.
        host: The machine, with the threads of each inference.
    """
    numerics = {"float": "float32", "int8_weights": "float32", "int8_static": "int8", "int8_dynamic": "int8"}
    unit = Unit(
        name="cpu",
        title=f"{host.cpu}, {host.threads} thread{'' if host.threads == 1 else 's'}",
        kind="cpu",
        cores=(_cores(host),),
        threads=host.threads,
        runtimes=tuple(found),
        numerics=numerics,  # type: ignore[arg-type]
        calibrations=tuple(_calibration(name, times, host.threads) for name, times in found.items()),
    )
    memory = Quantity(value=host.memory_bytes, source="the machine's own report") if host.memory_bytes else None
    return Device(
        name=device_name(out),
        title=f"{host.cpu} with {host.cores} cores, {host.os}",
        kind="computer",
        about="Written by edgevit devices calibrate: predictions are for this machine as it was then.",
        memory_bytes=memory,
        units=(unit,),
        sources=("measured on the machine itself",),
    )


def device_toml(device: Device) -> str:
    """Returns the text of a device file, which reads back as the same device."""
    document = device.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    text = to_toml(document)
    validate(Device, document, "device")
    return text


def device_name(out: Path) -> str:
    """Returns a device's name from that of its file: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", out.stem.lower()).strip("-") or "host"


def _calibration(runtime: RuntimeName, times: RuntimeTimes, threads: int) -> Calibration:
    fitted = fit_times(times.networks)
    return Calibration(
        runtime=runtime,
        runtime_version=times.runtime_version,
        threads=threads,
        date=datetime.now(timezone.utc).date().isoformat(),
        edgevit_version=__version__,
        networks=len({network.name for network in times.networks}),
        reference_ms=float(f"{times.reference_ms:.5g}"),
        reference_drift=float(f"{times.drift:.3g}"),
        median_error=float(f"{fitted.median_error:.3g}"),
        half_width=float(f"{fitted.half_width:.3g}"),
        features=CALIBRATED_FEATURES,
        busy=times.busy or None,
        costs=fitted.costs,
    )


def _cores(host: Host) -> Cores:
    known = tuple(dict.fromkeys(_INSTRUCTIONS[flag] for flag in host.isa if flag in _INSTRUCTIONS))
    return Cores(architecture=host.cpu, count=host.cores, instructions=known, source="the machine's own report")  # type: ignore[arg-type]


def _check_out(asked: HostCalibration) -> None:
    out = asked.out
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder", f"name a file in it: --out {out / 'my-host.toml'}")
    if out.suffix != ".toml":
        raise UsageError(f"--out {out} does not end in .toml", f"--out {out.with_suffix('.toml')}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}", "make it first, or choose another --out")
    if out.exists() and not asked.force:
        raise UsageError(f"{out} exists", "choose another --out, or replace it with --force")


def _usable(asked: HostCalibration, backends: tuple[Backend, ...], machine: Machine) -> tuple[Backend, ...]:
    """Those of the backends that the machine has; where some were asked for, it has to have them all."""
    missing = [backend for backend in backends if machine.lacks(backend)]
    if asked.runtimes and missing:
        install = (
            f"pip install 'edgevit[{missing[0].format}]'"
            if machine.is_here
            else f"pip install {missing[0].runtime} there"
        )
        raise UsageError(machine.lacks(missing[0]), f"{install}, or leave it out of --runtimes")
    found = tuple(backend for backend in backends if backend not in missing)
    if not found:
        known = ", ".join(backend.format for backend in all_backends())
        raise UsageError("no runtime is installed", f"pip install 'edgevit[FORMAT]', where FORMAT is one of {known}")
    return found


def _check_quiet(asked: HostCalibration, machine: Machine, found: Quiet) -> None:
    if found.busy and not asked.force:
        raise UsageError(
            f"{'this machine' if machine.is_here else machine.shown} is busy: {found.busy}",
            "end what else runs, or calibrate all the same with --force: the file then says so",
        )


def _check_times(backend: Backend, times: RuntimeTimes, asked: HostCalibration) -> None:
    if len(times.networks) < FEWEST:
        raise UsageError(
            f"the time allowed {len(times.networks)} networks in {backend.title}, and {FEWEST} are the fewest that are fitted",
            "give more --minutes, or fewer --runtimes",
        )
    if times.drift > MOST_DRIFT and not asked.force:
        raise UsageError(
            f"this machine drifts: half of the reference's times in {backend.title} were {times.drift:.0%} apart",
            "end what else runs, fix the clock, or calibrate all the same with --force",
        )


def _name(backend: Backend) -> HostRuntime:
    return next(name for name in get_args(HostRuntime) if name == backend.name)
