"""What single transformer blocks cost on a target: measured interleaved on this host, or predicted for a device.

Runs in child processes (see :mod:`edgevit.run.child_process`): one exports, another, which has imported no converter,
measures.
"""

from __future__ import annotations

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device
from edgevit.errors import CandidateFailed
from edgevit.measure.bench import milliseconds, noise_call
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.token_search import BlockPoint, SitePoint
from edgevit.run.child_process import report_progress

MOST_ROUNDS = 100
_WARMUP_ROUNDS = 5
_LEAST_ROUNDS = 30
_UNCHANGED_ROUNDS = 20
"""Rounds after which no block was faster than before by more than ``_FASTER``: it has been seen undisturbed."""
_FASTER = 0.003


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
class ExportBlocksJob:
    """Blocks to export as float32."""

    backend: str
    programs: tuple[Path, ...]
    folder: Path
    """For a folder of each; what is left there is deleted first."""


@dataclass(frozen=True)
class ExportedBlocks:
    """Exported blocks on disk."""

    artifacts: tuple[Path, ...]
    """Main files, in the order of the programs."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All of their files."""
        return tuple(file for artifact in self.artifacts for file in sorted(artifact.parent.iterdir()))


@dataclass(frozen=True)
class TimeBlocksJob:
    """Exported blocks to time on this host."""

    backend: str
    artifacts: tuple[Path, ...]
    threads: int
    most_rounds: int = MOST_ROUNDS


@dataclass(frozen=True)
class PredictBlocksJob:
    """Exported blocks to predict the time of."""

    backend: str
    artifacts: tuple[Path, ...]
    programs: tuple[BlockProgram, ...]
    """What they were exported from."""
    device: Device


@dataclass(frozen=True)
class BlockTimes:
    """Times of blocks."""

    milliseconds: tuple[float | None, ...]
    """In the order that was asked for; None for a site that the device cannot run."""


def export_blocks(job: ExportBlocksJob) -> ExportedBlocks:
    """Exports every block as float32."""
    from edgevit.model.program.capture import load_program

    backend, artifacts = get_backend(job.backend), []
    for number, program in enumerate(job.programs, start=1):
        folder = job.folder / program.stem
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        artifacts.append(backend.export(load_program(program), folder))
        report_progress(number, len(job.programs))
    return ExportedBlocks(tuple(artifacts))


def time_blocks(job: TimeBlocksJob) -> BlockTimes:
    """Tells the fastest run of each block; they take turns, so that all see the same drift of the host.

    Ends when no block has been faster than before for some rounds.
    """
    backend = get_backend(job.backend)
    calls = [noise_call(backend.open_session(file, job.threads, "f32")) for file in job.artifacts]
    gc.collect()
    for call in calls * _WARMUP_ROUNDS:
        call()
    fastest = [float("inf")] * len(calls)
    unchanged = 0
    for done in range(job.most_rounds):
        if done >= _LEAST_ROUNDS and unchanged >= _UNCHANGED_ROUNDS:
            break
        unchanged += 1
        for place, call in enumerate(calls):
            ms = milliseconds(call)
            if ms < fastest[place] * (1 - _FASTER):
                unchanged = 0
            fastest[place] = min(fastest[place], ms)
    return BlockTimes(tuple(fastest))


def predict_blocks(job: PredictBlocksJob) -> BlockTimes:
    """Tells what a device's cost model predicts for each block.

    Raises:
        CandidateFailed: the device cannot run a block, or no site.
    """
    backend = get_backend(job.backend)
    found, missing = list[float | None](), set[str]()
    for program, file in zip(job.programs, job.artifacts, strict=True):
        prediction = predict_latency(backend.read_graph(file), job.device)
        if prediction.latency_ms is None and not program.method:
            raise CandidateFailed(f"{job.device.name} cannot run a block: {', '.join(prediction.unsupported_ops)}")
        missing |= set(prediction.unsupported_ops)
        found.append(prediction.latency_ms.p50 if prediction.latency_ms else None)
    sites = [ms for program, ms in zip(job.programs, found, strict=True) if program.method]
    if sites and all(ms is None for ms in sites):
        raise CandidateFailed(f"{job.device.name} cannot run what reduces tokens: {', '.join(sorted(missing))}")
    return BlockTimes(tuple(found))


def to_curve(programs: tuple[BlockProgram, ...], times: BlockTimes) -> BlockCurve:
    """Tells the time of blocks from that of sites in them.

    Of the forms of a site the faster one counts; a site that seems to cost less than nothing costs nothing.

    Args:
        programs: Blocks without and with sites.
        times: Of each program.
    """
    pairs = [(program, ms) for program, ms in zip(programs, times.milliseconds, strict=True) if ms is not None]
    plain = sorted((program.tokens, ms) for program, ms in pairs if not program.method)
    curve = BlockCurve(tuple(BlockPoint(tokens, ms) for tokens, ms in plain), ())
    fastest: dict[tuple[str, int], SitePoint] = {}
    for program, ms in pairs:
        if program.method:
            without = (curve.block_ms(program.tokens) + curve.block_ms(program.after)) / 2
            site = SitePoint(program.method, program.tokens, max(0.0, ms - without), program.form)
            key = (program.method, program.tokens)
            fastest[key] = min(fastest.get(key, site), site, key=lambda point: point.ms)
    return BlockCurve(curve.blocks, tuple(fastest[key] for key in sorted(fastest)))
