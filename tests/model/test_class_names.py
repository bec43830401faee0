"""Names of classes that a model brings itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
from torch import nn

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.model.class_names import imagenet_class_names, own_class_names, stated_class_names  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

SPEC = ModelSpec(name="package.module:factory", pretrained=True)


def module(**attributes: Any) -> nn.Module:
    made = nn.Identity()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_the_names_of_a_configuration() -> None:
    named = module(pretrained_cfg={"label_names": ["cat", "dog"]})
    assert own_class_names(named, SPEC, 2) == ("cat", "dog")
    assert own_class_names(named, SPEC, 3) == ()  # of another head
    transformers_model = module(config=SimpleNamespace(id2label={1: "dog", 0: "cat"}))
    assert own_class_names(transformers_model, SPEC, 2) == ("cat", "dog")
    assert own_class_names(transformers_model, SPEC, 3) == ()


def test_a_module_may_state_its_names_itself() -> None:
    assert stated_class_names(module(class_names=["cat", "dog"]), 2) == ("cat", "dog")
    both = module(class_names=["a", "b", "c"], pretrained_cfg={"label_names": ["cat", "dog"]})
    assert stated_class_names(both, 2) == ("cat", "dog")  # the others are not complete
    assert stated_class_names(module(class_names=["a", 1]), 2) == ()


@pytest.mark.parametrize(
    "attributes",
    [{}, {"pretrained_cfg": {"label_names": [1, 2]}}, {"config": 1}, {"default_cfg": {"label_names": None}}],
)
def test_a_module_that_names_none(attributes: dict[str, Any]) -> None:
    assert own_class_names(module(**attributes), SPEC, 2) == ()


def test_a_configuration_says_nothing_of_other_weights() -> None:
    named = module(pretrained_cfg={"label_names": ["cat", "dog"]})
    for spec in (ModelSpec(name="a", weights=Path("w.pt")), ModelSpec(name="a", random_weights=True)):
        assert own_class_names(named, spec, 2) == ()


def test_timms_weights_are_imagenets_where_nothing_else_is_said() -> None:
    names = own_class_names(module(), ModelSpec(name="resnet18", pretrained=True), 1000)
    assert names == imagenet_class_names()
    assert (len(names), names[0][:5], names[999][:13]) == (1000, "tench", "toilet tissue")
    assert own_class_names(module(), ModelSpec(name="resnet18", pretrained=True), 1001) == ()


def test_the_bundled_models_name_the_digits() -> None:
    assert load_model(ModelSpec(name="digits_cnn")).class_names == tuple("0123456789")
