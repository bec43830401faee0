"""Retrains the bundled digit models: ``python -m benchmarks.train_digits``.

The teacher is a CNN, trained by cross entropy with the labels. The student, a ViT, is trained twice on the same
augmented images with the same schedules and initial weights: by :mod:`edgevit.distillation.distill` from the teacher,
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

import copy
import hashlib
import importlib.metadata
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save
from torch import nn

from edgevit.data.digits import SPLITS, DigitsSplit, load_split
from edgevit.data.images import open_images, order_sha256
from edgevit.distillation.distill import train_student
from edgevit.distillation.distill_job import DistillJob, LabelledImages
from edgevit.distillation.processes import Group
from edgevit.distillation.student import prepare_student
from edgevit.distillation.views import normalize
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.model.load import Model
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import OnProgress, relay_progress
from edgevit.spec.spec import AugmentationSpec, DistillSpec, ModelSpec

SEED: Final = 0
CONTRACT: Final = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_AFFINE: Final = AugmentationSpec(views="affine")
CNN_RECIPE: Final = DistillSpec(epochs=25, learning_rate=3e-3, augmentation=_AFFINE)
COARSE_PATCH_SIZE: Final = 4
COARSE_RECIPE: Final = DistillSpec(epochs=80, learning_rate=2e-3, augmentation=_AFFINE)
"""First with 64 patches …"""
VIT_RECIPE: Final = DistillSpec(epochs=15, learning_rate=1e-3, augmentation=_AFFINE)
"""… then with 256."""
TAUGHT: Final = {"teacher": ModelSpec(name="digits_cnn"), "use_labels": "never", "temperature": 4.0}
"""What is learned beside that, where a teacher is: its predictions, and no labels."""


def train_bundled(folder: Path) -> dict[str, float]:
    """Trains all three from random weights and writes the two bundled ones with their cards.

    The images of "train" are trained on; the look that is best on those of "calibration" is taken.

    Args:
        folder: Where ``digits_cnn.safetensors``, ``digits_cnn.json``, ``digits_vit.safetensors`` and
            ``digits_vit.json`` are written; existing ones are replaced.

    Returns:
        Test top-1, 0..1, of "digits_cnn", "digits_vit_reference" and "digits_vit".
    """
    test_part = load_split("test")
    torch.manual_seed(SEED)
    start_cnn, start_vit = digits_cnn(), digits_vit(COARSE_PATCH_SIZE)
    cnn = _trained(start_cnn, CNN_RECIPE, None, "CNN teacher")

    def student(teacher: nn.Module | None, title: str) -> nn.Module:
        coarse = _trained(start_vit, COARSE_RECIPE, teacher, f"{title}, 64 patches")
        return _trained(refined(coarse), VIT_RECIPE, teacher, f"{title}, 256 patches")

    vit = student(cnn, "ViT, distilled")
    reference = student(None, "ViT, labels alone")
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
            "temperature": TAUGHT["temperature"],
            "before": {"patch_size": COARSE_PATCH_SIZE, **_recipe(COARSE_RECIPE)},
            "reference": {
                "loss": "cross entropy with labels, all else equal",
                "test_top1": scores["digits_vit_reference"],
            },
        },
    )  # fmt: skip
    return scores


def _trained(start: nn.Module, recipe: DistillSpec, teacher: nn.Module | None, title: str) -> nn.Module:
    """A trained copy of a model of the digits."""
    settings = recipe if teacher is None else DistillSpec.model_validate({**dict(recipe), **TAUGHT})
    parts = [open_images(f"digits:{name}") for name in ("train", "calibration")]
    images, kept = (LabelledImages(part.samples, part.labels) for part in parts)
    models = [
        None if module is None else Model(title, copy.deepcopy(module), CONTRACT, 10, random_weights=False)
        for module in (start, teacher)
    ]
    assert models[0] is not None
    student = prepare_student(models[0], settings)
    relay_progress(_progress(title))
    with tempfile.TemporaryDirectory() as folder:
        job = DistillJob(
            student=ModelSpec(name="digits_vit"),
            tokens="none",
            settings=settings,
            images=images,
            images_sha256=order_sha256(parts[0]),
            kept=kept,
            evaluation=None,
            device="cpu",
            threads=1,
            seed=SEED,
            weights=Path(folder) / "weights.safetensors",
        )
        train_student(job, student, models[1], Group("cpu"))
    return student.module.eval()


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
        batches = torch.split(normalize(images, CONTRACT), 100)
        answers = torch.cat([model(batch).argmax(dim=1) for batch in batches])
    return float((answers == torch.from_numpy(part.labels)).double().mean())


def _write(
    folder: Path, name: str, model: nn.Module, recipe: DistillSpec, score: float, more: dict[str, object]
) -> None:
    """Writes ``name``.safetensors (float32 state dict) and its card ``name``.json."""
    weights = folder / f"{name}.safetensors"
    weights.write_bytes(save({key: value.contiguous() for key, value in model.state_dict().items()}))
    card = {
        "name": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": SEED,
        "epochs": recipe.epochs,
        "recipe": _recipe(recipe),
        "train_samples": SPLITS["train"],
        "test_samples": SPLITS["test"],
        "test_top1": score,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "made_with": {tool: importlib.metadata.version(tool) for tool in ("torch", "timm", "pillow")},
        **more,
    }
    (folder / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _recipe(recipe: DistillSpec) -> dict[str, object]:
    """What of a recipe is not as by default."""
    return recipe.model_dump(mode="json", exclude_defaults=True)


def _progress(title: str) -> OnProgress:
    """A callback that prints the steps and the seconds left on stderr."""
    start = time.monotonic()

    def show(done: int, total: int, note: str) -> None:
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
