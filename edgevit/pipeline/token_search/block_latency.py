"""What single transformer blocks cost on a target: measured interleaved on this host, or predicted for a device.

Runs in a child process (see :mod:`edgevit.run.child_process`).
"""

from __future__ import annotations

import gc
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import Backend, get_backend
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device
from edgevit.errors import CandidateFailed
from edgevit.measure.bench import milliseconds, noise_call
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.token_search import BlockPoint, SitePoint
from edgevit.run.child_process import report_progress

ROUNDS = 100
_WARMUP_ROUNDS = 5


@dataclass(frozen=True)
class BlockProgram:
    """A captured block on disk."""

    file: Path
    tokens: int
    """That enter."""
    after: int
    """That leave."""
    method: str = ""
    """How they become fewer; none in a block without a site."""
    form: str = ""
    """Of the site's graph."""


@dataclass(frozen=True)
class BlockLatencyJob:
    """Blocks to time."""

    backend: str
    programs: tuple[BlockProgram, ...]
    folder: Path
    """For the exported blocks; is deleted at the end."""
    threads: int
    device: Device | None
    """Predict for this device instead of measuring on this host."""
    rounds: int = ROUNDS


def block_latency(job: BlockLatencyJob) -> BlockCurve:
    """Exports every block as float32 and tells its time, and that of a site in it.

    Raises:
        CandidateFailed: the device cannot run a block, or no site.
    """
    backend = get_backend(job.backend)
    shutil.rmtree(job.folder, ignore_errors=True)
    try:
        files = _export(job, backend)
        milliseconds = _predicted(backend, files, job) if job.device else _measured(backend, files, job)
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)
    return to_curve(job.programs, milliseconds)


def _export(job: BlockLatencyJob, backend: Backend) -> list[Path]:
    from edgevit.model.program.capture import load_program

    files = []
    for number, program in enumerate(job.programs):
        folder = job.folder / program.file.stem
        folder.mkdir(parents=True)
        files.append(backend.export(load_program(program.file), folder))
        report_progress(number + 1, len(job.programs) + 1)
    gc.collect()  # what exporters hold
    return files


def _predicted(backend: Backend, files: list[Path], job: BlockLatencyJob) -> list[float]:
    """Milliseconds of each block; infinite for a site that the device cannot run, as where it has no TopK."""
    assert job.device is not None
    found, missing = [], set[str]()
    for program, file in zip(job.programs, files, strict=True):
        prediction = predict_latency(backend.read_graph(file), job.device)
        if prediction.latency_ms is None and not program.method:
            raise CandidateFailed(f"{job.device.name} cannot run a block: {', '.join(prediction.unsupported_ops)}")
        missing |= set(prediction.unsupported_ops)
        found.append(prediction.latency_ms.p50 if prediction.latency_ms else math.inf)
    if all(math.isinf(ms) for program, ms in zip(job.programs, found, strict=True) if program.method):
        raise CandidateFailed(f"{job.device.name} cannot run what reduces tokens: {', '.join(sorted(missing))}")
    return found


def _measured(backend: Backend, files: list[Path], job: BlockLatencyJob) -> list[float]:
    """Fastest run of each block, in milliseconds; interleaved, so that all see the same drift of the host."""
    calls = [noise_call(backend.open_session(file, job.threads, "f32")) for file in files]
    for call in calls * _WARMUP_ROUNDS:
        call()
    fastest = [float("inf")] * len(calls)
    for _ in range(job.rounds):
        for place, call in enumerate(calls):
            fastest[place] = min(fastest[place], milliseconds(call))
    return fastest


def to_curve(programs: tuple[BlockProgram, ...], milliseconds: list[float]) -> BlockCurve:
    """Tells the time of blocks from that of sites in them.

    Of the forms of a site the faster one counts; a site that seems to cost less than nothing costs nothing.

    Args:
        programs: Blocks without and with sites.
        milliseconds: Of each program; infinite for a site that cannot run.
    """
    pairs = list(zip(programs, milliseconds, strict=True))
    plain = sorted((program.tokens, ms) for program, ms in pairs if not program.method)
    curve = BlockCurve(tuple(BlockPoint(tokens, ms) for tokens, ms in plain), ())
    fastest: dict[tuple[str, int], SitePoint] = {}
    for program, ms in pairs:
        if program.method and math.isfinite(ms):
            without = (curve.block_ms(program.tokens) + curve.block_ms(program.after)) / 2
            site = SitePoint(program.method, program.tokens, max(0.0, ms - without), program.form)
            key = (program.method, program.tokens)
            fastest[key] = min(fastest.get(key, site), site, key=lambda point: point.ms)
    return BlockCurve(curve.blocks, tuple(fastest[key] for key in sorted(fastest)))
