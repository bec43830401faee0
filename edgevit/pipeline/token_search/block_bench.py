"""Measures the blocks of a model for one backend on one target, or predicts them: those that are asked for, each made once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.backends import Backend
from edgevit.devices.device import Device
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.tasks import artifact_files
from edgevit.pipeline.token_search.block_latency import (
    BlockProgram,
    BlockTimes,
    ExportBlocksJob,
    ExportedBlocks,
    PredictBlocksJob,
    TimeBlocksJob,
    export_blocks,
    predict_blocks,
    time_blocks,
    to_curve,
)
from edgevit.pipeline.token_search.parts import Parts, capture_block
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.measurement import HOST
from edgevit.run.task import Task
from edgevit.spec.token_plan import Form


class BlockBench:
    """Blocks of one model for one backend on one target, with what is known about their times."""

    def __init__(self, context: RunContext, parts: Parts, backend: Backend, device: Device | None) -> None:
        self._context, self._parts, self._backend, self._device = context, parts, backend, device
        self._artifacts: dict[BlockProgram, Path] = {}

    def block(self, tokens: int) -> BlockProgram:
        """Returns the block without a site, which so many tokens go through."""
        return BlockProgram(self._file(f"{tokens}"), tokens, tokens)

    def site(self, counts: tuple[int, int], method: str, form: Form) -> BlockProgram:
        """Returns the block with a site.

        Args:
            counts: Tokens that enter and leave.
            method: By which they become fewer.
            form: Of its graph.
        """
        before, after = counts
        return BlockProgram(self._file(f"{before}-{after}-{method}-{form}"), before, after, method, form)

    def _file(self, name: str) -> Path:
        """Where a program is written; it is the same for all backends."""
        return self._context.stages.folder.work(f"blocks/{name}.pt2")

    def measure(self, programs: Sequence[BlockProgram]) -> BlockCurve:
        """Returns the times of these blocks and of all before, measured in turn.

        Raises:
            CandidateFailed: a block could not be exported, or cannot run on the target.
        """
        new = tuple(program for program in programs if program not in self._artifacts)
        which = " ".join(str(program.tokens) for program in new if not program.method)
        for program in new:
            self._capture(program)
        self._artifacts |= zip(new, self._export(new, which).artifacts, strict=True)
        return to_curve(tuple(self._artifacts), self._times(which))

    def _capture(self, program: BlockProgram) -> None:
        stage = f"token search: capture block {program.file.stem}"
        capture_block_here = lambda: _captured(self._parts, program)  # noqa: E731
        self._context.stages.run(stage, BlockProgram, capture_block_here, lambda made: (made.file,))

    def _export(self, programs: tuple[BlockProgram, ...], which: str) -> ExportedBlocks:
        files, name = tuple(program.file for program in programs), self._backend.name
        job = ExportBlocksJob(name, files, self._context.stages.folder.work(f"blocks/{name}"))
        task = Task(export_blocks, job, ExportedBlocks, lambda made: made.files, files, self._backend.preload)
        return self._context.stages.run_in_child(
            f"token search: export blocks for {name}: {which}", f"blocks-{name}", task
        )

    def _times(self, which: str) -> BlockTimes:
        name, programs = self._backend.name, tuple(self._artifacts)
        artifacts = tuple(self._artifacts.values())
        files = tuple(file for artifact in artifacts for file in artifact_files(artifact))
        task: Task[TimeBlocksJob, BlockTimes] | Task[PredictBlocksJob, BlockTimes]
        if self._device:
            verb, job = "predict", PredictBlocksJob(name, artifacts, programs, self._device)
            task = Task(predict_blocks, job, BlockTimes, inputs=files, preload=self._backend.preload)
        else:
            threads = self._context.inputs.spec.measure.threads
            verb, timed = "measure", TimeBlocksJob(name, artifacts, threads)
            task = Task(time_blocks, timed, BlockTimes, inputs=files, timing=True)
        target = f"{name}-{self._device.name if self._device else HOST}"
        return self._context.stages.run_in_child(
            f"token search: {verb} blocks {target}: {which}", f"blocks-{target}", task
        )


def _captured(parts: Parts, program: BlockProgram) -> BlockProgram:
    capture_block(parts, program)
    return program
