"""What ``edgevit explain`` finds is what the model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

import torch
from PIL import Image

from edgevit.commands import explain as command
from edgevit.commands.explain import Shown, explain
from edgevit.commands.given_images import open_given
from edgevit.data.preprocess import preprocess, resize_and_crop
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.explanation import Explanation, ImageView
from edgevit.run.progress import Silent
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides
from edgevit.spec.token_plan import parse_plan
from edgevit.tokens.reduce import reduce_tokens
from tests import models

CONTRACT = Preprocessing((30, 46), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def small_vit(**given: Any) -> Any:
    """A plain vision transformer on 7 x 11 patches of 4 x 4 pixels; 2 pixels are left over on each axis."""
    module = models.small_vit(**{"img_size": (30, 46), "embed_dim": 24, "depth": 4, **given})
    module.default_cfg = module.pretrained_cfg = {
        "input_size": (3, 30, 46), "mean": CONTRACT.mean, "std": CONTRACT.std, "crop_pct": 1.0,
    }  # fmt: skip
    return module


def mean_vit() -> Any:
    """Without a class token."""
    return small_vit(class_token=False, global_pool="avg")


def registers_vit() -> Any:
    """With a class token and registers before the patches."""
    return small_vit(reg_tokens=3)


SPEC = ModelSpec(name=f"{__name__}:small_vit", random_weights=True)


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Two noisy images of another size than the model's."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in (0, 1):
        noise = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{seed}.png")
    return [str(folder / f"{seed}.png") for seed in (0, 1)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[ImageView]:
    """Takes the place of drawing; keeps what was to be drawn."""
    views: list[ImageView] = []
    monkeypatch.setattr(command, "draw_image", lambda view, path: views.append(view))
    monkeypatch.setattr(command, "draw_distances", lambda *found: None)
    return views


def run(
    spec: ModelSpec, images: list[str], plan: str | None, out: Path, module: Any, monkeypatch: pytest.MonkeyPatch
) -> Explanation:
    """Explains a module that a test holds, so that both see the same weights."""
    from edgevit.model.load import Model

    model = Model(spec.name, module, CONTRACT, 5, True)
    monkeypatch.setattr(command, "open_model", lambda *question: model)
    return explain(spec, images, Shown(parse_plan(plan) if plan else None), out, Silent())


@pytest.mark.parametrize("plan", ["evit:0.5@1,3", "evit_fused:0.5@1,3", "tome:9@1,2", "squeeze:1=50,3=20"])
@pytest.mark.parametrize("make", [small_vit, mean_vit, registers_vit])
def test_sites_are_those_of_the_reduced_model(
    plan: str, make: Any, images: list[str], drawn: list[ImageView], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = make()
    found = run(SPEC, images, plan, tmp_path / "out", module, monkeypatch)
    reduced = reduce_tokens(module, parse_plan(plan))
    assert [(site.block, site.tokens, site.patches) for site in found.sites] == [
        (site.block, site.tokens, 77) for site in reduced.sites
    ]
    for view, image in zip(drawn, images, strict=True):
        with Image.open(image) as opened, torch.inference_mode():
            sources = reduced.sources(torch.from_numpy(preprocess(opened, CONTRACT)[None]))
            assert np.array_equal(view.pixels, resize_and_crop(opened, CONTRACT)[:28, :44])
        for site, parts in zip(view.sites, sources, strict=True):
            assert site.groups.shape == (7, 11)
            groups = site.groups.ravel().tolist()
            if site.merges:
                assert sorted(set(groups)) == list(range(site.tokens))
                assert all(parts[0, token, patch] > 0 for patch, token in enumerate(groups))
            else:
                own = site.tokens - plan.startswith("evit_fused")
                kept = [token for token in groups if token >= 0]
                assert len(kept) == len(set(kept)) in (own, own - 1)  # a token fused before may be among those kept
                assert all(parts[0, token, patch] == 1 for patch, token in enumerate(groups) if token >= 0)


@pytest.mark.parametrize("make", [small_vit, mean_vit, registers_vit])
def test_attention_is_the_models_own(
    make: Any, images: list[str], drawn: list[ImageView], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against timm's attention, asked for its matrix by an identity in place of values."""
    module = make()
    found = run(SPEC, images[:1], None, tmp_path / "out", module, monkeypatch)
    first = module.num_prefix_tokens
    seen: list[torch.Tensor] = []

    def matrix(attn: Any, given: tuple[torch.Tensor, ...]) -> None:
        x = given[0]
        qkv = attn.qkv(x).reshape(1, x.shape[1], 3, 3, 8).permute(2, 0, 3, 1, 4)
        itself = torch.eye(x.shape[1]).expand(1, 3, -1, -1)
        seen.append(torch.nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], itself)[0])

    for block in module.blocks:
        block.attn.register_forward_pre_hook(matrix)
    with Image.open(images[0]) as opened, torch.inference_mode():
        module(torch.from_numpy(preprocess(opened, CONTRACT)[None]))
    flow = torch.eye(77 + first)
    for attention in seen:
        flow = (0.5 * attention.mean(dim=0) + 0.5 * torch.eye(77 + first)) @ flow
    read = (flow[0] if first else flow.mean(dim=0))[first:]
    np.testing.assert_allclose(drawn[0].heats[-1].weights.ravel(), read / read.sum(), rtol=1e-4)
    assert drawn[0].heats[-1].weights.sum() == pytest.approx(1, rel=1e-5)

    centres = [(4.0 * (patch // 11), 4.0 * (patch % 11)) for patch in range(77)]
    between = torch.cdist(torch.tensor(centres), torch.tensor(centres))
    for heads, attention in zip(found.attention_distance.pixels, seen, strict=True):
        weights = attention[:, first:, first:]
        expected = ((weights * between).sum(-1) / weights.sum(-1)).mean(-1)
        assert heads == pytest.approx(expected.tolist(), rel=1e-3)
    assert found.attention_distance.uniform_pixels == pytest.approx(between.mean().item(), rel=1e-3)


def test_distances_are_means_over_images(
    images: list[str], drawn: list[ImageView], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = small_vit()
    together, *alone = (
        np.array(run(SPEC, some, None, tmp_path, module, monkeypatch).attention_distance.pixels)
        for some in (images, images[:1], images[1:])
    )
    assert together.shape == (4, 3)
    np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, rtol=1e-5)


@pytest.mark.slow
def test_files_of_the_same_name_are_numbered(images: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Path(images[0]).rename(other / "1.png")
    keep = tmp_path / "results" / "out" / "mine.txt"
    keep.parent.mkdir(parents=True)
    keep.write_text("mine")
    third = other / "1.2.png"
    third.write_bytes(Path(images[1]).read_bytes())
    given = [str(other / "1.png"), images[1], str(third)]
    found = explain(SPEC, given, Shown(), tmp_path / "results" / "out", Silent())
    names = ["explain_1.png", "explain_1.2.png", "explain_1.2.2.png", "attention_distance.png"]
    assert [Path(path).name for path in found.files] == names
    assert {path.name for path in (tmp_path / "results" / "out").iterdir()} == {*names, "mine.txt"}
    before = [Path(path).read_bytes() for path in found.files]
    again = explain(SPEC, given, Shown(), tmp_path / "results" / "out", Silent())
    assert [Path(path).read_bytes() for path in again.files] == before


def test_an_image_is_never_overwritten(images: list[str], tmp_path: Path) -> None:
    image = Path(images[0]).rename(tmp_path / "attention_distance.png")
    content = image.read_bytes()
    with pytest.raises(UsageError, match="is one of the images, and would be overwritten"):
        explain(SPEC, [str(image)], Shown(), tmp_path, Silent())
    assert image.read_bytes() == content


def test_digits_go_by_id() -> None:
    opened = open_given(["digits-0010", "digits-0024"])
    assert opened.image("digits-0024").size == (32, 32)
    assert opened.image("digits-0010") != opened.image("digits-0024")


def test_a_file_goes_before_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (7, 9)).save(tmp_path / "digits-0010", format="PNG")
    assert open_given(["digits-0010", "digits-0024"]).image("digits-0010").size == (7, 9)


def test_one_layer_and_head_is_the_attention_of_that_block(
    images: list[str], drawn: list[ImageView], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgevit.model.load import Model
    from edgevit.tokens.attention_reader import open_attention

    module = small_vit()
    monkeypatch.setattr(command, "open_model", lambda *question: Model(SPEC.name, module, CONTRACT, 5, True))
    found = explain(SPEC, images[:1], Shown(layer=2, head=1), tmp_path / "out", Silent())
    explain(SPEC, images[:1], Shown(layer=2), tmp_path / "out", Silent())
    with Image.open(images[0]) as opened, torch.inference_mode():
        batch = torch.from_numpy(preprocess(opened, CONTRACT)[None])
        attention = list(open_attention(module, CONTRACT.input_size).blocks(batch))[1][0, :, 0, 1:]
    for view, row in zip(drawn, (attention[0], attention.mean(dim=0)), strict=True):
        np.testing.assert_allclose(view.heats[0].weights.ravel(), (row / row.sum()).numpy(), rtol=1e-5)
    assert [view.heats[0].title for view in drawn] == ["block 2, head 1", "block 2, mean of its heads"]
    assert (found.layer, found.head, [each.model for each in found.images[0].answers]) == (2, 1, ["dense"])


def test_a_model_with_neither_attention_nor_maps_is_refused(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perceptron = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 30 * 46, 5)).eval()
    with pytest.raises(
        UsageError, match="cannot explain .*; nor by Grad-CAM: its convolutions make no map of features"
    ):
        run(SPEC, images, None, tmp_path / "out", perceptron, monkeypatch)
    assert not (tmp_path / "out").exists()


def test_patches_of_another_size_are_refused(images: list[str], tmp_path: Path) -> None:
    preprocessing = PreprocessingOverrides(input_size=(28, 44))
    spec = ModelSpec(name=f"{__name__}:wrong_size", random_weights=True, preprocessing=preprocessing)
    with pytest.raises(UsageError, match="28 x 44 pixels: its 8 x 12 patches"):
        explain(spec, images, Shown(), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()


def wrong_size() -> Any:
    """Takes images of any size, but its patches are those of one."""
    return small_vit(img_size=(32, 48), dynamic_img_size=True)
