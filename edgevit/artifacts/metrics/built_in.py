"""The metrics that edgevit has, by name."""

from __future__ import annotations

from edgevit.artifacts.metrics.classification import AGREEMENT, TOP1
from edgevit.artifacts.metrics.metric import Metric
from edgevit.artifacts.metrics.multilabel import MULTILABEL
from edgevit.artifacts.metrics.value import VALUE

BUILT_IN: dict[str, Metric] = {metric.name: metric for metric in (TOP1, AGREEMENT, VALUE, MULTILABEL)}
"""By name, as ``--metric`` has it."""
