"""What a model's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.model.names import ModelKind, folder_of, has_own_weights, is_captured, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("digits_vit", "bundled"),
        ("vit_tiny_patch16_224", "timm"),
        ("vit_tiny_patch16_224.augreg_in21k", "timm"),
        ("nets/model.pt2", "captured"),
        ("package.module:factory", "factory"),
        ("package.module:pt2", "factory"),
        ("hf-hub:timm/resnet18.a1_in1k", "hub"),
        ("local-dir:models/mine", "local"),
        ("transformers:google/vit-base-patch16-224", "transformers"),
    ],
)
def test_kinds(name: str, kind: ModelKind) -> None:
    assert kind_of(name) == kind
    assert is_captured(name) == (kind == "captured")


def test_weights_come_with_what_is_on_this_machine(tmp_path: Path) -> None:
    assert [
        has_own_weights(name) for name in ("digits_vit", "a.pt2", f"local-dir:{tmp_path}", f"transformers:{tmp_path}")
    ] == [True] * 4
    for name in ("resnet18", "a:b", "hf-hub:timm/resnet18", "transformers:google/vit"):
        assert not has_own_weights(name)
    assert folder_of(f"transformers:{tmp_path}") == tmp_path
    assert folder_of("transformers:google/vit") is None
    assert folder_of("local-dir:nowhere") == Path("nowhere")  # it is meant as one
