"""Students as they begin: from weights that fit or are made to, from scratch, frozen, with a token, with fewer tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file, save_file  # noqa: E402
from timm.layers import DropPath  # noqa: E402

from edgevit.distillation.student import open_student, prepare_student, set_drop_path  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.spec.spec import DistillSpec, ModelSpec  # noqa: E402
from edgevit.tokens.reduction import ReducedModel  # noqa: E402
from tests.distillation.small import small_model  # noqa: E402
from tests.models import small_vit  # noqa: E402

LABELS_ALONE = DistillSpec()
TAUGHT = DistillSpec(teacher=ModelSpec(name="t"))


def student(settings: DistillSpec = LABELS_ALONE, **given: Any) -> Any:
    return open_student(ModelSpec(**{"name": "digits_vit", **given}), settings, seed=0)


def test_a_bundled_model_has_its_weights_unless_it_begins_from_scratch() -> None:
    bundled = load_file(BUNDLED_MODELS["digits_vit"].weights)
    assert torch.equal(student().module.state_dict()["norm.weight"], bundled["norm.weight"])
    scratch = student(random_weights=True)
    assert torch.equal(scratch.module.norm.weight, torch.ones_like(scratch.module.norm.weight))
    assert not scratch.random_weights  # it will be trained
    other = open_student(ModelSpec(name="digits_vit", random_weights=True), LABELS_ALONE, seed=1)
    assert not torch.equal(scratch.module.pos_embed, other.module.pos_embed)


def test_weights_of_other_classes_are_made_to_fit_and_it_is_said(tmp_path: Path) -> None:
    state = load_file(BUNDLED_MODELS["digits_vit"].weights)
    state["head.weight"], state["head.bias"] = state["head.weight"][:4].clone(), state["head.bias"][:4].clone()
    save_file(state, tmp_path / "w.safetensors")
    made = student(weights=tmp_path / "w.safetensors")
    assert torch.equal(made.module.state_dict()["norm.weight"], state["norm.weight"])
    assert made.module.head.weight.shape[0] == 10
    assert any("a new classifier (head) for 10 classes: the file has one for 4" in note for note in made.notes)


def test_a_token_can_be_given() -> None:
    made = student(DistillSpec(teacher=ModelSpec(name="t"), token=True))
    assert made.module.num_prefix_tokens == 2
    with pytest.raises(UsageError, match="cannot be given a distillation token"):
        open_student(ModelSpec(name="digits_cnn"), DistillSpec(teacher=ModelSpec(name="t"), token=True), 0)


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(UsageError, match="no classifier of at least two classes"):
        open_student(ModelSpec(name="resnet10t", random_weights=True, num_classes=0), LABELS_ALONE, 0)


def test_all_is_trained_but_what_is_frozen() -> None:
    prepared = prepare_student(student(), LABELS_ALONE)
    assert all(value.requires_grad for value in prepared.module.parameters())
    prepared = prepare_student(student(), DistillSpec(freeze=2))
    frozen = {name for name, value in prepared.module.named_parameters() if not value.requires_grad}
    assert {"cls_token", "pos_embed", "blocks.1.mlp.fc1.weight"} <= frozen
    assert not any(name.startswith(("blocks.2", "norm", "head")) for name in frozen)
    with pytest.raises(UsageError, match="--freeze 9"):
        prepare_student(student(), DistillSpec(freeze=9))


def test_a_token_plan_is_trained_with_the_parameters_of_the_whole_model() -> None:
    model = student()
    prepared = prepare_student(model, DistillSpec(freeze=1), "evit:0.5@2")
    assert isinstance(prepared.module, ReducedModel)
    assert prepared.original.state_dict().keys() == model.module.state_dict().keys()
    logits = prepared.module.train()(torch.zeros(2, 3, 32, 32))
    logits.sum().backward()
    assert prepared.original.head.weight.grad is not None  # type: ignore[union-attr]
    assert prepared.original.blocks[0].mlp.fc1.weight.grad is None  # type: ignore[union-attr, index]
    with pytest.raises(UsageError, match="drop_path has no effect"):
        prepare_student(student(), DistillSpec(drop_path=0.1), "evit:0.5@2")


def test_branches_are_left_out_more_often_towards_the_output() -> None:
    vit = small_vit(depth=3)
    set_drop_path(vit, 0.2)
    shares = [part.drop_prob for part in vit.modules() if isinstance(part, DropPath)]
    assert shares == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.2, 0.2])
    with pytest.raises(UsageError, match="no residual branches"):
        set_drop_path(small_model(0).module, 0.2)
