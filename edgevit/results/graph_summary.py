"""What ``edgevit inspect`` found in an artifact, as in its JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edgevit.results.contract import Contract
from edgevit.results.document import LATER


@dataclass(frozen=True)
class OpCount:
    """All ops of one type and numerics."""

    native: str
    """The format's own name of the op."""
    kind: str
    numerics: str
    count: int
    macs: int
    """Of all of them together, for one inference."""


@dataclass(frozen=True)
class Summary:
    """What is in an artifact."""

    path: Path
    backend: str
    size_bytes: int
    """Of the file, and of those beside it that hold its weights."""
    batch: int
    """Images of one inference, which the file fixes; 1 where it leaves them open."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int
    """Of one inference, so of ``batch`` images."""
    params: int
    int8_mac_share: float
    """Share of the MACs that multiply int8 by int8, 0..1."""
    ops: tuple[OpCount, ...]
    """Most MACs first, then most numerous."""
    contract: Annotated[Contract | None, LATER] = None
    """What the file says of its use; None where it carries nothing."""
    tensor_bytes: Annotated[int | None, LATER] = None
    """Weights and the activations that live at once, without the runtime's own memory."""
