"""Sums up an artifact: its ops, sizes, and how much of it runs in int8."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import backend_of_file, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.devices.peak_memory import peak_tensor_bytes
from edgevit.results.graph_summary import OpCount, Summary
from edgevit.run.progress import Silent
from edgevit.run.stages import child_runner
from edgevit.run.task import Task


@dataclass(frozen=True)
class InspectJob:
    """A file to sum up."""

    backend: str
    artifact: Path


def summarize(job: InspectJob) -> Summary:
    """Reads an artifact's graph and sums it up.

    Raises:
        UsageError: the file is damaged, or lacks files that belong to it.
    """
    backend = get_backend(job.backend)
    graph, files = backend.read_graph(job.artifact), backend.files_of(job.artifact)
    counts: Counter[tuple[str, str, str]] = Counter()
    macs: Counter[tuple[str, str, str]] = Counter()
    for op in graph.ops:
        if op.kind != "constant":
            counts[op.native, op.kind, op.numerics] += 1
            macs[op.native, op.kind, op.numerics] += op.macs
    ops = [OpCount(*key, count, macs[key]) for key, count in counts.items()]

    def describe(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name} {graph.tensor[name].dtype} {list(graph.tensor[name].shape)}" for name in names)

    return Summary(
        path=job.artifact,
        backend=job.backend,
        size_bytes=sum(file.stat().st_size for file in files),
        inputs=describe(graph.inputs),
        outputs=describe(graph.outputs),
        batch=graph.batch,
        macs=graph.macs,
        params=graph.params,
        int8_mac_share=graph.int8_mac_share,
        contract=backend.read_contract(job.artifact),
        tensor_bytes=peak_tensor_bytes(graph),
        ops=tuple(sorted(ops, key=lambda op: (-op.macs, -op.count, op.native))),
    )


def inspect_file(artifact: Path) -> Summary:
    """Sums up an artifact in a child process.

    Raises:
        UsageError: no such file, or no backend can read it, or reading it crashed.
    """
    backend = backend_of_file(artifact)
    with child_runner(Silent()) as children, blaming_file(artifact):
        return children.run(
            f"inspect {artifact.name}", Task(summarize, InspectJob(backend.name, artifact.absolute()), Summary)
        )
