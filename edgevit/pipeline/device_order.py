"""How sure the order of the usable candidates is on each device of a run."""

from __future__ import annotations

from collections.abc import Iterable

from edgevit.devices.order import NamedArtifact, OrderJob
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.tasks import order_task
from edgevit.results.candidate import Candidate
from edgevit.results.predicted_order import PredictedOrder

STAGE = "compare predictions"


def order_on_devices(context: RunContext, candidates: Iterable[Candidate]) -> dict[str, PredictedOrder]:
    """Compares the predictions of what may be chosen for the devices of the run.

    Args:
        context: The run.
        candidates: All of the run; those that are not usable, or have no prediction, have no part in it.

    Returns:
        By the name of a device on which something usable runs; nothing in a run without devices.
    """
    folder, devices = context.stages.folder.path, context.inputs.devices
    artifacts = tuple(
        NamedArtifact(each.id, each.backend, folder / each.artifact.path)
        for each in candidates
        if each.status == "ok" and each.artifact and any(p.latency_ms for p in each.predictions)
    )
    if not devices or not artifacts:
        return {}
    return context.stages.run_in_child(STAGE, "order", order_task(OrderJob(artifacts, devices))).orders
