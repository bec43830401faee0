"""Published figures: known ones, and that those carried name weights that timm has."""

from __future__ import annotations

import csv

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from edgevit.model.published import FIGURES, SOURCE, PublishedTop1, published_top1  # noqa: E402


def test_the_figure_of_a_name_is_that_of_timms_default_weights() -> None:
    expected = PublishedTop1("vit_tiny_patch16_224.augreg_in21k_ft_in1k", pytest.approx(0.75454), 224, SOURCE)
    assert published_top1("vit_tiny_patch16_224") == expected
    assert published_top1("vit_tiny_patch16_224.augreg_in21k_ft_in1k") == expected
    older = published_top1("resnet50.tv_in1k")
    assert older is not None and (older.top1, older.input_size) == (pytest.approx(0.7613), 224)


@pytest.mark.parametrize(
    "name", ["digits_vit", "test_vit", "vit_tiny_patch16_224.no_such_tag", "a.b:make", "net.pt2", "hf-hub:a/b"]
)
def test_no_figure_is_made_up(name: str) -> None:
    assert published_top1(name) is None


def test_every_figure_is_of_weights_that_timm_has_and_named_once() -> None:
    with FIGURES.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [row["weights"] for row in rows]
    assert names == sorted(set(names)) and len(names) > 50
    assert set(names) <= set(timm.list_models(pretrained=True))
    assert all(50 < float(row["top1_percent"]) < 91 and 160 <= int(row["input_size"]) <= 512 for row in rows)
    assert SOURCE.startswith("https://github.com/huggingface/pytorch-image-models/blob/")
