from __future__ import annotations

import pytest
import torch

from edgevit.devices.captured_graph import captured_graph
from edgevit.devices.published_models import build_published
from edgevit.errors import UsageError


@pytest.mark.parametrize(
    ("model", "mega"), [("*MobileNetV1 0.5", 149), ("*ShuffleNetV1 1.0x (g=3)", 137), ("*ProxylessNAS", 320)]
)
def test_networks_that_timm_lacks_have_their_published_macs(model: str, mega: int) -> None:
    with torch.device("meta"):
        built = build_published(model, (224, 224))
    assert captured_graph(built, (3, 224, 224)).macs / 1e6 == pytest.approx(mega, rel=0.03)


@pytest.mark.parametrize("model", ["*VargConvNet", "no_such_model"])
def test_a_network_without_a_definition(model: str) -> None:
    with pytest.raises(UsageError, match="no definition|no model"):
        build_published(model, (224, 224))
