"""Image classifiers of transformers in a folder: weights, preprocessing and names of the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402

from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model import transformers_models as module  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

TINY = {
    "image_size": 32, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ViT with random weights and its image processor, as ``save_pretrained`` writes them."""
    path = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        **TINY, id2label={0: "cat", 1: "dog", 2: "bird"}, label2id={"cat": 0, "dog": 1, "bird": 2}
    )
    transformers.ViTForImageClassification(config).save_pretrained(path)
    processor = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6], resample=3
    )
    processor.save_pretrained(path)
    return path


def test_a_folder_is_a_classifier_with_its_preprocessing_and_names(folder: Path) -> None:
    model = load_model(ModelSpec(name=f"transformers:{folder}"))
    assert model.preprocessing == Preprocessing((32, 32), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic", 1.0, "squash")
    assert (model.num_classes, model.class_names, model.random_weights) == (3, ("cat", "dog", "bird"), False)
    theirs = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    processed = transformers.AutoImageProcessor.from_pretrained(folder)(Image.fromarray(pixels), return_tensors="pt")
    ours = torch.from_numpy(preprocess(Image.fromarray(pixels), model.preprocessing)[None])
    with torch.no_grad():
        expected = theirs(processed["pixel_values"]).logits
        torch.testing.assert_close(model.module(ours), theirs(ours).logits)
        torch.testing.assert_close(model.module(ours), expected, rtol=0, atol=0.02)  # resizing differs in its rounding
    program = capture(model.module, (32, 32))
    torch.testing.assert_close(program.module()(ours), theirs(ours).logits.detach(), rtol=1e-4, atol=1e-5)


def test_random_weights_and_other_classes(folder: Path) -> None:
    model = load_model(ModelSpec(name=f"transformers:{folder}", random_weights=True, num_classes=7))
    assert (model.num_classes, model.random_weights, model.class_names) == (7, True, ())
    with pytest.raises(UsageError, match="has 3 classes, not 7"):
        load_model(ModelSpec(name=f"transformers:{folder}", num_classes=7))


def test_weights_without_a_head_are_refused(tmp_path: Path) -> None:
    transformers.ViTModel(transformers.ViTConfig(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="2 tensors are missing.*classifier"):
        load_model(ModelSpec(name=f"transformers:{tmp_path}"))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="transformers cannot load transformers:"):
        load_model(ModelSpec(name=f"transformers:{tmp_path}"))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UsageError, match="transformers cannot load transformers:"):
        load_model(ModelSpec(name=f"transformers:{tmp_path}"))


def test_it_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    with pytest.raises(UsageError, match="transformers is not installed") as caught:
        load_model(ModelSpec(name="transformers:google/vit-base-patch16-224", pretrained=True))
    assert caught.value.hint == "pip install 'edgevit[transformers]'"


def test_the_image_tower_of_a_clip_model_is_a_zero_shot_classifier(tmp_path: Path, folder: Path) -> None:
    torch.manual_seed(0)
    vision = transformers.CLIPVisionConfig(**TINY, projection_dim=12)
    tower = transformers.CLIPVisionModelWithProjection(vision).eval()
    tower.save_pretrained(tmp_path / "clip")
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        tmp_path / "clip"
    )
    texts = np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)
    np.savez(tmp_path / "classes.npz", embeddings=texts, names=np.array(["a cat", "a dog", "a bird"]))
    model = load_model(ModelSpec(name=f"transformers:{tmp_path / 'clip'}", class_embeddings=tmp_path / "classes.npz"))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = torch.nn.functional.normalize(tower(images).image_embeds, dim=1)
        expected = 100 * features @ torch.nn.functional.normalize(torch.from_numpy(texts), dim=1).T
        torch.testing.assert_close(model.module(images), expected, rtol=1e-4, atol=1e-4)
    assert model.class_names == ("a cat", "a dog", "a bird")
    assert (model.preprocessing.crop_mode, model.preprocessing.crop_pct) == ("center", 1.0)
    with pytest.raises(UsageError, match="is a model of the kind vit, and class embeddings need"):
        load_model(ModelSpec(name=f"transformers:{folder}", class_embeddings=tmp_path / "classes.npz"))


BASE: dict[str, Any] = {"image_mean": [0.5], "image_std": [0.5], "resample": 2}


@pytest.mark.parametrize(
    ("processor", "size", "crop_pct", "mode"),
    [
        ({"size": {"height": 24, "width": 40}}, (24, 40), 1.0, "squash"),
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
         (224, 224), 224 / 256, "center"),
        ({"size": {"height": 248, "width": 248}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
         (224, 224), 224 / 248, "squash"),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 224), 0.875, "center"),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, (384, 384), 1.0, "squash"),
    ],
)  # fmt: skip
def test_what_an_image_processor_does_in_terms_of_timm(
    processor: dict[str, Any], size: tuple[int, int], crop_pct: float, mode: str
) -> None:
    found = module._configuration("m", {**BASE, **processor}, 1)
    assert (found["input_size"], found["crop_mode"], found["interpolation"]) == ((1, *size), mode, "bilinear")
    assert found["crop_pct"] == pytest.approx(crop_pct)
    if processor.get("do_center_crop"):  # exactly the size that it resizes to
        resized = processor["size"].get("shortest_edge") or processor["size"]["height"]
        assert int(size[0] / found["crop_pct"]) == resized


@pytest.mark.parametrize(
    ("processor", "message"),
    [
        ({"do_rescale": False}, "does not resize and divide by 255"),
        ({"rescale_factor": 1 / 127.5}, "does not resize and divide by 255"),
        ({"do_pad": True}, "or pads"),
        ({"size": {"longest_edge": 224}}, "resizes to {'longest_edge': 224}"),
        (
            {"size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": {"height": 224, "width": 200}},
            "crops to",
        ),
    ],
)
def test_what_edgevit_does_not_is_refused(processor: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        module._configuration("m", {**BASE, **processor}, 3)
