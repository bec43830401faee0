"""Measurements on a device that set the scale of its predictions: as numbers, or as edgevit wrote them on the board."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.backends import backend_of_file
from edgevit.devices.device import Device
from edgevit.devices.measured_here import processor_of, why_not_measured_here
from edgevit.devices.predict import MeasuredFile
from edgevit.errors import UsageError
from edgevit.measure.emulation import refuse_emulated
from edgevit.results.candidate import Candidate
from edgevit.results.comparison import Comparison
from edgevit.results.document import from_json
from edgevit.results.measurement import HOST, Host, Measurement
from edgevit.results.run import load_run
from edgevit.run.files import file_sha256
from edgevit.spec.input_file import expand_user, require_file

_WAYS = "such as resnet50.tflite=12.3ms, the folder of a run, or what `edgevit bench FILE --json` wrote"
_AGAIN = "measure again on the device: edgevit bench FILE --json > measured.json"


@dataclass(frozen=True)
class _Measured:
    """A latency that edgevit measured."""

    file: Path
    ms: float
    unstable: str
    threads: int
    batch: int
    emulated: str
    """Why it is known to be that of an emulator; "" otherwise."""


def read_anchors(given: Sequence[str], devices: Sequence[Device]) -> tuple[MeasuredFile, ...]:
    """Reads what --anchor takes: FILE=LATENCY, the folder of a run, or a JSON of ``edgevit bench``.

    Args:
        given: As on the command line.
        devices: That are predicted for; anchors are of one.

    Raises:
        UsageError: one is none of these; it was not measured on the device, as far as that is known, or was disturbed; its
            artifact is not there; or there are several devices.
    """
    if not given:
        return ()
    if len(devices) != 1:
        raise UsageError("--anchor is a measurement on one device", "give one --device")
    return tuple(anchor for text in given for anchor in read_measured(text, devices[0], "--anchor "))


def read_measured(text: str, device: Device, option: str = "") -> tuple[MeasuredFile, ...]:
    """Reads what was measured on a device: FILE=LATENCY, the folder of a run, or a JSON of ``edgevit bench``.

    Args:
        text: As on the command line.
        device: That it was measured on.
        option: What stands before it there, for messages.

    Raises:
        UsageError: see :func:`read_anchors`.
    """
    path = expand_user(text)
    if path.is_dir() or path.name == "run.json":
        return _of_run(path, device, f"{option}{path}")
    if path.suffix.lower() == ".json":
        return _of_bench(require_file(path, "measurement", _WAYS), device, f"{option}{path}")
    return (parse_anchor(text, option),)


def parse_anchor(text: str, option: str = "--anchor ") -> MeasuredFile:
    """Reads a file and its latency, such as "resnet50.tflite=12.3ms".

    Args:
        text: As on the command line.
        option: What stands before it there, for messages.

    Raises:
        UsageError: it is none, its latency is not positive, or there is no such file.
    """
    name, _, latency = text.rpartition("=")
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s)", latency.strip())
    if not name or found is None or float(found.group(1)) <= 0:
        raise UsageError(f"{option}{text!r} is not FILE=LATENCY", _WAYS)
    file = require_file(expand_user(name), "artifact", "give an artifact that was measured on the device")
    return MeasuredFile(file.absolute(), float(found.group(1)) * (1000 if found.group(2) == "s" else 1))


def _of_run(path: Path, device: Device, given: str) -> tuple[MeasuredFile, ...]:
    """What a run measured on its own machine, where that fits the device, else on the first of its boards that does."""
    run = load_run(path)
    fitting = [board.name for board in run.boards if not why_not_measured_here(board.host, device)]
    on = HOST if not fitting or not why_not_measured_here(run.host, device) else fitting[0]
    if on == HOST:
        _check_host(given, run.host, device)
    found = []
    for candidate in run.candidates:
        measured = _of_candidate(candidate, on)
        if measured is not None and measured.file.is_file():
            found.append(measured)
    if not found:
        raise UsageError(f"{given} has no measured artifact in its folder", "copy the whole folder of the run")
    stable = [each for each in found if not each.unstable]
    return _anchors(given, stable or found, device)


def _of_candidate(candidate: Candidate, on: str) -> _Measured | None:
    """What was measured of a candidate; None where nothing was, or its file is not known."""
    measurement, latency = candidate.measurement(on), candidate.latency_on(on)
    if measurement is None or candidate.file is None:
        return None
    if latency is None:
        conditions = measurement.conditions
        p50_ms, unstable, batch = measurement.latency_ms.p50, conditions.unstable, conditions.batch
        return _Measured(candidate.file, p50_ms, unstable, measurement.threads, batch, conditions.emulated)
    return _Measured(
        candidate.file, latency.p50_ms, latency.unstable, measurement.threads, latency.batch, latency.emulated
    )


def _of_bench(path: Path, device: Device, given: str) -> tuple[MeasuredFile, ...]:
    try:
        document = json.loads(path.read_bytes())
        host = from_json(Host, json.dumps(document["host"]).encode()) if "host" in document else None
        found = list(_measured(path, given, document))
        provider = document.get("onnxruntime_provider", "cpu")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{given} is no measurement of `edgevit bench FILE --json`", _AGAIN) from error
    if provider != "cpu":
        raise UsageError(
            f"{given} was measured with ONNX Runtime's provider {provider}, not on the processor",
            "measure again without EDGEVIT_ONNXRUNTIME_PROVIDER, or give FILE=LATENCY",
        )
    if host is not None:
        _check_host(given, host, device)
    return _anchors(given, found, device)


def _measured(path: Path, given: str, document: Any) -> Iterator[_Measured]:
    """Yields what one document has; its files are where it says, or beside it."""
    digests: dict[str, str] = document.get("sha256", {})
    if "comparison" in document:
        comparison = from_json(Comparison, json.dumps(document["comparison"]).encode())
        for each in comparison.files:
            file = _file(path, given, str(each.artifact), digests)
            latency = each.latency
            yield _Measured(file, latency.p50_ms, latency.unstable, comparison.threads, latency.batch, latency.emulated)
        return
    measurement = from_json(Measurement, json.dumps(document["measurement"]).encode())
    conditions = measurement.conditions
    file = _file(path, given, document["artifact"], digests)
    p50_ms, threads = measurement.latency_ms.p50, measurement.threads
    yield _Measured(file, p50_ms, conditions.unstable, threads, conditions.batch, conditions.emulated)


def _file(path: Path, given: str, artifact: str, digests: dict[str, str]) -> Path:
    """The artifact of a document that may have been written on another machine."""
    places = (Path(artifact), path.parent / artifact, path.parent / Path(artifact).name)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UsageError(
            f"{given} is of {artifact}, which is not there", f"copy {Path(artifact).name} beside {path.name}"
        )
    wanted = digests.get(artifact)
    if wanted is not None and file_sha256(*backend_of_file(file).files_of(file)) != wanted:
        raise UsageError(f"{given} is of another {file.name} than the one that is there", _AGAIN)
    return file


def _check_host(given: str, host: Host, device: Device) -> None:
    reason = why_not_measured_here(host, device)
    if reason:
        raise UsageError(f"{given} is no measurement on {device.name}: {reason}", _AGAIN)


def _anchors(given: str, found: Sequence[_Measured], device: Device) -> tuple[MeasuredFile, ...]:
    """Checks measurements, all of which edgevit took on the processor of the machine."""
    processor = processor_of(device)
    if processor is None:
        raise UsageError(
            f"{given} was measured on a processor, and {device.name} has none of its own",
            "give FILE=LATENCY of what ran on it",
        )
    for each in found:
        threads = "1 thread" if each.threads == 1 else f"{each.threads} threads"
        refuse_emulated(each.emulated, f"what predictions are compared with or set by ({given})")
        if each.unstable:
            raise UsageError(f"{given}: {each.file.name} was disturbed: {each.unstable}", _AGAIN)
        if each.batch != 1:
            raise UsageError(f"{given}: {each.file.name} was measured in batches of {each.batch}", _AGAIN)
        if processor.threads is not None and each.threads != processor.threads:
            raise UsageError(
                f"{given}: {each.file.name} ran with {threads}, and predictions for {device.name} are for "
                f"{processor.threads}",
                f"measure it with --threads {processor.threads}",
            )
    return tuple(MeasuredFile(each.file.absolute(), each.ms, processor.kind) for each in found)
