"""What is predicted of one artifact, or of a model at one input size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.results.measurement import Prediction


@dataclass(frozen=True)
class Profiled:
    """Predictions for one target, in the order of the devices."""

    target: str
    """File, or name of the model."""
    graph: Literal["file", "captured"]
    """What was priced: the graph of the file, of the one that the model was exported to too; or the one that was captured
    from the PyTorch model, in float32, as no runtime has changed it yet."""
    input_size: tuple[int, int] | None
    """Height and width of the images that a model takes; None of a file."""
    macs: int | None
    """Multiply-accumulates of one inference; None where a shape of the file is open."""
    predictions: tuple[Prediction, ...]

    @property
    def title(self) -> str:
        """The target with its input size where it has one, such as "resnet50 at 160 × 160"."""
        return f"{self.target} at {self.size_text}" if self.input_size else self.target

    @property
    def size_text(self) -> str:
        """The input size, such as "160 × 160"; "–" of a file."""
        return " × ".join(map(str, self.input_size)) if self.input_size else "–"
