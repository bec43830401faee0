"""Predicting for devices in a child process, because reading a graph may load a runtime's native code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.devices.artifact_latency import MeasuredGraph
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device
from edgevit.devices.op_support import check_support, open_shapes
from edgevit.devices.peak_memory import estimate_memory
from edgevit.errors import OpenShapes
from edgevit.results.graph import Graph
from edgevit.results.measurement import Prediction


@dataclass(frozen=True)
class MeasuredFile:
    """An artifact file and its latency on a device."""

    file: Path
    ms: float


@dataclass(frozen=True)
class PredictDevicesJob:
    """An artifact and the devices to predict for."""

    backend: str
    artifact: Path
    devices: tuple[Device, ...]
    anchors: tuple[MeasuredFile, ...] = ()
    """Artifacts of the same format that were measured on the device; then there is only one."""


@dataclass(frozen=True)
class Predictions:
    """One prediction per device, in their order."""

    predictions: tuple[Prediction, ...]


def predict_for_devices(job: PredictDevicesJob) -> Predictions:
    """Reads an artifact's graph and predicts its latency and memory on each device.

    An artifact whose shapes are left open is unsupported everywhere: what it takes depends on what they become.
    """
    try:
        graph = get_backend(job.backend).read_graph(job.artifact)
    except OpenShapes as error:
        return Predictions(tuple(_undecided(device, error) for device in job.devices))
    anchors = measured_graphs(job)
    return Predictions(tuple(predict(graph, device, anchors) for device in job.devices))


def measured_graphs(job: PredictDevicesJob) -> tuple[MeasuredGraph, ...]:
    """Reads the graphs of the artifacts that were measured on the device."""
    read = get_backend(job.backend).read_graph
    return tuple(MeasuredGraph(read(anchor.file), anchor.ms) for anchor in job.anchors)


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
