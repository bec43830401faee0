"""Metrics by name: those that edgevit has, and users' own."""

from __future__ import annotations

from edgevit.artifacts.metrics.classification import AGREEMENT, TOP1
from edgevit.artifacts.metrics.fidelity import COSINE, SNR
from edgevit.artifacts.metrics.metric import Metric
from edgevit.artifacts.metrics.multilabel import MULTILABEL
from edgevit.artifacts.metrics.own import check_import_ends, own_metric
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.artifacts.metrics.value import VALUE
from edgevit.errors import unknown_name

BUILT_IN: dict[str, Metric] = {
    metric.name: metric for metric in (TOP1, AGREEMENT, VALUE, MULTILABEL, COSINE, SNR, MIOU)
}
"""By name, as ``--metric`` has it."""
OF_CLASSES = (TOP1.name, AGREEMENT.name, MULTILABEL.name)
"""What says nothing of a model without classes."""
_NEXT = f"known: {', '.join(BUILT_IN)}; a function of your own is package.module:function"


def find_metric(name: str) -> Metric:
    """Returns a metric that edgevit has, or a user's own.

    Args:
        name: As ``--metric`` has it: "top1", or "package.module:function".

    Raises:
        UsageError: there is none of that name, or it is not a function of outputs and labels.
    """
    if ":" in name:
        return own_metric(name)
    if name not in BUILT_IN:
        raise unknown_name("metric", name, BUILT_IN, next_step=_NEXT)
    return BUILT_IN[name]


def find_asked_metric(name: str) -> Metric:
    """Returns a metric that a user asks for, once it is sure that importing one of their own ends.

    Args:
        name: As ``--metric`` has it.

    Raises:
        UsageError: see :func:`find_metric`; or the import ends the process, or does not end.
    """
    if ":" in name:
        check_import_ends(name)
    return find_metric(name)
