"""A start from a checkpoint of other classes or another input size: what is taken, what is new, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from timm.layers import resample_abs_pos_embed  # noqa: E402
from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import nn  # noqa: E402

from edgevit.distillation.distillation_token import with_distillation_token  # noqa: E402
from edgevit.distillation.start_weights import load_start_weights  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402

SIZES: dict[str, Any] = {"patch_size": 16, "embed_dim": 12, "depth": 2, "num_heads": 3}


def _vit(size: int = 224, classes: int = 1000, seed: int = 0, **changes: Any) -> nn.Module:
    torch.manual_seed(seed)
    vit = VisionTransformer(img_size=size, num_classes=classes, **{**SIZES, **changes})
    vit.pretrained_cfg = {"classifier": "head", "input_size": (3, 224, 224)}
    return vit


def _saved(module: nn.Module, folder: Path) -> Path:
    torch.save(module.state_dict(), folder / "start.pt")
    return folder / "start.pt"


def _equal(student: nn.Module, start: nn.Module) -> set[str]:
    """Names of the tensors that both have alike."""
    theirs = start.state_dict()
    return {
        name
        for name, value in student.state_dict().items()
        if name in theirs and value.shape == theirs[name].shape and torch.equal(value, theirs[name])
    }


def test_other_classes_get_a_new_classifier_and_all_else_is_taken(tmp_path: Path) -> None:
    start, student = _vit(), _vit(classes=5, seed=1)
    new = student.get_parameter("head.weight").clone()
    path = _saved(start, tmp_path)
    notes = load_start_weights(student, path)
    assert notes == (f"{path}: a new classifier (head) for 5 classes: the file has one for 1000",)
    assert _equal(student, start) == {name for name in start.state_dict() if not name.startswith("head.")}
    assert torch.equal(student.get_parameter("head.weight"), new)


def test_a_file_without_a_classifier_is_a_start_too(tmp_path: Path) -> None:
    start, student = _vit(classes=0), _vit(classes=5, seed=1)
    path = _saved(start, tmp_path)
    assert load_start_weights(student, path) == (f"{path}: a new classifier (head) for 5 classes: the file has none",)
    assert _equal(student, start) == start.state_dict().keys()


@pytest.mark.parametrize(("old", "new"), [(224, 384), (384, 224), (32, 16)])
def test_the_position_table_is_resampled_either_way(tmp_path: Path, old: int, new: int) -> None:
    start, student = _vit(old), _vit(new, seed=1)
    (note,) = load_start_weights(student, _saved(start, tmp_path))
    assert f"pos_embed [1, {(old // 16) ** 2 + 1}, 12] to [1, {(new // 16) ** 2 + 1}, 12]" in note
    table = student.get_parameter("pos_embed")
    assert torch.equal(table, resample_abs_pos_embed(start.get_parameter("pos_embed"), [new // 16] * 2))
    assert torch.equal(table[:, 0], start.get_parameter("pos_embed")[:, 0])  # the class token has no place in the image
    assert _equal(student, start) == start.state_dict().keys() - {"pos_embed"}


def test_a_smooth_table_survives_the_way_to_384_and_back(tmp_path: Path) -> None:
    start, large, back = _vit(224), _vit(384, seed=1), _vit(224, seed=2)
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 14), torch.linspace(-1, 1, 14), indexing="ij")
    smooth = torch.stack([rows, columns, rows * columns] * 4, dim=-1).reshape(1, 196, 12)
    with torch.no_grad():
        start.get_parameter("pos_embed")[:, 1:] = smooth
    load_start_weights(large, _saved(start, tmp_path))
    load_start_weights(back, _saved(large, tmp_path))
    difference = (back.get_parameter("pos_embed") - start.get_parameter("pos_embed")).abs()
    assert difference.max() < 0.05


def test_other_classes_and_another_size_at_once_are_both_said(tmp_path: Path) -> None:
    start, student = _vit(), _vit(384, 5, seed=1)
    notes = load_start_weights(student, _saved(start, tmp_path))
    assert ["pos_embed" in note for note in notes] == [True, False]
    assert "for 5 classes" in notes[1]
    with torch.no_grad():
        assert student.eval()(torch.zeros(1, 3, 384, 384)).shape == (1, 5)


def test_what_fits_is_loaded_without_a_word(tmp_path: Path) -> None:
    start, student = _vit(), _vit(seed=1)
    assert load_start_weights(student, _saved(start, tmp_path)) == ()
    assert _equal(student, start) == start.state_dict().keys()


def test_relative_position_tables_are_resampled(tmp_path: Path) -> None:
    settings = {"embed_dim": 12, "depths": (1, 1), "num_heads": (1, 2), "num_classes": 3}
    start = timm.create_model("swin_tiny_patch4_window7_224", img_size=56, window_size=7, **settings)
    student = timm.create_model("swin_tiny_patch4_window7_224", img_size=64, window_size=8, **settings)
    (note,) = load_start_weights(student, _saved(start, tmp_path))
    assert "relative_position_bias_table [169, 1] to [225, 1]" in note


def test_models_that_are_not_of_timm_get_both_too(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self, places: int, classes: int) -> None:
            super().__init__()
            self.position_embeddings = nn.Parameter(torch.randn(1, places, 4))
            self.fc = nn.Linear(4, classes)

    start, student = Net(17, 10), Net(26, 3)
    notes = load_start_weights(student, _saved(start, tmp_path))
    assert len(notes) == 2
    assert torch.equal(student.position_embeddings, resample_abs_pos_embed(start.position_embeddings, [5, 5]))


def test_a_student_with_a_distillation_token_starts_from_a_plain_one(tmp_path: Path) -> None:
    start = _vit(classes=5)
    torch.manual_seed(1)
    student = VisionTransformerDistilled(img_size=384, num_classes=5, **SIZES)
    student.pretrained_cfg = {"classifier": ("head", "head_dist"), "input_size": (3, 224, 224)}
    notes = load_start_weights(student, _saved(start, tmp_path))
    assert "distillation token" in notes[0]
    assert "pos_embed [1, 198, 12] to [1, 578, 12]" in notes[1]
    expected = with_distillation_token(start)
    assert _equal(student, expected) == expected.state_dict().keys() - {"pos_embed"}


def test_both_classifiers_of_a_student_with_two_heads_are_new(tmp_path: Path) -> None:
    start, student = with_distillation_token(_vit(classes=7)), with_distillation_token(_vit(classes=5, seed=1))
    student.pretrained_cfg = {"classifier": ("head", "head_dist")}  # type: ignore[assignment]
    notes = load_start_weights(student, _saved(start, tmp_path))
    assert [note.rpartition(": a new classifier ")[2][:11] for note in notes] == ["(head) for ", "(head_dist)"]


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (_vit(embed_dim=24), r"blocks.0.attn.proj.bias \[24\], not \[12\]"), (_vit(depth=3), "blocks.2.attn"), (_vit(class_token=False, global_pool="avg"), "cls_token"),
        (digits_cnn(), "features"),
    ],
    ids=["width", "depth", "no-class-token", "another-architecture"],
)  # fmt: skip
def test_whatever_else_does_not_fit_is_refused_and_named(tmp_path: Path, start: nn.Module, named: str) -> None:
    student = _vit(384, 5, seed=1)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    with pytest.raises(UsageError, match=named) as caught:
        load_start_weights(student, _saved(start, tmp_path))
    assert caught.value.hint == "is it the same architecture, with the same width, depth and patches?"
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_a_table_that_is_no_square_grid_is_refused(tmp_path: Path) -> None:
    start, student = _vit(), _vit(384)
    start.pos_embed = nn.Parameter(torch.zeros(1, 190, 12))
    with pytest.raises(UsageError, match="pos_embed"):
        load_start_weights(student, _saved(start, tmp_path))
