"""Predicting for devices in a child process, because reading a graph may load a runtime's native code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from edgevit.backends import backend_of_file, get_backend
from edgevit.devices.artifact_latency import MeasuredGraph
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device, UnitKind
from edgevit.devices.op_support import check_support, open_shapes
from edgevit.devices.peak_memory import estimate_memory
from edgevit.errors import OpenShapes
from edgevit.results.document import LATER
from edgevit.results.graph import Graph
from edgevit.results.measurement import Prediction

_CAPTURED_WORDS = "priced from the graph captured from PyTorch, in float32: an exported file may differ"


@dataclass(frozen=True)
class MeasuredFile:
    """An artifact file and its latency on a device."""

    file: Path
    ms: float
    unit_kind: UnitKind | None = None
    """Of the unit that ran it; None where that is not said."""


@dataclass(frozen=True)
class PredictDevicesJob:
    """An artifact and the devices to predict for."""

    backend: str
    artifact: Path
    devices: tuple[Device, ...]
    anchors: tuple[MeasuredFile, ...] = ()
    """Artifacts that were measured on the device; then there is only one."""


@dataclass(frozen=True)
class PredictGraphJob:
    """A graph that was captured from PyTorch, and the devices to predict for."""

    graph: Graph
    devices: tuple[Device, ...]
    anchors: tuple[MeasuredFile, ...] = ()


@dataclass(frozen=True)
class Predictions:
    """One prediction per device, in their order."""

    predictions: tuple[Prediction, ...]
    macs: Annotated[int | None, LATER] = None
    """Multiply-accumulates of one inference; None where a shape is open."""


def predict_for_devices(job: PredictDevicesJob) -> Predictions:
    """Reads an artifact's graph and predicts its latency and memory on each device.

    An artifact whose shapes are left open is unsupported everywhere: what it takes depends on what they become.
    """
    try:
        graph = get_backend(job.backend).read_graph(job.artifact)
    except OpenShapes as error:
        return Predictions(tuple(_undecided(device, error) for device in job.devices))
    anchors = measured_graphs(job)
    return Predictions(tuple(predict(graph, device, anchors) for device in job.devices), graph.macs)


def predict_captured(job: PredictGraphJob) -> Predictions:
    """Predicts for a graph that is in no file yet, and says so."""
    anchors = measured_graphs(job)
    found = (predict(job.graph, device, anchors) for device in job.devices)
    labelled = (replace(each, basis=f"{each.basis}; {_CAPTURED_WORDS}") for each in found)
    return Predictions(tuple(labelled), job.graph.macs)


def measured_graphs(job: PredictDevicesJob | PredictGraphJob) -> tuple[MeasuredGraph, ...]:
    """Reads the graphs of the artifacts that were measured on the device."""
    return tuple(
        MeasuredGraph(backend_of_file(anchor.file).read_graph(anchor.file), anchor.ms, anchor.unit_kind)
        for anchor in job.anchors
    )


def predict(graph: Graph, device: Device, anchors: Sequence[MeasuredGraph] = ()) -> Prediction:
    """Predicts latency, op support of every unit, and memory of an artifact on a device.

    Args:
        graph: Ops of the artifact.
        device: Hardware facts.
        anchors: Artifacts that were measured on the device.
    """
    prediction = predict_latency(graph, device, anchors=anchors)
    unit = next(unit for unit in device.units if unit.name == prediction.unit)
    return replace(
        prediction,
        op_support=tuple(check_support(graph, each) for each in device.units),
        memory=estimate_memory(graph, device, unit),
    )


@dataclass(frozen=True)
class PredictMeasuredJob:
    """Artifacts that were measured on a device, to be predicted without what was measured."""

    files: tuple[MeasuredFile, ...]
    device: Device


def predict_measured(job: PredictMeasuredJob) -> Predictions:
    """Predicts for each file on the unit that ran it, or the fastest one where that is not said; in their order."""
    return Predictions(tuple(_predict_measured(each, job.device) for each in job.files))


def _predict_measured(measured: MeasuredFile, device: Device) -> Prediction:
    unit = next((unit.name for unit in device.units if unit.kind == measured.unit_kind), None)
    try:
        graph = backend_of_file(measured.file).read_graph(measured.file)
    except OpenShapes as error:
        return _undecided(device, error)
    return predict_latency(graph, device, unit=unit)


def _undecided(device: Device, error: OpenShapes) -> Prediction:
    support = tuple(open_shapes(unit, error.tensor) for unit in device.units)
    return Prediction(
        device=device.name,
        unit=device.units[0].name,
        latency_ms=None,
        peak_memory_bytes=0,
        basis=f"nothing was predicted: the shape of {error.tensor} is open",
        unsupported_ops=support[0].unsupported_ops,
        op_support=support,
    )
