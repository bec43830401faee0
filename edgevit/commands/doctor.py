"""What is installed here, and what of it works: every runtime is tried in a child process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from edgevit.backends import Backend, all_backends, check_makers, get_backend
from edgevit.commands import probes
from edgevit.errors import EdgevitError, UsageError
from edgevit.measure.energy import find_energy_source, source_text
from edgevit.measure.host import host_fingerprint
from edgevit.measure.machine_state import read_state
from edgevit.measure.sysfs import ROOT
from edgevit.results.machine_state import MachineState
from edgevit.results.measurement import Host
from edgevit.run import packages
from edgevit.run.progress import Silent
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.version import __version__

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Package:
    """One distribution, installed or not."""

    name: str
    version: str | None
    extra: str | None
    """The pip extra that installs it; None for a part of the base install."""


@dataclass(frozen=True)
class ProbeJob:
    """A backend whose probe model is to be run."""

    backend: str


@dataclass(frozen=True)
class ProbeAnswer:
    """What the probe model answered, and the execution provider or delegate that ran it."""

    values: tuple[float, ...]
    delegate: str


@dataclass(frozen=True)
class Probe:
    """What became of running a backend's probe model."""

    backend: str
    runtime: str
    """Distribution of the runtime."""
    version: str | None
    status: Literal["works", "missing", "broken"]
    detail: str
    cannot_make: str
    """Why files of it cannot be made here, and what to do; "" where they can."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that ``edgevit doctor`` found."""

    edgevit_version: str
    host: Host
    packages: tuple[Package, ...]
    backends: tuple[Probe, ...]
    machine: MachineState
    """What of the conditions of a measurement can be read here, and what it is now."""
    energy: str
    """What tells the energy of runs here, or why nothing does."""

    @property
    def base_works(self) -> bool:
        """Whether every distribution of the base install is there."""
        return all(package.version for package in self.packages if package.extra is None)

    @property
    def healthy(self) -> bool:
        """Whether the base install and at least one backend work."""
        return self.base_works and any(probe.status == "works" for probe in self.backends)


def diagnose(timeout_seconds: float = TIMEOUT_SECONDS) -> Diagnosis:
    """Looks at this machine and runs every backend's probe.

    Args:
        timeout_seconds: For each probe; one that takes longer is reported as broken.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = tuple(pool.map(lambda backend: probe_backend(backend, timeout_seconds), all_backends()))
    base = tuple(Package(name, packages.version_of(name), None) for name in packages.BASE)
    named = ((packages.found_as(name), extra) for name, extra in packages.EXTRAS.items())
    optional = tuple(Package(name, packages.version_of(name), extra) for name, extra in named)
    return Diagnosis(
        edgevit_version=__version__,
        host=host_fingerprint(threads=1),
        packages=base + optional,
        backends=found,
        machine=read_state(),
        energy=source_text(find_energy_source(ROOT)),
    )


def probe_backend(backend: Backend, timeout_seconds: float = TIMEOUT_SECONDS) -> Probe:
    """Runs a backend's probe model in a child process and compares the answer.

    A runtime that is missing, raises, answers wrong, hangs or crashes in native code gives a row, never an error.
    """
    runtime, version = _installed_runtime(backend)
    if version is None:
        install = f"pip install 'edgevit[{backend.format}]'"
        return Probe(backend.name, runtime, None, "missing", install, _cannot_make(backend))
    status: Literal["works", "broken"] = "broken"
    with child_runner(Silent(), timeout_seconds) as children:
        try:
            answer = children.run(backend.name, Task(run_probe, ProbeJob(backend.name), ProbeAnswer))
        except EdgevitError as error:
            detail = error.message.partition("; see ")[0]  # the log is gone when this is read
        else:
            right = _is_right(answer.values)
            status = "works" if right else "broken"
            detail = answer.delegate if right else f"2 x + 1 came out as {answer.values}"
    return Probe(backend.name, runtime, version, status, detail, _cannot_make(backend))


def run_probe(job: ProbeJob) -> ProbeAnswer:
    """Runs in the child: one inference of a backend's probe model.

    Raises:
        UsageError: the runtime does not read the probe.
    """
    import numpy as np

    backend = get_backend(job.backend)
    session = backend.open_session(probes.probe_path(backend.suffix), threads=1, precision="f32")
    (answer,) = session.run((np.array([probes.INPUT], np.float32),))
    return ProbeAnswer(tuple(float(value) for value in answer.ravel()), session.delegate)


def _cannot_make(backend: Backend) -> str:
    try:
        check_makers(backend)
    except UsageError as error:
        return f"{error.message}; {error.hint}"
    return ""


def _installed_runtime(backend: Backend) -> tuple[str, str | None]:
    """The distribution that runs a backend's artifacts here, and its version.

    It may be another that brings the same module, such as ``onnxruntime-gpu``; boards may have LiteRT's older name.
    """
    names = (backend.runtime, "tflite-runtime") if backend.runtime == "ai-edge-litert" else (backend.runtime,)
    for name in map(packages.found_as, names):
        version = packages.version_of(name)
        if version is not None:
            return name, version
    return backend.runtime, None


def _is_right(values: tuple[float, ...]) -> bool:
    return len(values) == len(probes.ANSWER) and all(
        abs(value - expected) < 1e-4 for value, expected in zip(values, probes.ANSWER, strict=True)
    )
