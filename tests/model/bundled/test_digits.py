"""The committed digit models are what their cards say."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402

from benchmarks.train_digits import top1  # noqa: E402
from edgevit.data.digits import load_split  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.model.bundled.digits import INPUT_CONFIG, digits_cnn, digits_vit  # noqa: E402

FACTORIES = {"digits_vit": digits_vit, "digits_cnn": digits_cnn}
Name = Literal["digits_vit", "digits_cnn"]


@pytest.mark.parametrize("name", FACTORIES)
def test_committed_weights_score_what_the_card_says(name: Name) -> None:
    path = BUNDLED_MODELS[name].weights
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert path.stat().st_size <= 1_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card["sha256"]

    model = FACTORIES[name]()
    model.load_state_dict(load_file(path), strict=True)
    assert sum(parameter.numel() for parameter in model.parameters()) == card["parameters"]

    test = load_split("test")
    score = top1(model, test)
    assert score >= 0.97
    one_image = 1 / len(test.labels)  # may round the other way on another processor
    assert score == pytest.approx(card["test_top1"], abs=1.5 * one_image)


def test_the_students_card_also_says_what_labels_alone_reach() -> None:
    card = json.loads(BUNDLED_MODELS["digits_vit"].weights.with_suffix(".json").read_text(encoding="utf-8"))
    assert 0.97 <= card["reference"]["test_top1"] <= 1


@pytest.mark.parametrize("name", FACTORIES)
def test_models_state_their_preprocessing_and_give_ten_logits(name: Name) -> None:
    model = FACTORIES[name]().eval()
    assert model.default_cfg == model.pretrained_cfg == INPUT_CONFIG
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_vit_has_a_class_token_and_no_convolutional_stem() -> None:
    vit = digits_vit()
    assert (vit.num_prefix_tokens, vit.patch_embed.num_patches, len(vit.blocks)) == (1, 256, 6)
    convolutions = [module for module in vit.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [(conv.kernel_size, conv.stride) for conv in convolutions] == [((2, 2), (2, 2))]
