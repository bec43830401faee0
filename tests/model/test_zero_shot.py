"""A zero-shot classifier against the formula: cosines of features and class embeddings, times a scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.data.class_embeddings import ClassEmbeddings  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.zero_shot import zero_shot_classifier  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

NAMES = ("a cat", "a dog", "a bird")


def classes(width: int) -> ClassEmbeddings:
    drawn = np.random.default_rng(0).standard_normal((3, width)).astype(np.float32)
    return ClassEmbeddings(drawn * np.array([[0.1], [1.0], [9.0]], np.float32), NAMES, 20.0)


def formula(features: torch.Tensor, of: ClassEmbeddings) -> torch.Tensor:
    texts = F.normalize(torch.from_numpy(of.embeddings), dim=1)
    return of.logit_scale * F.normalize(features, dim=1) @ texts.T


def write(path: Path, of: ClassEmbeddings) -> Path:
    np.savez(path, embeddings=of.embeddings, names=np.array(of.names), logit_scale=of.logit_scale)
    return path


@pytest.mark.parametrize("outputs", ["features", "among others"])
def test_it_computes_the_formula(outputs: str) -> None:
    class Tower(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
            features = images.flatten(1)
            return features if outputs == "features" else {"last": images, "image_embeds": features}

    tower, images = Tower(), torch.randn(5, 3, 4, 4)
    found = zero_shot_classifier(tower, tower(images[:1]), classes(48), "tower")
    torch.testing.assert_close(found(images), formula(images.flatten(1), classes(48)), rtol=1e-5, atol=1e-5)
    assert found(torch.zeros(1, 3, 4, 4)).isfinite().all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(1, 9), "features of width 9, and the class embeddings have width 48"),
        (torch.zeros(1, 5, 48), r"returns output \[1, 5, 48\]"),
        ({"a": torch.zeros(1, 48), "b": torch.zeros(1, 48)}, r"returns a \[1, 48\], b \[1, 48\]"),
    ],
)
def test_a_tower_that_does_not_fit_is_refused(given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        zero_shot_classifier(nn.Identity(), given, classes(48), "tower")


def test_a_tower_of_timm_gives_its_features_or_its_head_is_the_projection(tmp_path: Path) -> None:
    tower = timm.create_model("test_vit", num_classes=0)
    for width, head in ((tower.num_features, nn.Identity), (32, nn.Linear)):
        of = classes(width)
        spec = ModelSpec(name="test_vit", random_weights=True, class_embeddings=write(tmp_path / f"{width}.npz", of))
        model = load_model(spec)
        assert (model.num_classes, model.class_names, model.named_outputs) == (3, NAMES, ())
        assert any("zero-shot classifier" in note for note in model.notes)
        inner = model.module.get_submodule("tower")
        assert isinstance(inner.get_submodule("head"), head)
        images = torch.randn(2, 3, *model.preprocessing.input_size)
        torch.testing.assert_close(model.module(images), formula(inner(images), of), rtol=1e-4, atol=1e-4)
