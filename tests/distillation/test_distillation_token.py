"""A plain vision transformer with a distillation token: what it begins with, and what its two heads return."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from edgevit.distillation.distillation_token import train_both_heads, with_distillation_token  # noqa: E402
from edgevit.distillation.losses import distillation_loss  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402

SIZES = {"img_size": 16, "patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 3, "num_classes": 5}
IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def _vit(**changes: object) -> nn.Module:
    torch.manual_seed(0)
    vit: nn.Module = VisionTransformer(**{**SIZES, **changes})
    nn.init.normal_(vit.head.weight)  # type: ignore[union-attr, arg-type]
    return vit


def test_the_token_its_position_and_its_head_begin_as_those_of_the_class() -> None:
    vit = _vit(qk_norm=True, init_values=0.1).eval()  # settings that timm's distilled model has to have too
    before = copy.deepcopy(vit.state_dict())
    distilled = with_distillation_token(vit)
    assert isinstance(distilled, VisionTransformerDistilled)
    assert not distilled.training
    for mine, theirs in (
        ("dist_token", "cls_token"),
        ("head_dist.weight", "head.weight"),
        ("head_dist.bias", "head.bias"),
    ):
        assert torch.equal(distilled.state_dict()[mine], before[theirs])
    positions = distilled.state_dict()["pos_embed"]
    assert torch.equal(positions[:, 1:], before["pos_embed"])
    assert torch.equal(positions[:, 0], positions[:, 1])
    assert all(torch.equal(value, before[name]) for name, value in vit.state_dict().items())


def test_it_computes_what_timm_builds_with_the_same_weights() -> None:
    distilled = with_distillation_token(_vit()).eval()
    built = VisionTransformerDistilled(**SIZES).eval()
    built.load_state_dict(distilled.state_dict())
    with torch.no_grad():
        assert torch.equal(distilled(IMAGES), built(IMAGES))


def test_positions_for_patches_alone_stay_as_they_are() -> None:
    vit = _vit(no_embed_class=True)
    distilled = with_distillation_token(vit).eval()
    assert torch.equal(distilled.state_dict()["pos_embed"], vit.state_dict()["pos_embed"])
    assert distilled(IMAGES).shape == (4, 5)


def test_two_heads_in_training_and_their_mean_at_inference() -> None:
    distilled = with_distillation_token(_vit())
    nn.init.normal_(distilled.get_submodule("head_dist").weight)  # type: ignore[arg-type]
    assert train_both_heads(distilled)
    heads = distilled.train()(IMAGES)
    assert [tuple(head.shape) for head in heads] == [(4, 5), (4, 5)]
    with torch.no_grad():
        assert torch.allclose(distilled.eval()(IMAGES), (heads[0] + heads[1]) / 2, atol=1e-6)


def test_each_head_gets_its_gradient_from_its_own_teacher() -> None:
    distilled = with_distillation_token(_vit()).train()
    train_both_heads(distilled)

    def gradients(labels: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        loss = distillation_loss("hard", distilled(IMAGES), teacher, labels, 1.0)
        weights = [distilled.get_parameter(f"{head}.weight") for head in ("head", "head_dist")]
        of_class, of_teacher = torch.autograd.grad(loss, weights)
        return of_class, of_teacher

    teacher, labels = torch.eye(5)[:4], torch.tensor([0, 1, 2, 3])
    of_class, of_teacher = gradients(labels, teacher)
    other_labels, other_teacher = gradients(labels + 1, teacher), gradients(labels, teacher.flip(0))
    assert not torch.equal(other_labels[0], of_class)
    assert torch.equal(other_labels[1], of_teacher)
    assert torch.equal(other_teacher[0], of_class)
    assert not torch.equal(other_teacher[1], of_teacher)


def test_models_with_one_head_have_no_second_to_train() -> None:
    assert not train_both_heads(digits_vit())
    assert not train_both_heads(digits_cnn())


@pytest.mark.parametrize(
    "model",
    [
        digits_cnn(), _vit(class_token=False, global_pool="avg"), _vit(reg_tokens=2), _vit(global_pool="avg"),
        _vit(pos_embed="none"), with_distillation_token(_vit()),
    ],
    ids=["cnn", "no-class-token", "registers", "mean", "no-positions", "has-one"],
)  # fmt: skip
def test_models_that_cannot_have_the_token_are_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="distillation token") as caught:
        with_distillation_token(model)
    assert caught.value.hint
