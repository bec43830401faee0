"""Calibrates this host: what kernels take in each runtime, as a device file that predictions are made from."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import get_args

from edgevit.backends import Backend, all_backends, get_backend
from edgevit.backends.onnxruntime.providers import VARIABLE, asked_provider
from edgevit.devices.calibration.fitted import FEWEST, fit_times
from edgevit.devices.calibration.timing import HostRuntime, RuntimeTimes, TimingJob, time_runtime
from edgevit.devices.device import Calibration, Cores, Device, Quantity, Unit
from edgevit.devices.runtimes import RuntimeName
from edgevit.errors import UsageError
from edgevit.measure.burst import wait_until_quiet
from edgevit.measure.conditions import activity_since, disturbances, read_counters
from edgevit.measure.emulation import emulation, refuse_emulated
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.results.measurement import Host
from edgevit.run.files import write_atomically
from edgevit.run.packages import is_installed
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
    """Runtimes or formats; all that are installed when empty."""
    seconds: float
    threads: int
    force: bool = False
    """Whether a file that exists is replaced, and a busy machine is calibrated all the same."""


def calibrate_host(asked: HostCalibration, progress: Progress) -> Device:
    """Times small networks in each runtime, fits coefficients to their times, and writes a device file.

    Args:
        asked: What to time, and where to write.
        progress: Progress callback.

    Returns:
        What was written.

    Raises:
        UsageError: the file exists or cannot be written, another provider of ONNX Runtime is asked for, a runtime is not installed, the machine is busy, or the time is too
            short; nothing is written.
    """
    _check_out(asked)
    if asked_provider() != "cpu":
        raise UsageError(f"{VARIABLE} is {asked_provider()}, and a processor is calibrated", "unset it")
    check_threads(asked.threads)
    refuse_emulated(emulation(), "calibrated")
    backends = _runtimes(asked.runtimes)
    _check_quiet(asked)
    seconds = asked.seconds / len(backends)
    found: dict[RuntimeName, RuntimeTimes] = {}
    with (
        tempfile.TemporaryDirectory(prefix="edgevit-") as folder,
        child_runner(progress, seconds + _SLACK_SECONDS) as children,
    ):
        for backend in backends:
            job = TimingJob(_name(backend), asked.threads, Path(folder), seconds)
            times = children.run(f"time {backend.title}", Task(time_runtime, job, RuntimeTimes, timing=True))
            _check_times(backend, times, asked)
            if times.busy:
                progress.message(f"{backend.title}: the machine was busy: {times.busy}; the file says so")
            found[_name(backend)] = times
    device = describe_host(asked.out, found, asked.threads)
    write_atomically(asked.out, device_toml(device).encode())
    return device


def describe_host(out: Path, found: dict[RuntimeName, RuntimeTimes], threads: int) -> Device:
    """Returns this host as a device, with the coefficients of each runtime.

    Args:
        out: File that it is for, which names it.
        found: What was timed, by runtime.
        threads: Of each inference.
    """
    host = host_fingerprint(threads)
    numerics = {"float": "float32", "int8_weights": "float32", "int8_static": "int8", "int8_dynamic": "int8"}
    unit = Unit(
        name="cpu",
        title=f"{host.cpu}, {threads} thread{'' if threads == 1 else 's'}",
        kind="cpu",
        cores=(_cores(host),),
        threads=threads,
        runtimes=tuple(found),
        numerics=numerics,  # type: ignore[arg-type]
        calibrations=tuple(_calibration(name, times, threads) for name, times in found.items()),
    )
    memory = Quantity(value=host.memory_bytes, source="this host's own report") if host.memory_bytes else None
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
        busy=times.busy or None,
        costs=fitted.costs,
    )


def _cores(host: Host) -> Cores:
    known = tuple(dict.fromkeys(_INSTRUCTIONS[flag] for flag in host.isa if flag in _INSTRUCTIONS))
    return Cores(architecture=host.cpu, count=host.cores, instructions=known, source="this host's own report")  # type: ignore[arg-type]


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


def _runtimes(names: Sequence[str]) -> tuple[Backend, ...]:
    """Returns the runtimes that were asked for, or else those that are installed."""
    known = ", ".join(backend.format for backend in all_backends())
    asked = tuple(dict.fromkeys(get_backend(name) for name in names))
    missing = [backend for backend in asked if not is_installed(backend.runtime)]
    if missing:
        raise UsageError(
            f"{missing[0].title} is not installed", f"pip install 'edgevit[{missing[0].format}]', or leave it out"
        )
    found = asked or tuple(backend for backend in all_backends() if is_installed(backend.runtime))
    if not found:
        raise UsageError("no runtime is installed", f"pip install 'edgevit[FORMAT]', where FORMAT is one of {known}")
    return found


def _check_quiet(asked: HostCalibration) -> None:
    wait_until_quiet(asked.threads, _LOOK_SECONDS)
    begin = read_counters()
    wait_until_quiet(asked.threads, 0.0)
    cores = host_fingerprint(asked.threads).cores
    found = disturbances(activity_since(begin), asked.threads, cores, None)
    if found and not asked.force:
        raise UsageError(
            f"this machine is busy: {'; '.join(map(str, found))}",
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
