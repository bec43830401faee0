"""Retrains the bundled digit models: ``python -m benchmarks.train_digits``.

The teacher is a CNN, trained by cross entropy with the labels. The student, a ViT, is trained twice on the same
augmented images with the same schedules and initial weights: by ``edgevit.distillation.distill`` from the teacher,
which gives the bundled weights, and by cross entropy with the labels alone, as a reference that shows what distillation
gains; its weights are not kept. ``digits_vit.json`` states both scores.

A ViT has to learn from the images which patches lie side by side. With 1,097 images and 256 patches it hardly does
in a few dozen epochs, so each student first learns with 64 patches of 4 x 4 pixels; patch and
position embeddings are then resampled for 2 x 2 pixels (Beyer et al., "FlexiViT", CVPR 2023), and it trains on.

The ``test`` part is used once, at the end, for the three scores that the cards (``digits_*.json``) state. The recipe was
chosen without it, on ``calibration``. On one thread of one machine the files are reproducible; other processors and
versions of torch round differently.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import sys
import time
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from edgevit.data.digits import SPLITS, DigitsSplit, load_split
from edgevit.distillation.distill import (
    DistillSettings,
    Normalization,
    OnStep,
    Student,
    Teacher,
    TrainingImages,
    distill,
    normalize,
    train,
)
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

SEED: Final = 0
NORMALIZATION: Final[Normalization] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CNN_RECIPE: Final = DistillSettings(epochs=25, learning_rate=3e-3, hard_label_weight=1.0, seed=SEED)
COARSE_PATCH_SIZE: Final = 4
COARSE_RECIPE: Final = DistillSettings(epochs=80, learning_rate=2e-3, temperature=4.0, seed=SEED)
"""First with 64 patches …"""
VIT_RECIPE: Final = DistillSettings(epochs=15, learning_rate=1e-3, temperature=4.0, seed=SEED)
"""… then with 256."""


def train_bundled(folder: Path) -> dict[str, float]:
    """Trains all three from random weights and writes the two bundled ones with their cards.

    Args:
        folder: Where ``digits_cnn.safetensors``, ``digits_cnn.json``, ``digits_vit.safetensors`` and
            ``digits_vit.json`` are written; existing ones are replaced.

    Returns:
        Test top-1, 0..1, of "digits_cnn", "digits_vit_reference" and "digits_vit".
    """
    train_part, test_part = load_split("train"), load_split("test")
    labels = torch.from_numpy(train_part.labels)

    def cross_entropy(model: nn.Module, views: Tensor, chosen: Tensor) -> Tensor:
        return F.cross_entropy(model(normalize(views, NORMALIZATION)), labels[chosen])

    def taught(student: nn.Module, recipe: DistillSettings, hard_label_weight: float, title: str) -> nn.Module:
        return distill(
            Student(student, NORMALIZATION), Teacher(cnn, NORMALIZATION),
            TrainingImages(train_part.images, train_part.labels),
            settings=dataclasses.replace(recipe, hard_label_weight=hard_label_weight), on_progress=_progress(title),
        )  # fmt: skip

    def student(hard_label_weight: float, title: str) -> nn.Module:
        coarse = taught(start_vit, COARSE_RECIPE, hard_label_weight, f"{title}, 64 patches")
        return taught(refined(coarse), VIT_RECIPE, hard_label_weight, f"{title}, 256 patches")

    torch.manual_seed(SEED)
    start_cnn, start_vit = digits_cnn(), digits_vit(COARSE_PATCH_SIZE)
    cnn = train(start_cnn, train_part.images, cross_entropy, settings=CNN_RECIPE, on_progress=_progress("CNN teacher"))
    vit = student(0.0, "ViT, distilled")
    reference = student(1.0, "ViT, labels alone")

    scores = {
        "digits_cnn": top1(cnn, test_part),
        "digits_vit_reference": top1(reference, test_part),
        "digits_vit": top1(vit, test_part),
    }
    _write(folder, "digits_cnn", cnn, CNN_RECIPE, scores["digits_cnn"], {"loss": "cross entropy with labels"})
    _write(
        folder, "digits_vit", vit, VIT_RECIPE, scores["digits_vit"],
        {
            "loss": "soft labels of digits_cnn (Hinton et al. 2015)",
            "before": {"patch_size": COARSE_PATCH_SIZE, **dataclasses.asdict(COARSE_RECIPE)},
            "reference": {
                "loss": "cross entropy with labels, all else equal",
                "test_top1": scores["digits_vit_reference"],
            },
        },
    )  # fmt: skip
    return scores


def refined(coarse: nn.Module) -> nn.Module:
    """Returns a ``digits_vit`` of the bundled patch size that starts from one with larger patches.

    Args:
        coarse: A ``digits_vit`` with larger patches; left untouched.
    """
    ensure_torchvision_schemas()
    from timm.models.vision_transformer import checkpoint_filter_fn

    fine: nn.Module = digits_vit()
    fine.load_state_dict(checkpoint_filter_fn(coarse.state_dict(), fine, interpolation="bicubic", antialias=False))
    return fine


def top1(model: nn.Module, part: DigitsSplit) -> float:
    """Returns the top-1 accuracy, 0..1, on a part of the digits; puts the model in evaluation mode."""
    model.eval()
    images = torch.from_numpy(part.images).permute(0, 3, 1, 2).float().div(255)
    with torch.no_grad():
        batches = torch.split(normalize(images, NORMALIZATION), 100)
        answers = torch.cat([model(batch).argmax(dim=1) for batch in batches])
    return float((answers == torch.from_numpy(part.labels)).double().mean())


def _write(
    folder: Path, name: str, model: nn.Module, recipe: DistillSettings, score: float, more: dict[str, object]
) -> None:
    """Writes ``name``.safetensors (float32 state dict) and its card ``name``.json."""
    weights = folder / f"{name}.safetensors"
    unused = {"temperature"} if recipe.hard_label_weight == 1 else set()
    weights.write_bytes(save({key: value.contiguous() for key, value in model.state_dict().items()}))
    card = {
        "name": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "recipe": {key: value for key, value in dataclasses.asdict(recipe).items() if key not in unused},
        "train_samples": SPLITS["train"],
        "test_samples": SPLITS["test"],
        "test_top1": score,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "made_with": {tool: importlib.metadata.version(tool) for tool in ("torch", "timm", "pillow")},
        **more,
    }
    (folder / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _progress(title: str) -> OnStep:
    """A callback that prints the steps and the seconds left on stderr."""
    start = time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - start) / done * (total - done)
        if sys.stderr.isatty():
            print(
                f"\r{title}: step {done} of {total}, {left:.0f} s left   ",
                end="",
                file=sys.stderr,
                flush=True,
            )
        elif done % max(1, total // 10) == 0:
            print(f"{title}: step {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)
        if done == total:
            print(f"{title}: done in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)

    return show


def main() -> None:
    """Trains on one thread (which fixes the rounding), writes the bundled files, prints the scores as JSON."""
    torch.set_num_threads(1)
    print(json.dumps(train_bundled(BUNDLED_MODELS["digits_vit"].weights.parent), indent=2))


if __name__ == "__main__":
    main()
