"""edgevit: from a PyTorch vision model to the fastest artifact that meets a budget on the device you ship."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edgevit.version import __version__

if TYPE_CHECKING:
    from edgevit.api.compress import compress
    from edgevit.api.export import export
    from edgevit.api.load import Classifier, load
    from edgevit.api.progress import ProgressCallback, ProgressEvent
    from edgevit.api.quantize import quantize
    from edgevit.api.steps import bench, check, evaluate, predict_latency
    from edgevit.api.stored_images import Images
    from edgevit.api.verify import verify
    from edgevit.errors import CandidateFailed, CheckFailed, DiskFull, EdgevitError, RunMismatch, UsageError
    from edgevit.gate.budget import Budget
    from edgevit.gate.verdict import Verdict
    from edgevit.results.artifact import Preprocessing
    from edgevit.results.candidate import Candidate, Verification
    from edgevit.results.file_score import FileScore
    from edgevit.results.measurement import Measurement, Prediction
    from edgevit.results.quantized_file import QuantizedFile
    from edgevit.results.run import Run, load_run
    from edgevit.spec.spec import BudgetSpec, DistillSpec, FinetuneSpec, MeasureSpec, ModelSpec, QuantizeSpec, Spec

__all__ = [
    "Budget",
    "BudgetSpec",
    "Candidate",
    "CandidateFailed",
    "CheckFailed",
    "Classifier",
    "DiskFull",
    "DistillSpec",
    "EdgevitError",
    "FileScore",
    "FinetuneSpec",
    "Images",
    "MeasureSpec",
    "Measurement",
    "ModelSpec",
    "Prediction",
    "Preprocessing",
    "ProgressCallback",
    "ProgressEvent",
    "QuantizeSpec",
    "QuantizedFile",
    "Run",
    "RunMismatch",
    "Spec",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "bench",
    "check",
    "compress",
    "evaluate",
    "export",
    "load",
    "load_run",
    "predict_latency",
    "quantize",
    "verify",
]

_HOMES = {
    "compress": "edgevit.api.compress",
    "export": "edgevit.api.export",
    **dict.fromkeys(("Classifier", "load"), "edgevit.api.load"),
    **dict.fromkeys(("ProgressCallback", "ProgressEvent"), "edgevit.api.progress"),
    "quantize": "edgevit.api.quantize",
    **dict.fromkeys(("bench", "check", "evaluate", "predict_latency"), "edgevit.api.steps"),
    "Images": "edgevit.api.stored_images",
    "verify": "edgevit.api.verify",
    "QuantizedFile": "edgevit.results.quantized_file",
    **dict.fromkeys(
        ("CandidateFailed", "CheckFailed", "DiskFull", "EdgevitError", "RunMismatch", "UsageError"), "edgevit.errors"
    ),
    "Budget": "edgevit.gate.budget",
    "Verdict": "edgevit.gate.verdict",
    "Preprocessing": "edgevit.results.artifact",
    **dict.fromkeys(("Candidate", "Verification"), "edgevit.results.candidate"),
    "FileScore": "edgevit.results.file_score",
    **dict.fromkeys(("Measurement", "Prediction"), "edgevit.results.measurement"),
    **dict.fromkeys(("Run", "load_run"), "edgevit.results.run"),
    **dict.fromkeys(
        ("BudgetSpec", "DistillSpec", "FinetuneSpec", "MeasureSpec", "ModelSpec", "QuantizeSpec", "Spec"),
        "edgevit.spec.spec",
    ),
}

logging.getLogger(__name__).addHandler(logging.NullHandler())  # nothing is printed unless the application asks for it


def __getattr__(name: str) -> Any:
    """Imports the public names on first use, so that ``import edgevit`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'edgevit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
