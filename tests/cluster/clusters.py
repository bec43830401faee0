"""Clusters on loopback, and runs that use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevit.cluster.execution import Where, open_compute
from edgevit.measure.host import host_fingerprint
from edgevit.run.executor import Executor
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Silent
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec

ROOT = Path(__file__).parents[2]
WARM = ("tests.run.child_jobs",)


@dataclass
class LocalCluster:
    """A scheduler and workers, each a process with a cache of its own, as on a machine of its own."""

    folder: Path
    url: str = ""
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Starts a process of edgevit and returns what it says once it is ready."""
        given = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(self.folder / name), **(environment or {})}
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "edgevit", *arguments, "--json"],
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"{name}.log").open("w"),
            text=True,
        )
        said, out = "", self.processes[name].stdout
        assert out is not None
        for line in out:
            said += line
            if line.startswith("}"):
                break
        assert said, (self.folder / f"{name}.log").read_text()
        return dict(json.loads(said))

    def worker(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Starts a worker."""
        self.start(name, "worker", self.url, "--name", name, *arguments, environment=environment)
        return self.processes[name]

    def close(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.communicate(timeout=20)


@contextmanager
def cluster(folder: Path, *arguments: str, workers: Mapping[str, int]) -> Iterator[LocalCluster]:
    """Gives a cluster.

    Args:
        folder: For caches and logs.
        arguments: Of the scheduler and the workers.
        workers: Tasks side by side, by the name of the worker.
    """
    local = LocalCluster(folder)
    try:
        local.url = local.start("scheduler", "cluster", "start", "--port", "0", *arguments)["address"]
        for name, jobs in workers.items():
            local.worker(name, "--jobs", str(jobs), *arguments)
        yield local
    finally:
        local.close()


@contextmanager
def opened(path: Path, where: Where, *, resume: bool = False, timeout_seconds: float = 60.0) -> Iterator[Executor]:
    """Gives what carries out the tasks of a run in a folder."""
    with stages_in(path, where, resume=resume, timeout_seconds=timeout_seconds) as stages:
        yield stages.executor


@contextmanager
def stages_in(path: Path, where: Where, *, resume: bool = True, timeout_seconds: float = 60.0) -> Iterator[Stages]:
    """Gives what carries out the stages of a run in a folder."""
    folder = RunFolder(path, Spec.model_validate({"model": {"name": "digits_vit"}}), (), resume)
    host = host_fingerprint(1)
    with ExitStack() as stack:
        compute = stack.enter_context(open_compute(where, folder))
        stack.enter_context(folder)
        executor = stack.enter_context(compute.executor(folder, timeout_seconds, compute.host or host))
        yield Stages(folder, executor, Silent())
