"""edgevit: from a PyTorch vision model to the fastest artifact that meets a budget on the device you ship."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgevit.version import __version__

if TYPE_CHECKING:
    from edgevit.api.compress import compress
    from edgevit.api.load import Classifier, load
    from edgevit.api.steps import bench, check, evaluate, predict_latency
    from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, EdgevitError, UsageError
    from edgevit.pipeline.compress import export
    from edgevit.results.artifact import Preprocessing
    from edgevit.results.run import Run, load_run
    from edgevit.spec.spec import (
        BudgetSpec,
        DistillSpec,
        FinetuneSpec,
        MeasureSpec,
        ModelSpec,
        QuantizeSpec,
        Spec,
    )

__all__ = [
    "BudgetSpec",
    "CandidateFailed",
    "CheckFailed",
    "Classifier",
    "DiskFull",
    "DistillSpec",
    "EdgevitError",
    "FinetuneSpec",
    "MeasureSpec",
    "ModelSpec",
    "Preprocessing",
    "QuantizeSpec",
    "Run",
    "Spec",
    "UsageError",
    "__version__",
    "bench",
    "check",
    "compress",
    "evaluate",
    "export",
    "load",
    "load_run",
    "predict_latency",
]

_HOMES = {
    "compress": "edgevit.api.compress",
    **dict.fromkeys(("Classifier", "load"), "edgevit.api.load"),
    "export": "edgevit.pipeline.compress",
    **dict.fromkeys(("bench", "check", "evaluate", "predict_latency"), "edgevit.api.steps"),
    "Preprocessing": "edgevit.results.artifact",
    **dict.fromkeys(
        ("BudgetSpec", "DistillSpec", "FinetuneSpec", "MeasureSpec", "ModelSpec", "QuantizeSpec"), "edgevit.spec.spec"
    ),
    **dict.fromkeys(("CandidateFailed", "CheckFailed", "DiskFull", "EdgevitError", "UsageError"), "edgevit.errors"),
    "Run": "edgevit.results.run",
    "load_run": "edgevit.results.run",
    "Spec": "edgevit.spec.spec",
}


def __getattr__(name: str) -> Any:
    """Imports the public names on first use, so that ``import edgevit`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edgevit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
