"""A float file that was quantized, and what that lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.results.candidate import Accuracy, Attempt


@dataclass(frozen=True)
class QuantizedFile:
    """A file that was quantized, and what it lost."""

    path: Path
    scheme: str
    attempts: tuple[Attempt, ...]
    """In order; the file is that of the best."""
    chosen: Attempt
    float_top1: float | None
    accuracy: Accuracy
    size_before: int
    """Bytes."""
    size_after: int
    left_out: tuple[str, ...]
    """What a run would try, and needs the PyTorch model for."""

    @property
    def drop_points(self) -> float:
        """What is lost of what the file is judged by: top-1, agreement with the float file, or cosine; percentage points."""
        assert self.chosen.drop_points is not None  # an attempt that gave a file was judged
        return self.chosen.drop_points
