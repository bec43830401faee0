"""Published top-1 of weights, each figure with its source; nothing is measured here, and what is not listed is not known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from edgevit.model.names import kind_of

FIGURES = Path(__file__).with_name("published_top1.csv")
"""Name of the weights with timm's tag, top-1 in percent on the 50,000 images of ImageNet-1k's validation set, and the side of the
images in pixels that it was taken at."""
SOURCE = "https://github.com/huggingface/pytorch-image-models/blob/0173a139a2c66db3a41ebfe1d8ac4fb02483642e/results/results-imagenet.csv"
"""Of all figures: timm's own table."""


@dataclass(frozen=True)
class PublishedTop1:
    """What was published of weights."""

    weights: str
    """Name with timm's tag."""
    top1: float
    """As a fraction, on ImageNet-1k's validation set."""
    input_size: int
    """Side of the images in pixels."""
    source: str


def published_top1(name: str) -> PublishedTop1 | None:
    """Returns the published top-1 of the weights that ``--pretrained`` takes for a name; None where no figure is carried.

    Args:
        name: Of a model; of timm with a tag, or without one, which means timm's default.
    """
    weights = _tagged(name)
    return next((each for each in read_published() if each.weights == weights), None)


def read_published() -> tuple[PublishedTop1, ...]:
    """Returns all figures that are carried; neither timm nor PyTorch is needed."""
    with FIGURES.open(encoding="utf-8", newline="") as stream:
        rows = tuple(csv.DictReader(stream))
    return tuple(
        PublishedTop1(row["weights"], float(row["top1_percent"]) / 100, int(row["input_size"]), SOURCE) for row in rows
    )


def _tagged(name: str) -> str | None:
    if kind_of(name) != "timm":
        return None
    if "." in name:
        return name
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    from timm.models import get_pretrained_cfg

    stated = get_pretrained_cfg(name)
    return f"{name}.{stated.tag}" if stated is not None and stated.tag else None
