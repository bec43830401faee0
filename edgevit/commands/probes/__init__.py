"""Probe models for ``edgevit doctor``: y = 2 x + 1 over float32 [1, 4], made by benchmarks/make_probes.py."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
INPUT = (-1.0, 0.0, 1.0, 2.5)
ANSWER = (-1.0, 1.0, 3.0, 6.0)


def probe_path(suffix: str) -> Path:
    """Returns the probe of a format by its file suffix, such as ".onnx"; it may not exist."""
    return FOLDER / f"probe{suffix}"
