"""Whole runs of models that are no classifiers: a Swin feature pyramid, DeepLabV3 with masks, an embedding in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevit.report.details import details
from edgevit.results.run import load_run

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

import edgevit  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.random_weights import randomize  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.run import Run  # noqa: E402
from edgevit.spec.spec import BudgetSpec, MeasureSpec  # noqa: E402

# isort: split
from tests.several_outputs import Embedding  # noqa: E402

pytestmark = pytest.mark.slow
SIDE = 64
WANTED = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, "bilinear")
FORMATS = ["onnx", "openvino", "tflite"]
QUICK = MeasureSpec(min_seconds=0.0)


def photos(folder: Path, count: int) -> Path:
    """Blobs of colour as PNG files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number:02d}.png")
    return folder


def check_outputs(run: Run, names: list[str], least_db: float) -> None:
    """Every candidate was verified output by output: float ones to rounding, int8 ones by their signal-to-noise ratio."""
    assert {candidate.backend for candidate in run.candidates} == {"onnxruntime", "openvino", "litert"}
    for candidate in run.candidates:
        assert candidate.status != "failed", (candidate.id, candidate.reasons)
        verification = candidate.verification
        assert verification is not None
        assert [output.name for output in verification.outputs] == names
        assert verification.top1_agreement is None
        for output in verification.outputs:
            if candidate.scheme == "fp32":
                assert output.max_rel_diff < 1e-4, (candidate.id, output)
            else:
                assert output.snr_db is not None
                assert output.snr_db > least_db, (candidate.id, output)
        assert candidate.artifact is not None
        assert len(candidate.artifact.outputs) == len(names)


def test_a_swin_feature_pyramid(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"img_size": SIDE, "window_size": 4, "embed_dim": 24, "depths": (2, 2, 2), "num_heads": (1, 2, 4)}
    module = timm.create_model("swin_tiny_patch4_window7_224", features_only=True, out_indices=(0, 1, 2), **sizes)
    randomize(module.eval(), (SIDE, SIDE), seed=0)
    run = edgevit.compress(
        module,
        tmp_path / "run",
        preprocessing=WANTED,
        calibration=str(photos(tmp_path / "photos", 40)),
        export=FORMATS,
        measure=QUICK,
        budget=BudgetSpec(max_drop=5.0),
    )
    check_outputs(run, ["output_0", "output_1", "output_2"], least_db=10)
    shapes = [output.shape for output in run.candidates[0].verification.outputs]  # type: ignore[union-attr]
    assert [sorted(shape)[-1] for shape in shapes] == [24, 48, 96] and [min(shape) for shape in shapes] == [16, 8, 4]
    assert all(c.accuracy is not None and c.accuracy.metric is not None for c in run.candidates)
    assert {c.accuracy.metric.name for c in run.candidates if c.accuracy and c.accuracy.metric} == {"cosine"}
    report = "\n".join(details(load_run(tmp_path / "run")))
    assert "## Outputs" in report
    assert "output_2" in report


CLASSES = 5


def colour_blocks(folder: Path, masks: Path, count: int) -> None:
    """Images of two by two blocks of five colours, with noise, and masks that name the colours; their borders are of no class."""
    folder.mkdir()
    masks.mkdir()
    random = np.random.default_rng(0)
    colours = np.array([(200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60), (128, 128, 128)])
    for number in range(count):
        classes = random.integers(0, CLASSES, (2, 2)).repeat(SIDE // 2, 0).repeat(SIDE // 2, 1)
        pixels = colours[classes] + random.normal(0, 12, (SIDE, SIDE, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02d}.png")
        middle = SIDE // 2
        classes[middle - 10 : middle + 10, :] = classes[:, middle - 10 : middle + 10] = 255
        Image.fromarray(classes.astype(np.uint8)).save(masks / f"{number:02d}.png")


def trained_deeplab(folder: Path, masks: Path) -> torch.nn.Module:
    """DeepLabV3 on MobileNetV3 that tells the colours: trained shortly, so that rounding does not decide its classes."""
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    torch.manual_seed(0)
    module = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    images = np.stack([np.asarray(Image.open(file), np.float32) for file in sorted(folder.iterdir())])
    pixels = torch.from_numpy((images / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
    wanted = torch.from_numpy(np.stack([np.asarray(Image.open(file)) for file in sorted(masks.iterdir())])).long()
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    for step in range(40):
        batch = torch.arange(8) + 8 * (step % (len(pixels) // 8))
        found = module.train()(pixels[batch])
        loss = sum(torch.nn.functional.cross_entropy(found[name], wanted[batch], ignore_index=255) for name in found)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimizer.step()
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.reset_running_stats()
            each.momentum = None  # the mean over what it sees, as its own momentum needs hundreds of steps
    with torch.no_grad():
        for first in range(0, len(pixels), 8):
            module(pixels[first : first + 8])
    return module.eval()


def test_deeplab_is_judged_by_miou(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    folder, masks = tmp_path / "images", tmp_path / "masks"
    colour_blocks(folder, masks, 24)
    module = trained_deeplab(folder, masks)
    settings: dict[str, Any] = {"preprocessing": WANTED, "evaluation": str(folder), "calibration": "40%"}
    run = edgevit.compress(
        module,
        tmp_path / "run",
        masks=masks,
        export=FORMATS,
        measure=QUICK,
        budget=BudgetSpec(max_drop=10.0),
        **settings,
    )
    check_outputs(run, ["out", "aux"], least_db=5)
    assert run.baseline.metric is not None
    assert run.baseline.metric.name == "miou"
    assert run.baseline.metric.value > 0.8
    for candidate in run.candidates:
        assert candidate.accuracy is not None
        metric = candidate.accuracy.metric
        assert metric is not None
        assert metric.drop == pytest.approx(100 * (run.baseline.metric.value - metric.value))
        assert metric.drop < (0.5 if candidate.scheme == "fp32" else 10.0)
    for number in range(11):  # at most ten of them calibrate, and need none
        (masks / f"{number:02d}.png").unlink()
    with pytest.raises(UsageError, match="has no mask for"):
        edgevit.compress(module, tmp_path / "again", masks=masks, export=["onnx"], **settings)


def test_an_embedding_in_memory(tmp_path: Path) -> None:
    module = Embedding().eval()
    run = edgevit.compress(
        module,
        tmp_path / "run",
        preprocessing=Preprocessing((16, 16), (0.5,) * 3, (0.5,) * 3),
        calibration=str(photos(tmp_path / "photos", 40)),
        export=FORMATS,
        schemes=[
            "fp32",
            "static_wi8_ai8",
        ],  # in a network of convolutions ONNX Runtime's dynamic int8 has nothing to do
        measure=QUICK,
    )
    check_outputs(run, ["output"], least_db=15)
    assert run.chosen is not None
    assert run.chosen.file is not None
    assert run.chosen.file.with_name("use.py").is_file()
    with pytest.raises(UsageError, match="is no classifier"):
        edgevit.load(run.chosen.file)
