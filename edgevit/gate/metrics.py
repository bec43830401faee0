"""Every metric that a budget may limit: its key, its name, and how its value is read from a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit.gate import artifact_readings as of_artifact
from edgevit.gate import device_readings as on_device
from edgevit.gate.reading import Reading, Subject
from edgevit.gate.verdict import Unit


@dataclass(frozen=True)
class Metric:
    """One metric."""

    title: str
    """For people."""
    unit: Unit
    """Of its values; "" of a metric in units of its own."""
    meaning: str
    """For people: what a limit on it is about, after "limits"."""
    read: Callable[[Subject], Reading | tuple[Reading, ...]] | None = None
    """Reads it from a candidate; None where it is one of a device."""
    read_on: Callable[[Subject, str], tuple[Reading, ...]] | None = None
    """Reads its values on a device: for each measurement, or compute unit."""


METRICS: dict[str, Metric] = {
    "size_bytes": Metric("size", "bytes", "the size of all files together", of_artifact.size),
    "macs": Metric("MACs", "count", "the multiply-accumulates of one inference", of_artifact.macs),
    "int8_share": Metric(
        "int8 share", "share", "the share of the multiply-accumulates that are int8", of_artifact.int8_share
    ),
    "top1": Metric("top-1", "share", "top-1 accuracy", of_artifact.top1),
    "accuracy_drop_points": Metric(
        "accuracy drop", "points", "the drop of top-1 against the float baseline", of_artifact.accuracy_drop
    ),
    "agreement": Metric(
        "agreement",
        "share",
        "the share of the images with the same class as from the float model",
        of_artifact.agreement,
    ),
    "metric": Metric("metric", "", "what the run was judged by", of_artifact.metric),
    "metric_drop": Metric(
        "metric drop", "", "the drop of what the run was judged by against the float baseline", of_artifact.metric_drop
    ),
    "shifted_drop_points": Metric(
        "shifted drop", "points", "the drop of top-1 against the float parent under shift", of_artifact.shifted_drops
    ),
    "latency_p50_ms": Metric("latency p50", "ms", "the median latency of one image", read_on=on_device.latency_p50),
    "latency_p90_ms": Metric(
        "latency p90", "ms", "the latency that 9 of 10 inferences take at most", read_on=on_device.latency_p90
    ),
    "latency_p99_ms": Metric(
        "latency p99", "ms", "the latency that 99 of 100 inferences take at most", read_on=on_device.latency_p99
    ),
    "peak_rss_bytes": Metric(
        "peak process memory", "bytes", "the peak resident memory of the process", read_on=on_device.process_memory
    ),
    "peak_tensor_bytes": Metric(
        "peak tensor memory",
        "bytes",
        "the predicted memory of weights and activations",
        read_on=on_device.tensor_memory,
    ),
    "unsupported_ops": Metric(
        "unsupported ops", "count", "the ops that the compute unit does not run", read_on=on_device.unsupported_ops
    ),
    "partitions": Metric("partitions", "count", "the parts into which the graph is cut", read_on=on_device.partitions),
    "energy_mj": Metric("energy", "mJ", "the energy of one inference", read_on=on_device.energy),
}
"""By key of the budget, in the order in which they are judged."""


def readings(key: str, subject: Subject, device: str | None) -> tuple[Reading, ...]:
    """Returns the values of a metric, at least one.

    Args:
        key: Of the metric.
        subject: The candidate with its run.
        device: Name of the device; None for a metric that has none.
    """
    metric = METRICS[key]
    if metric.read is not None:
        found = metric.read(subject)
        return found if isinstance(found, tuple) else (found,)
    assert metric.read_on is not None
    assert device is not None, f"{key} is read on a device"
    return metric.read_on(subject, device)
