"""Predicting for devices in a child process, because reading a graph may load a runtime's native code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device
from edgevit.results.measurement import Prediction


@dataclass(frozen=True)
class PredictDevicesJob:
    """An artifact and the devices to predict for."""

    backend: str
    artifact: Path
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class Predictions:
    """One prediction per device, in their order."""

    predictions: tuple[Prediction, ...]


def predict_for_devices(job: PredictDevicesJob) -> Predictions:
    """Reads an artifact's graph and predicts its latency and memory on each device."""
    graph = get_backend(job.backend).read_graph(job.artifact)
    return Predictions(tuple(predict_latency(graph, device) for device in job.devices))
