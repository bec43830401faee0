"""Cards of models: known counts, the work at another size, and which passes apply."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.commands.models import describe_model  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402


def test_a_transformer_of_known_size() -> None:
    """5.7 M parameters and 1.25 GMACs: Touvron et al., "Training data-efficient image transformers", 2021, table 1."""
    card = describe_model("vit_tiny_patch16_224")
    assert card.params == 5_717_416
    assert 1.2e9 < card.macs < 1.3e9
    assert card.transformer
    assert card.classes == 1000
    assert [each.refusal for each in card.passes] == ["", ""]


@pytest.mark.slow
def test_a_convolutional_network_at_another_size() -> None:
    """3.5 M parameters and 300 MMACs: Sandler et al., "MobileNetV2", 2018, table 4."""
    card, small = describe_model("mobilenetv2_100"), describe_model("mobilenetv2_100", (112, 112))
    assert card.params == small.params == 3_504_872
    assert 2.9e8 < card.macs < 3.2e8
    convolutions = [each.macs - 1280 * 1000 for each in (card, small)]  # the classifier does not see the size
    assert convolutions[1] < convolutions[0] / 3.5
    assert small.preprocessing.input_size == (112, 112)
    assert not card.transformer
    tokens, size = card.passes
    assert tokens.refusal
    assert not size.refusal


def test_a_model_of_one_size_only_says_so() -> None:
    with pytest.raises(UsageError):
        describe_model("digits_vit", (24, 24))


def test_a_card_has_the_published_figure_of_its_weights_or_none() -> None:
    known, unknown = describe_model("mobilenetv2_100", (64, 64)).published, describe_model("digits_cnn").published
    assert known is not None and (known.weights, known.input_size) == ("mobilenetv2_100.ra_in1k", 224)
    assert known.top1 == pytest.approx(0.72976) and known.source.endswith("results-imagenet.csv")
    assert unknown is None
