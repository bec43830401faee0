"""Which family a network is of."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.family import family_of  # noqa: E402


def one_conv() -> nn.Module:
    """A single convolution whose windows overlap: no patches."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 5))


@pytest.mark.parametrize(("build", "family"), [(digits_vit, "vit"), (digits_cnn, "cnn"), (one_conv, "cnn")])
def test_small_networks(build, family: str) -> None:  # type: ignore[no-untyped-def]
    assert family_of(capture(build().eval(), (32, 32))) == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("swin_tiny_patch4_window7_224", "vit"),
        ("mixer_s32_224", "vit"),
        ("mobilenetv3_small_050", "cnn"),
        ("levit_128s", "hybrid"),
        ("efficientformerv2_s0", "hybrid"),
        ("mobilevit_xxs", "hybrid"),
    ],
)
@pytest.mark.slow
def test_published_networks(name: str, family: str) -> None:
    size = (256, 256) if name.startswith("mobilevit") else (224, 224)
    assert family_of(capture(timm.create_model(name).eval(), size)) == family
