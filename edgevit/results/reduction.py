"""What ``edgevit reduce-tokens`` found, as in its JSON document."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.spec.token_plan import Form, Site


@dataclass(frozen=True)
class ReductionReport:
    """What a token plan does to a model, before any runtime or quantizer."""

    model: str
    plan: str
    form: Form | None
    """None where only the input changed."""
    program: str
    """File for ``torch.export.load``: float32 [1, 3, h, w] to logits [1, classes]."""
    input_size: tuple[int, int]
    """Height and width in pixels."""
    patches: int | None
    """Patch tokens that enter the first block; None where that means nothing."""
    sites: tuple[Site, ...]
    macs_before: int
    macs_after: int
    samples: int = 0
    top1_before: float | None = None
    top1_after: float | None = None
    agreement: float | None = None
    """Share of the images with the same class before and after, 0..1; None without images."""
