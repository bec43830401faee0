"""The models and images that benchmarks run on: the bundled digits, and what a data folder has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One model with its images, as a spec document."""

    name: str
    document: dict[str, Any] = field(default_factory=dict)


def default_data() -> Path | None:
    """The data folder: ``EDGEVIT_DATA``, or ``shared/data`` beside the repository; None where there is neither."""
    named = os.environ.get("EDGEVIT_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder.resolve() if folder.is_dir() else None


def digits() -> Case:
    """The bundled vision transformer on the bundled digits."""
    return Case(
        "digits_vit",
        {"model": {"name": "digits_vit"}, "data": {"evaluation": "digits", "calibration": "calibration:digits"}},
    )


def real(data: Path) -> Iterator[Case]:
    """Pretrained models on ImageNet and flower images."""
    imagenet = {"evaluation": str(data / "imagenet_val"), "calibration": str(data / "imagenet_samples")}
    whole_image = {"crop_pct": 1.0}
    for name in ("vit_tiny_patch16_224", "mobilenetv2_100"):
        model = {"name": name, "weights": str(data / "weights" / f"{name}.safetensors"), "preprocessing": whole_image}
        yield Case(name, {"model": model, "data": imagenet})
    weights = str(data / "weights" / "tf_efficientnet_lite0.flowers5.safetensors")
    yield Case(
        "tf_efficientnet_lite0",
        {
            "model": {"name": "tf_efficientnet_lite0", "weights": weights, "num_classes": 5},
            "data": {"evaluation": str(data / "flowers5"), "calibration": "40%"},
        },
    )
