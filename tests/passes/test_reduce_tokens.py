"""Token reduction in real models."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.capture import capture, count_macs  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.passes.reduce_tokens import CutMargins, check_reducible, reduce_tokens  # noqa: E402
from edgevit.token_plan import TokenPlan  # noqa: E402


def small_vit(name: str = "vit_tiny_patch16_224", **given: Any) -> nn.Module:
    """A plain vision transformer of few, small blocks on 8 x 8 patches."""
    torch.manual_seed(0)
    given = {"img_size": 32, "patch_size": 4, "embed_dim": 48, "depth": 4, "num_heads": 3, "num_classes": 5, **given}
    return sharpen(timm.create_model(name, **given).eval())


def sharpen(model: Any) -> nn.Module:
    """Lets attention differ between tokens, as in a trained model: random weights make it flat."""
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight.mul_(12)
        nn.init.normal_(model.pos_embed, std=1.0)
        nn.init.normal_(model.head.weight, std=0.5)
    return model  # type: ignore[no-any-return]


def image(seed: int = 0, size: int = 32, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def tokens_per_block(reduced: Any, pixels: torch.Tensor) -> list[int]:
    """How many tokens each block's MLP sees."""
    seen: list[int] = []
    hooks = [
        block.norm2.register_forward_hook(lambda *call: seen.append(call[2].shape[1])) for block in reduced.vit.blocks
    ]
    with torch.inference_mode():
        reduced(pixels)
    for hook in hooks:
        hook.remove()
    return seen


def closed_form(width: int, depth: int, plan: TokenPlan, patches: int, patch_values: int, classes: int) -> int:
    """MACs of a ViT with a class token: 4 N D² + 2 N² D in attention, 8 N' D² in the MLP, embedding and head."""
    counts = dict(zip(plan.sites, plan.counts(patches), strict=True))
    tokens, total = patches + 1, patches * patch_values * width + classes * width
    for block in range(1, depth + 1):
        total += 4 * tokens * width**2 + 2 * tokens**2 * width
        tokens = counts.get(block, tokens - 1) + 1
        total += 8 * tokens * width**2
    return total


@pytest.mark.parametrize(("ratio", "published"), [("0.7", 0.821), ("0.8", 0.942), ("0.9", 1.092)])
def test_macs_of_vit_tiny_are_those_of_the_closed_form(ratio: str, published: float) -> None:
    """The published GMACs are of EViT with a fused token more at each site."""
    plan = TokenPlan.parse(f"evit:{ratio}@4,7,10")
    expected = closed_form(192, 12, plan, 196, 768, 1000)
    assert 0.985 * published < expected / 1e9 < published
    torch.manual_seed(0)
    reduced = reduce_tokens(timm.create_model("vit_tiny_patch16_224").eval(), plan)
    assert count_macs(capture(reduced, (224, 224))) == pytest.approx(expected, rel=1e-6)


def test_the_counts_of_the_plan_are_kept() -> None:
    plan = TokenPlan.parse("evit:0.7@1,3")
    assert plan.counts(64) == (45, 32)
    assert tokens_per_block(reduce_tokens(small_vit(), plan), image()) == [46, 46, 33, 33]


def test_the_users_model_is_untouched() -> None:
    model = small_vit()
    before, expected = copy.deepcopy(model.state_dict()), model(image())
    reduced = reduce_tokens(model, TokenPlan.parse("evit:0.5@1,2"))
    with torch.no_grad():
        for parameter in reduced.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(model(image()), expected)
    assert not hasattr(model, "keep")


def test_reduction_changes_the_answer_and_does_not_depend_on_the_batch() -> None:
    model = small_vit()
    reduced = reduce_tokens(model, TokenPlan.parse("evit:0.3@1,2"))
    pixels = image(batch=3)
    with torch.inference_mode():
        together = reduced(pixels)
        alone = torch.cat([reduced(one[None]) for one in pixels])
        assert (together - model(pixels)).abs().max() > 1e-3
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
def test_keeping_everything_is_the_identity(name: str) -> None:
    model = small_vit(name)
    reduced = reduce_tokens(model, TokenPlan("evit", Fraction(999, 1000), (1, 2, 4)))
    assert tokens_per_block(reduced, image())[0] == 64 + model.num_prefix_tokens
    with torch.inference_mode():
        torch.testing.assert_close(reduced(image()), model(image()), rtol=1e-4, atol=1e-5)
        assert reduced.cut_margins(image()).item() == 1.0


def test_permuting_patches_with_their_positions_changes_nothing() -> None:
    model: Any = small_vit()
    reduced: Any = reduce_tokens(model, TokenPlan.parse("evit:0.6@1,3"))
    pixels = image()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(4))
    patches = pixels.reshape(1, 3, 8, 4, 8, 4).permute(0, 2, 4, 1, 3, 5).reshape(1, 64, 3, 4, 4)
    shuffled = patches[:, order].reshape(1, 8, 8, 3, 4, 4).permute(0, 3, 1, 4, 2, 5).reshape(1, 3, 32, 32)
    with torch.inference_mode():
        expected = reduced(pixels)
        assert (reduced(shuffled) - expected).abs().max() > 1e-3
        position = reduced.vit.pos_embed
        position[:, 1:] = position[:, 1:][:, order]
        torch.testing.assert_close(reduced(shuffled), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "given", "prefix"),
    [
        ("vit_tiny_patch16_224", {}, 1),
        ("deit_tiny_distilled_patch16_224", {}, 2),
        ("vit_tiny_patch16_224", {"reg_tokens": 3}, 4),
        ("vit_tiny_patch16_224", {"no_embed_class": True}, 1),
        ("vit_tiny_patch16_224", {"global_pool": "avg"}, 1),
    ],
)
def test_prefix_tokens_never_leave(name: str, given: dict[str, Any], prefix: int) -> None:
    """The prefix tokens that reach the last norm are those which attention alone made, however few patches stay."""
    model: Any = small_vit(name, **given)
    assert model.num_prefix_tokens == prefix
    reduced: Any = reduce_tokens(model, TokenPlan.parse("evit:0.01@1,2,4"))
    before: list[torch.Tensor] = []
    reduced.vit.blocks[3].norm2.register_forward_hook(lambda *call: before.append(call[1][0]))
    assert tokens_per_block(reduced, image()) == [prefix + 1] * 4
    marks = torch.stack([torch.full((48,), 100.0 + index) for index in range(prefix)])
    block = reduced.vit.blocks[3]
    nn.init.zeros_(block.attn.proj.weight)
    nn.init.zeros_(block.attn.proj.bias)
    tokens = torch.cat([marks[None], torch.randn(1, 5, 48)], dim=1)
    before.clear()
    with torch.inference_mode():
        reduced._reducing_block(block, tokens, 2)
    assert before[0].shape[1] == prefix + 2
    assert torch.equal(before[0][0, :prefix], marks)


def test_planted_patches_survive() -> None:
    """Keys of two patches point where the class token's query does; they stay, the others leave."""
    model: Any = small_vit(depth=1)
    reduced: Any = reduce_tokens(model, TokenPlan.parse("evit:0.03@1"))
    assert list(reduced.keep.values()) == [2]
    block = reduced.vit.blocks[0]
    block.norm1 = nn.Identity()
    with torch.no_grad():
        block.attn.qkv.bias.zero_()
        block.attn.qkv.weight.copy_(torch.cat([torch.eye(48)] * 3))
        block.attn.proj.weight.zero_()
        block.attn.proj.bias.zero_()
    tokens = torch.zeros(1, 65, 48)
    tokens[0, 0] = 1.0
    tokens[0, 1 + 17], tokens[0, 1 + 40] = 2.0, 1.5
    seen: list[torch.Tensor] = []
    block.norm2.register_forward_hook(lambda *call: seen.append(call[1][0]))
    with torch.inference_mode():
        reduced._reducing_block(block, tokens, 2)
    assert seen[0][0, :, 0].tolist() == [1.0, 2.0, 1.5]


def test_margins_are_of_the_closest_site() -> None:
    reduced = reduce_tokens(small_vit(), TokenPlan.parse("evit:0.5@1,2"))
    with torch.inference_mode():
        margins = CutMargins(reduced)(image(batch=4))
    assert margins.shape == (4, 1)
    assert ((margins >= 0) & (margins < 1)).all()


def test_no_shape_depends_on_the_image() -> None:
    program = capture(reduce_tokens(small_vit(), TokenPlan.parse("evit:0.7@1,3")), (32, 32))
    targets = {str(node.target) for node in program.graph.nodes}
    assert not any("nonzero" in target or "sym_size" in target for target in targets)


@pytest.mark.parametrize(
    ("name", "given", "plan", "message"),
    [
        ("swin_tiny_patch4_window7_224", {}, "evit:0.7@1", "needs a plain vision transformer"),
        ("test_resnet", {}, "evit:0.7@1", "needs a plain vision transformer"),
        ("test_vit2", {}, "evit:0.7@1", "this model has none"),
        ("test_vit", {}, "evit:0.7@4,7", "names block 7, the model has 6"),
        ("eva02_tiny_patch14_224", {}, "evit:0.7@1", "needs a plain vision transformer"),
    ],
)
def test_refusals(name: str, given: dict[str, Any], plan: str, message: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, **given) if "test" in name else None
    model = model or timm.create_model(name)
    with pytest.raises(UsageError, match=message):
        reduce_tokens(model.eval(), TokenPlan.parse(plan))
    with pytest.raises(UsageError, match=message):
        check_reducible(model, TokenPlan.parse(plan))


def test_other_blocks_are_refused() -> None:
    model = timm.create_model("test_vit", block_fn=timm.models.vision_transformer.ParallelScalingBlock)
    with pytest.raises(UsageError, match="knows timm's Block"):
        check_reducible(model, TokenPlan.parse("evit:0.7@1"))
