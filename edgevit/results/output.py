"""What a model gives for one image: logits, or named outputs of any shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

LOGITS = "logits"
"""Name of the one output of a classifier; no other output that is a row alone has it."""


@dataclass(frozen=True)
class Output:
    """One output of a model."""

    name: str
    shape: tuple[int, ...]
    """Of one image, without the axis of the batch: (classes,), (channels, height, width)."""

    @property
    def size(self) -> int:
        """Number of values for one image."""
        return math.prod(self.shape)


def classifier_outputs(classes: int) -> tuple[Output, ...]:
    """Returns the outputs of a classifier: its logits."""
    return (Output(LOGITS, (classes,)),)


def is_classifier(outputs: tuple[Output, ...]) -> bool:
    """Returns whether outputs are those of a classifier, so that the largest value is a decision."""
    return len(outputs) == 1 and outputs[0].name == LOGITS and len(outputs[0].shape) == 1


def outputs_line(outputs: tuple[Output, ...]) -> str:
    """Returns outputs in one line for people: "embedding [384], map [21, 33, 33]"."""
    return ", ".join(f"{output.name} {list(output.shape)}" for output in outputs)
