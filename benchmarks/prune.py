"""What structured pruning costs without training: ``make bench-prune``.

Prunes real models as ``edgevit compress --prune`` does, by the images of imagenet_samples without their labels, and judges them in
PyTorch on imagenet_val: KL is the mean divergence of the predictions from the dense model's, in nats; agreement the share of images
that get the same class; points are of top-1, paired. Beside them stands the rival that needs no pruning: a smaller image.

    python -m benchmarks.prune [--data DIR] [--images N] [--calibration N] [--only vit,mobilenet]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.models import default_data
from edgevit import units
from edgevit.cli.terminal import print_message, print_table
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.data.sampling import sample_images
from edgevit.model.forward_cost import forward_cost
from edgevit.model.load import Model, load_model
from edgevit.model.over_batches import over_batches
from edgevit.pruning.prune import PruningImages, prune
from edgevit.spec.pruning_plan import parse_pruning
from edgevit.spec.spec import ModelSpec
from edgevit.spec.token_plan import ResizePlan
from edgevit.tokens.resize import resize

_STEP = 8
_BATCH = 8


@dataclass(frozen=True)
class Required:
    """What a pruned model must reach; None where nothing is asked."""

    drop_points: float | None = None
    divergence: float | None = None
    agreement: float | None = None

    def __str__(self) -> str:
        parts = (
            ("≤ {} points", self.drop_points),
            ("KL ≤ {}", self.divergence),
            ("agreement ≥ {:.0%}", self.agreement),
        )
        return ", ".join(text.format(value) for text, value in parts if value is not None)


@dataclass(frozen=True)
class Row:
    """A model, plans, and what each must reach; and the rivals, which make the image smaller."""

    model: str
    plans: dict[str, Required]
    rivals: tuple[int, ...]


ROWS = {
    "vit": Row(
        "vit_tiny_patch16_224",
        {
            "mlp=0.0625": Required(drop_points=0.8),
            "mlp=0.125": Required(divergence=0.09),
            "mlp=0.25": Required(),
            "heads=4": Required(),
        },
        (208, 192),
    ),
    "mobilenet": Row(
        "mobilenetv2_100",
        {"channels=0.1": Required(divergence=0.065, agreement=0.92), "channels=0.2": Required()},
        (208,),
    ),
}


@dataclass(frozen=True)
class Judged:
    """A model beside the dense one."""

    macs: int
    drop_points: float
    agreement: float
    divergence: float


class Judge:
    """The labelled images, and what the dense model says of them."""

    def __init__(self, model: Model, data: Path, count: int) -> None:
        images = open_images(str(data / "imagenet_val"))
        self._images = sample_images(images, count, 0, "evaluation") if count < len(images) else images
        self._model = model
        self._dense = self._logits(model.module, model.preprocessing.input_size)
        self._labels = np.array(self._images.labels)
        self.top1 = float((self._dense.argmax(axis=1) == self._labels).mean())
        self._macs = forward_cost(model.module, model.preprocessing.input_size).macs

    def judge(self, module: nn.Module, input_size: tuple[int, int]) -> Judged:
        """Compares a model that takes images of a size with the dense one."""
        found = self._logits(module, input_size)
        right, before = (each.argmax(axis=1) == self._labels for each in (found, self._dense))
        p, q = (torch.from_numpy(each).double().log_softmax(dim=1) for each in (self._dense, found))
        return Judged(
            macs=forward_cost(module, input_size).macs - self._macs,
            drop_points=100 * float(before.mean() - right.mean()),
            agreement=float((found.argmax(axis=1) == self._dense.argmax(axis=1)).mean()),
            divergence=float((p.exp() * (p - q)).sum(dim=1).mean()),
        )

    def share(self, judged: Judged) -> str:
        """How many MACs more or fewer a model has."""
        return f"{100 * judged.macs / self._macs:+.1f} %"

    def _logits(self, module: nn.Module, input_size: tuple[int, int]) -> np.ndarray:
        # these images are 227 x 227 as a whole, so that nothing is cropped
        wanted = replace(self._model.preprocessing, crop_pct=1.0, input_size=input_size)
        batches = map(torch.from_numpy, PreparedImages(self._images.samples, wanted).batches(_BATCH))
        return torch.cat(list(over_batches(module, batches))).numpy()


def main() -> None:
    """Runs the rows, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="holds imagenet_val, imagenet_samples and weights"
    )
    parser.add_argument("--images", type=int, default=855, help="of imagenet_val")
    parser.add_argument("--calibration", type=int, default=810, help="of imagenet_samples")
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    given = parser.parse_args()
    table: list[tuple[str, ...]] = []
    for name in given.only.split(","):
        table += _row(ROWS[name], given.data, given.images, given.calibration)
    print_table(
        ("model", "change", "MACs", "points", "agreement", "KL", "required", "seconds"), table, numeric=(2, 3, 4, 5)
    )


def _row(row: Row, data: Path, count: int, calibration: int) -> list[tuple[str, ...]]:
    model = load_model(ModelSpec(name=row.model, weights=data / "weights" / f"{row.model}.safetensors"))
    judge = Judge(model, data, count)
    print_message(f"{row.model}: top-1 {units.percent(judge.top1)} on {count} images")
    source = open_images(str(data / "imagenet_samples"))
    images = sample_images(source, calibration, 0, "calibration") if calibration < len(source) else source
    prepared = PruningImages(PreparedImages(images.samples, model.preprocessing))
    lines = []
    for text, required in row.plans.items():
        plan, began = parse_pruning(text), time.perf_counter()
        assert plan is not None
        assert plan != "auto"
        pruned = prune(model.module, plan, prepared, _STEP)
        seconds = time.perf_counter() - began
        judged = judge.judge(pruned.module, model.preprocessing.input_size)
        lines.append(_line(row.model, text, judge, judged, _verdict(required, judged), f"{seconds:.0f}"))
        print_message(f"{lines[-1]}; expected {pruned.expected:.3f}, on the calibration images {pruned.divergence:.3f}")
    for side in row.rivals:
        resized = resize(model.module, ResizePlan("resolution", side), model.preprocessing.input_size)
        judged = judge.judge(resized.module, resized.input_size)
        lines.append(_line(row.model, f"rival: {side} px", judge, judged, "", ""))
        print_message(str(lines[-1]))
    return lines


def _line(model: str, change: str, judge: Judge, judged: Judged, verdict: str, seconds: str) -> tuple[str, ...]:
    points = f"{-judged.drop_points:+.1f}"
    return (
        model, change, judge.share(judged), points, units.percent(judged.agreement), f"{judged.divergence:.3f}", verdict, seconds,
    )  # fmt: skip


def _verdict(required: Required, judged: Judged) -> str:
    if required == Required():
        return ""
    kept = (
        (required.drop_points is None or judged.drop_points <= required.drop_points)
        and (required.divergence is None or judged.divergence <= required.divergence)
        and (required.agreement is None or judged.agreement >= required.agreement)
    )
    return f"{required}: {'yes' if kept else 'NO'}"


if __name__ == "__main__":
    main()
