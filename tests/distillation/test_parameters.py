"""What is frozen, and which parameters have weight decay and which learning rate."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from timm.optim import create_optimizer_v2  # noqa: E402
from timm.scheduler import CosineLRScheduler  # noqa: E402
from torch import nn  # noqa: E402

from edgevit.distillation.parameters import freeze, is_small, parameter_groups, to_train_mode  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402


def _by_name(module: nn.Module, groups: list[dict[str, Any]], field: str) -> dict[str, Any]:
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return {names[id(parameter)]: group[field] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize("layer_decay", [None, 0.75])
def test_norms_biases_tokens_and_positions_have_no_weight_decay(layer_decay: float | None) -> None:
    vit = digits_vit()
    decay = _by_name(vit, parameter_groups(vit, 0.05, layer_decay), "weight_decay")
    assert decay.keys() == dict(vit.named_parameters()).keys()
    without = {name for name, value in decay.items() if value == 0}
    assert {
        "cls_token",
        "pos_embed",
        "norm.weight",
        "blocks.0.norm1.weight",
        "head.bias",
        "patch_embed.proj.bias",
    } <= without
    assert {name for name, value in decay.items() if value == 0.05} == {
        name for name, parameter in vit.named_parameters() if not is_small(parameter)
    }


def test_models_that_do_not_say_what_has_no_decay_are_told_by_shape() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1, 1, 4))
            self.layer = nn.Linear(4, 4)

    net = Net()
    assert _by_name(net, parameter_groups(net, 0.1), "weight_decay") == {
        "token": 0.0, "layer.weight": 0.1, "layer.bias": 0.0,
    }  # fmt: skip


def test_the_learning_rate_falls_by_the_factor_from_layer_to_layer_down_to_the_embedding() -> None:
    vit = digits_vit()
    groups = parameter_groups(vit, 0.05, 0.5)
    scale = _by_name(vit, groups, "lr_scale")
    assert scale["head.weight"] == 1
    assert [scale[f"blocks.{block}.attn.qkv.weight"] for block in range(6)] == [
        0.5 ** (6 - block) for block in range(6)
    ]
    assert scale["pos_embed"] == scale["patch_embed.proj.weight"] == 0.5**7
    optimizer = create_optimizer_v2(groups, opt="adamw", lr=1.0)
    CosineLRScheduler(optimizer, t_initial=10, t_in_epochs=False).step_update(0)
    assert _by_name(vit, optimizer.param_groups, "lr") == pytest.approx(scale)


def test_the_embedding_and_so_many_blocks_are_frozen() -> None:
    vit = digits_vit()
    freeze(vit, 2)
    trained = {name for name, parameter in vit.named_parameters() if parameter.requires_grad}
    assert trained == {
        name
        for name, _ in vit.named_parameters()
        if name.startswith(("blocks.2", "blocks.3", "blocks.4", "blocks.5", "norm.", "head."))
    }
    assert _by_name(vit, parameter_groups(vit, 0.05), "weight_decay").keys() == trained
    everything_but_the_head = digits_vit()
    freeze(everything_but_the_head, 6)
    assert {n for n, p in everything_but_the_head.named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}


def test_statistics_of_frozen_layers_stay() -> None:
    net = timm.create_model("resnet10t", num_classes=3)
    freeze(net, 2)
    to_train_mode(net)
    before = {name: value.clone() for name, value in net.named_buffers() if name.endswith("running_mean")}
    net(torch.randn(2, 3, 32, 32))
    changed = {name for name, value in net.named_buffers() if name in before and not torch.equal(value, before[name])}
    frozen = {f"{name.rpartition('.')[0]}.running_mean" for name, p in net.named_parameters() if not p.requires_grad}
    assert changed
    assert changed == before.keys() - frozen
    assert before.keys() & frozen


@pytest.mark.parametrize("blocks", [-1, 7])
def test_more_blocks_than_there_are_is_refused(blocks: int) -> None:
    with pytest.raises(UsageError, match="has 6 blocks") as caught:
        freeze(digits_vit(), blocks)
    assert caught.value.hint == "give 0 to 6"


def test_models_whose_layers_are_not_known_are_refused() -> None:
    for call in (lambda: freeze(digits_cnn(), 1), lambda: parameter_groups(digits_cnn(), 0.05, 0.75)):
        with pytest.raises(UsageError, match="DigitsCnn"):
            call()


def test_nothing_to_train_and_a_wrong_factor_are_refused() -> None:
    with pytest.raises(UsageError, match="no parameter to train"):
        parameter_groups(digits_vit().requires_grad_(False), 0.05)
    for factor in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="layer_decay"):
            parameter_groups(digits_vit(), 0.05, factor)
