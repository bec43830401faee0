"""Which models are encoders, and why others are not."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.tokens.captured.encoder import find_encoder  # noqa: E402

# isort: split
from tests.encoders import each_encoder, own_gated, post_norm, shared_encoder  # noqa: E402
from tests.models import SMALL_VIT_KINDS, SMALL_VIT_PATCHES, SMALL_VIT_PREFIX, small_vit  # noqa: E402

SIZE = (32, 32)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind == "registers" else [pytest.mark.slow]) for kind in SMALL_VIT_KINDS]
)
def test_prefix_tokens_of_a_vit_are_told_from_patches(kind: str) -> None:
    found = find_encoder(small_vit(kind), SIZE)
    assert (found.prefix, found.patches, len(found.blocks)) == (SMALL_VIT_PREFIX[kind], SMALL_VIT_PATCHES, 3)
    assert found.reader == (None if "average" in kind else 0)


@pytest.mark.parametrize("name", each_encoder())
def test_encoders_are_found(name: str) -> None:
    found = find_encoder(shared_encoder(name), SIZE)
    prefix = 0 if "mean" in name else 1
    assert (found.prefix, found.patches, len(found.blocks)) == (prefix, SMALL_VIT_PATCHES, 3)
    assert found.reader == (0 if prefix else None)
    assert found.tokens_first == ("tokens first" in name)


@pytest.mark.slow
@pytest.mark.parametrize("make", [own_gated, post_norm, functools.partial(post_norm, batch_first=False)])
def test_gates_and_norms_behind_are_no_hindrance(make: Callable[[], nn.Module]) -> None:
    assert len(find_encoder(make(), SIZE).blocks) == 3


@pytest.mark.slow
def test_attention_that_pools_is_no_block() -> None:
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=4, embed_dim=48, depth=2, num_heads=3, num_classes=5,
        global_pool="map", class_token=False,
    ).eval()  # fmt: skip
    assert len(find_encoder(model, SIZE).blocks) == 2


def test_a_module_is_captured_once() -> None:
    model = shared_encoder("torchvision")
    assert find_encoder(model, SIZE) is find_encoder(model, SIZE)


class Plain(nn.Module):
    """A ViT of two blocks on 16 patches, of which one part is changed."""

    def __init__(self, change: str) -> None:
        super().__init__()
        self.change = change
        self.embed, self.norm = nn.Conv2d(3, 8, 8, 8), nn.LayerNorm(8)
        self.token, self.position = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 17, 8))
        self.bias = nn.Parameter(torch.randn(17, 17))
        self.qkv, self.grid, self.mix = nn.Linear(8, 24), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(17, 17)
        self.head = nn.Linear(8, 5)

    def attend(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=-1)
        change = self.change
        if change == "rotary":
            query, key = query * self.position.cos(), key * self.position.cos()
        if change == "linear attention":
            return query.softmax(-1) @ (key.softmax(1).transpose(1, 2) @ value)
        if change == "no softmax":
            return (query @ key.transpose(1, 2)).relu() @ value
        if change == "causal":
            return nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        if change == "mask":
            return nn.functional.scaled_dot_product_attention(query, key, value, self.bias)
        scores = query @ key.transpose(1, 2)
        return (scores + self.bias if change == "relative" else scores).softmax(-1) @ value

    def forward(self, images: Tensor) -> Tensor:
        change = self.change
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        early = x
        for block in range(2):
            if change == "parallel":
                x = x + self.attend(x) + self.norm(x)
                continue
            x = x + self.attend(x)
            if change == "convolution":
                patches = x[:, 1:].transpose(1, 2).reshape(-1, 8, 4, 4)
                x = torch.cat([x[:, :1], self.grid(patches).flatten(2).transpose(1, 2)], 1)
            if change == "mixer":
                x = x + self.mix(x.transpose(1, 2)).transpose(1, 2)
            if change == "position in each block":
                x = x + self.position
            if change == "more tokens" and block == 0:
                x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        if change == "read again":
            x = x + early
        x = self.norm(x)
        if change == "tokens out":
            return self.head(x)
        if change == "a patch":
            return self.head(x[:, 5])
        if change == "flattened":
            return self.head(x.flatten(1)[:, :8])
        return self.head(x[:, 0])


CAUSES = {
    "rotary": "rotary", "linear attention": "no softmax attention among tokens", "no softmax": "no softmax attention",
    "parallel": "tokens from before the attention of block 1 are read again", "causal": "causal", "mask": "mask or a position bias", "relative": "mask or a position bias",
    "convolution": "cut into groups", "mixer": "mixes tokens by their places",
    "position in each block": "repeated position embeddings", "more tokens": "further tokens are concatenated",
    "read again": "tokens from before the attention of block 2 are read again", "tokens out": "a value for each token",
    "a patch": "picked by its place", "flattened": "picked by their places",
}  # fmt: skip


def refusal(model: nn.Module, size: tuple[int, int] = SIZE) -> UsageError:
    with pytest.raises(UsageError) as caught:
        find_encoder(model.eval(), size)
    return caught.value


def test_the_plain_one_is_an_encoder() -> None:
    assert len(find_encoder(Plain("").eval(), SIZE).blocks) == 2


@pytest.mark.parametrize("change", CAUSES)
def test_what_needs_the_places_of_tokens_is_refused_with_its_cause(change: str) -> None:
    error = refusal(Plain(change))
    assert re.search(CAUSES[change], error.message), error.message
    assert "--tokens resolution:N" in str(error.hint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given", "cause"),
    [
        ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1), "embed_dim": 24}, "mask or a position bias"),
        ("test_resnet", {}, "no softmax attention"),
        ("mobilevit_xxs", {}, "cut into groups, as windows are"),
        ("eva02_tiny_patch14_224", {"depth": 1, "img_size": 28}, "rotary"),
        ("xcit_nano_12_p16_224", {"depth": 1}, "over channels"),
        ("levit_128s", {}, "mask or a position bias"),
    ],
)
def test_other_families_are_refused_with_their_cause(name: str, given: dict[str, Any], cause: str) -> None:
    model = timm.create_model(name, **given)
    size = model.default_cfg["input_size"][1:] if "img_size" not in given else (given["img_size"],) * 2
    error = refusal(model, size)
    assert type(model).__name__ in error.message
    assert re.search(cause, error.message), error.message


def test_a_module_that_torch_cannot_capture_is_refused() -> None:
    class Branching(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) if images.sum() > 0 else -images.flatten(1)

    assert "torch.export cannot capture the model" in refusal(Branching()).message


@pytest.mark.slow
def test_blocks_that_add_attention_and_mlp_at_once_end_at_that_add() -> None:
    parallel = timm.models.vision_transformer.ParallelScalingBlock
    model = timm.create_model("test_vit", block_fn=parallel).eval()
    found = find_encoder(model, (160, 160))
    assert [block.entering for block in found.blocks[1:]] == [block.joined for block in found.blocks[:-1]]
