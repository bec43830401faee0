"""What can leave a model."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.forward_cost import forward_cost  # noqa: E402
from edgevit.pruning.shrink import shrink  # noqa: E402
from edgevit.pruning.units import KINDS, Group, find_groups, require_groups, unit_macs  # noqa: E402

# isort: split
from tests.pruning.networks import SIDE, pixels, small_residuals, small_vit  # noqa: E402


def test_groups_are_found_in_their_order() -> None:
    vit, residuals = small_vit(), small_residuals()
    assert find_groups(vit, "mlp") == tuple(Group(f"blocks.{n}.mlp", "mlp", f"blocks.{n}.mlp.fc2", 64) for n in (0, 1))
    heads = tuple(Group(f"blocks.{n}.attn", "heads", f"blocks.{n}.attn.proj", 4, 8) for n in (0, 1))
    assert find_groups(vit, "heads") == heads
    assert find_groups(residuals, "channels") == tuple(Group(n, "channels", f"{n}.conv_pwl", 48) for n in "12")
    assert find_groups(vit, "channels") == find_groups(residuals, "heads") == ()
    assert heads[0].inputs([1, 3]) == [*range(8, 16), *range(24, 32)]


def test_what_mixes_units_before_they_are_read_is_left_alone() -> None:
    from timm.layers.mlp import GluMlp, Mlp
    from timm.layers.squeeze_excite import SqueezeExcite
    from timm.models._efficientnet_blocks import InvertedResidual
    from timm.models.vision_transformer import Attention

    parts: list[Any] = [
        Mlp(8, 16, norm_layer=torch.nn.LayerNorm),
        Mlp(8, 16, use_conv=True),
        GluMlp(8, 16),
        Attention(32, 4, scale_norm=True, norm_layer=torch.nn.LayerNorm),
        Attention(32, 4, gated=True),
        InvertedResidual(8, 8, exp_ratio=2.0, se_layer=SqueezeExcite),
        InvertedResidual(8, 8, exp_ratio=2.0, group_size=2),
    ]
    for part in parts:
        assert [group for kind in KINDS for group in find_groups(torch.nn.Sequential(part), kind)] == []


def test_a_model_without_such_units_is_told_what_it_has() -> None:
    with pytest.raises(UsageError, match="--prune channels: VisionTransformer has no inverted residual") as refused:
        require_groups(small_vit(), "channels")
    assert refused.value.hint == "what can be pruned here: mlp=…, heads=…"
    with pytest.raises(UsageError) as refused:
        require_groups(torch.nn.Flatten(), "mlp")
    assert "resolution:N" in str(refused.value.hint)


@pytest.mark.parametrize("kind", KINDS)
def test_macs_of_a_unit_are_what_removing_it_saves(kind: Any) -> None:
    module = small_residuals() if kind == "channels" else small_vit()
    groups = find_groups(module, kind)
    costs = unit_macs(module, groups, pixels(1))
    before = forward_cost(module, (SIDE, SIDE)).macs
    for group in groups:
        after = forward_cost(shrink(module, {group: range(group.units - 1)}, {}), (SIDE, SIDE)).macs
        assert costs[group.name] == pytest.approx(before - after)
