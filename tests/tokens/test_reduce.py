"""Token reduction in real models."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any, cast

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.spec.token_plan import FORMS, METHODS, Form, Site, TokenPlan, parse_plan  # noqa: E402
from edgevit.tokens.reduce import ReducedVisionTransformer, check_reducible, plan_sites, reduce_tokens  # noqa: E402
from edgevit.tokens.reduction import CutMargins  # noqa: E402
from tests.models import SMALL_VIT_KINDS, SMALL_VIT_PATCHES, SMALL_VIT_PREFIX, image, small_vit, swap_patches  # noqa: E402

all_methods = pytest.mark.parametrize("method", METHODS)
both_forms = pytest.mark.parametrize("form", FORMS)
all_models = pytest.mark.parametrize("kind", SMALL_VIT_KINDS)


pytestmark = pytest.mark.usefixtures("one_thread")


def reduced(plan: str, kind: str = "class token", form: Form = "gather", **given: Any) -> ReducedVisionTransformer:
    return reduce_tokens(small_vit(kind, **given), parse_plan(plan), form)


def at(method: str, *blocks: int) -> str:
    """A plan of the method for these blocks."""
    return f"{method}:0.6@{','.join(map(str, blocks))}"


def logits(model: Any, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        return cast(Tensor, model(pixels))


def tokens_per_block(model: Any, pixels: Tensor) -> list[int]:
    """How many tokens each block's MLP sees."""
    seen: list[int] = []
    hooks = [
        block.norm2.register_forward_hook(lambda *call: seen.append(call[2].shape[1])) for block in model.vit.blocks
    ]
    logits(model, pixels)
    for hook in hooks:
        hook.remove()
    return seen


def swap_positions(model: Any, order: Sequence[int] | Tensor) -> None:
    """Gives patch i the position embedding of patch ``order[i]``, in place."""
    with torch.no_grad():
        position = model.pos_embed[:, -SMALL_VIT_PATCHES:]
        position.copy_(position[:, torch.as_tensor(order)].clone())


# Known answers.

DEIT_TINY_GMACS = [
    ("evit_fused:0.9", 1.092), ("evit_fused:0.8", 0.942), ("evit_fused:0.7", 0.821), ("evit_fused:0.5", 0.629),
    ("evit:50@4,7,10", 0.796), ("squeeze:50@4,7,10", 0.796), ("tome:8", 0.924), ("tome:13", 0.731),
]  # fmt: skip
"""Of EViT, PPT and ToMe, without what choosing costs; sources in tests/spec/test_token_plan.py."""


def counted(model: nn.Module) -> tuple[int, int]:
    """MACs of a model on the meta device, and how many of them are inside the sites."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(torch.empty(1, 3, 224, 224, device="meta"))
    names = [name for name in counter.get_flop_counts() if ".reductions." in name and name.count(".") == 2]
    inside = sum(sum(counter.get_flop_counts()[name].values()) for name in names)
    return counter.get_total_flops() // 2, inside // 2


@functools.cache
def deit(width: int) -> nn.Module:
    """DeiT-T, S or B without weights."""
    with torch.device("meta"):
        return cast(
            nn.Module, timm.create_model(f"deit_{ {192: 'tiny', 384: 'small', 768: 'base'}[width] }_patch16_224")
        )


@both_forms
@pytest.mark.parametrize(("plan", "gmacs"), DEIT_TINY_GMACS)
def test_macs_of_deit_tiny_are_the_published_ones(plan: str, gmacs: float, form: Form) -> None:
    total, inside = counted(reduce_tokens(deit(192), parse_plan(plan), form))
    assert (total - inside) / 1e9 == pytest.approx(gmacs, rel=0.01)
    assert inside <= 0.035 * total


@pytest.mark.parametrize(
    ("width", "plan", "gmacs"),
    [
        (384, "evit_fused:0.7", 3.029),
        (384, "tome:13", 2.703),
        (384, "evit:50@4,7,10", 2.931),
        (768, "evit_fused:0.7", 11.610),
        (768, "tome:8", 13.104),
    ],
)
def test_macs_of_larger_models_are_the_published_ones(width: int, plan: str, gmacs: float) -> None:
    total, inside = counted(reduce_tokens(deit(width), parse_plan(plan)))
    assert (total - inside) / 1e9 == pytest.approx(gmacs, rel=0.01)


def test_macs_of_the_captured_model_are_those_counted() -> None:
    """The scores of a site cost N D more, and the fused token nothing."""
    torch.manual_seed(0)
    model = timm.create_model("deit_tiny_patch16_224").eval()
    expected, _ = counted(reduce_tokens(deit(192), parse_plan("evit_fused:0.7")))
    assert count_macs(capture(reduce_tokens(model, parse_plan("evit_fused:0.7")), (224, 224))) == expected


@all_methods
@all_models
def test_the_counts_of_the_plan_are_kept(kind: str, method: str) -> None:
    """ceil(0.6 x 64) = 39 and ceil(0.6 x 39) = 24; with a fused token more 40, then ceil(0.6 x 40) + 1 = 25."""
    first, second = (40, 25) if method == "evit_fused" else (39, 24)
    model, prefix = reduced(at(method, 1, 3), kind), SMALL_VIT_PREFIX[kind]
    assert model.num_prefix_tokens == prefix
    assert model.sites == (Site(1, first), Site(3, second))
    assert tokens_per_block(model, image()) == [prefix + first, prefix + first, prefix + second]


# Identities.


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *((kind, {}) for kind in SMALL_VIT_KINDS),
        ("class token", {"qk_norm": True, "qkv_bias": False}),
        ("class token", {"init_values": 0.5, "pre_norm": True}),
        ("class token", {"scale_attn_norm": True, "fc_norm": True}),
    ],
)
def test_without_sites_it_is_the_dense_model(kind: str, given: dict[str, Any]) -> None:
    model = small_vit(kind, **given)
    same = ReducedVisionTransformer(model, "evit", (), "gather")
    torch.testing.assert_close(logits(same, image(batch=2)), logits(model, image(batch=2)), rtol=1e-5, atol=1e-6)


@all_methods
@pytest.mark.parametrize("schedule", ["0.999", "0.999@1,2", "1=64"])
def test_a_plan_that_keeps_everything_is_refused(method: str, schedule: str) -> None:
    with pytest.raises(UsageError, match="keeps all 64 patch tokens"):
        plan_sites(small_vit(), parse_plan(f"{method}:{schedule}"))


@all_methods
def test_sites_that_keep_all_are_left_out(method: str) -> None:
    plain, padded = reduced(f"{method}:2=40"), reduced(f"{method}:1=64,2=40")
    assert padded.sites == (Site(2, 40),)
    assert torch.equal(logits(plain, image()), logits(padded, image()))


def plant_duplicates(model: Any, pixels: Tensor, copies: dict[int, int]) -> Tensor:
    """Makes patches the same as others, with their positions: ``copies`` tells which from which."""
    order = [copies.get(place, place) for place in range(SMALL_VIT_PATCHES)]
    swap_positions(model, order)
    return swap_patches(pixels, order)


MERGES = [
    ("class token", {}), ("distilled", {}), ("registers", {}), ("average", {}), ("average without class", {}),
    ("average with registers", {}), ("average with registers", {"pool_include_prefix": True}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given"), MERGES)
@pytest.mark.parametrize("block", [1, 3])
def test_tome_merges_duplicates_first_and_the_logits_stay(block: int, kind: str, given: dict[str, Any]) -> None:
    """Copies at odd places of patches at even ones; attention and the head's mean count all that a token stands for."""
    model = small_vit(kind, **given)
    copies = {1: 0, 11: 40, 33: 12, 35: 12, 63: 6, 21: 20}
    pixels = plant_duplicates(model, image(), copies)
    fewer = reduce_tokens(model, TokenPlan("tome", (Site(block, SMALL_VIT_PATCHES - len(copies)),)))
    groups = [row.nonzero().flatten().tolist() for row in fewer.sources(pixels)[0][0]]
    assert sorted(group for group in groups if len(group) > 1) == [[0, 1], [6, 63], [11, 40], [12, 33, 35], [20, 21]]
    torch.testing.assert_close(logits(fewer, pixels), logits(model, pixels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "given"), MERGES)
def test_squeeze_merges_duplicates_and_the_logits_stay(kind: str, given: dict[str, Any]) -> None:
    """Four copies of the patch that is attended to least: of the five one stays, and the others go into that."""
    model, pixels = small_vit(kind, **given), image()
    with torch.no_grad():  # one query for all, so that copies do not change what the others get
        model.blocks[0].attn.qkv.weight[:48] = 0
        nn.init.normal_(model.blocks[0].attn.qkv.bias[:48])
    (parts,) = reduce_tokens(model, parse_plan("evit:1=63")).sources(pixels)
    least = int(parts[0].sum(dim=0).argmin())
    copies = dict.fromkeys([place for place in (3, 18, 41, 60, 61) if place != least][:4], least)
    pixels = plant_duplicates(model, pixels, copies)
    fewer = reduce_tokens(model, parse_plan("squeeze:1=60"))
    groups = [row.nonzero().flatten().tolist() for row in fewer.sources(pixels)[0][0]]
    assert [group for group in groups if len(group) > 1] == [sorted([*copies, least])]
    torch.testing.assert_close(logits(fewer, pixels), logits(model, pixels), rtol=1e-5, atol=1e-5)


# Both forms.


@all_methods
@all_models
def test_both_forms_give_the_same_logits_to_the_bit(kind: str, method: str) -> None:
    gathered, computed = (reduced(at(method, 1, 3), kind, form) for form in FORMS)
    for pixels in (image(batch=1), image(1, batch=3), image(2, batch=3, flat=True), torch.zeros(1, 3, 32, 32)):
        assert torch.equal(logits(gathered, pixels), logits(computed, pixels))


@all_methods
@pytest.mark.parametrize("batch", [1, 3])
def test_both_forms_are_the_same_where_patches_are(method: str, batch: int) -> None:
    """Without a position embedding, the patches of a flat area are equal in all blocks."""
    gathered, computed = (reduced(at(method, 1, 2, 3), "class token", form, pos_embed="none") for form in FORMS)
    pixels = image(3, batch, flat=True)
    assert torch.equal(logits(gathered, pixels), logits(computed, pixels))


FORBIDDEN = ("topk", "sort", "argmax", "argmin", "gather", "index", "embedding", "scatter", "eq", "ne", "gt", "ge", "lt", "le", "where", "nonzero", "one_hot", "masked", "cumsum")  # fmt: skip


@functools.cache
def captured(method: str, form: Form, kind: str) -> ExportedProgram:
    return capture(reduced(at(method, 1, 2), kind, form, depth=2), (32, 32))


def op_names(program: ExportedProgram) -> set[str]:
    """Names of the ATen ops of a graph: "topk", "embedding"."""
    targets = (node.target for node in program.graph.nodes if node.op == "call_function")
    return {target._schema.name.rpartition("::")[2] for target in targets if isinstance(target, torch._ops.OpOverload)}


@all_methods
@both_forms
@pytest.mark.parametrize("kind", ["class token", "average without class"])
def test_graphs_can_be_captured(kind: str, form: Form, method: str) -> None:
    """With shapes of plain numbers, the logits of the module, and in the arithmetic form no op that chooses."""
    program = captured(method, form, kind)
    names = op_names(program)
    chooses = {name for name in names if name.startswith(tuple(f"{op}_" for op in FORBIDDEN)) or name in FORBIDDEN}
    if form == "arithmetic":
        assert not chooses
    else:
        assert {"topk", "embedding"} <= chooses <= {"topk", "embedding", "argmax", "eq"}
    assert not any(name in ("nonzero", "item") or name.startswith("sym_") for name in names)
    values = [node.meta["val"] for node in program.graph.nodes if isinstance(node.meta.get("val"), Tensor)]
    assert all(type(length) is int for value in values for length in value.shape)
    model = reduced(at(method, 1, 2), kind, form, depth=2)
    torch.testing.assert_close(program.module()(image(7)), model(image(7)), rtol=1e-5, atol=1e-6)  # type: ignore[operator]


# Order, batches and the caller's model.


@pytest.mark.parametrize("method", ["evit", "evit_fused", "squeeze"])
@pytest.mark.parametrize("kind", ["class token", "distilled", "position without class", "average without class"])
def test_permuting_patches_with_their_positions_changes_nothing(kind: str, method: str) -> None:
    model, pixels = reduced(at(method, 1, 3), kind), image()
    expected = logits(model, pixels)
    order = torch.randperm(SMALL_VIT_PATCHES, generator=torch.Generator().manual_seed(4))
    assert (logits(model, swap_patches(pixels, order)) - expected).abs().max() > 1e-3
    swap_positions(model.vit, order)
    torch.testing.assert_close(logits(model, swap_patches(pixels, order)), expected, rtol=1e-4, atol=1e-5)


def test_tome_parts_patches_by_order() -> None:
    """At one site a permutation within even and within odd places changes nothing; one that mixes them does."""
    expected = logits(reduced("tome:20@2"), image())
    even, odd = (
        torch.randperm(SMALL_VIT_PATCHES // 2, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    apart = torch.stack([2 * even, 2 * odd + 1], dim=1).flatten()
    mixed = torch.randperm(SMALL_VIT_PATCHES, generator=torch.Generator().manual_seed(3))
    found = []
    for order in (apart, mixed):
        model = reduced("tome:20@2")
        swap_positions(model.vit, order)
        found.append(logits(model, swap_patches(image(), order)))
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)
    assert (found[1] - expected).abs().max() > 1e-3


@all_methods
@both_forms
def test_reduction_changes_the_answer_and_does_not_depend_on_the_batch(method: str, form: Form) -> None:
    model, pixels = reduced(at(method, 1, 2), form=form), image(batch=3)
    together = logits(model, pixels)
    assert (together - logits(small_vit(), pixels)).abs().max() > 1e-3
    alone = torch.cat([logits(model, one[None]) for one in pixels])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@all_methods
def test_the_users_model_is_untouched(method: str) -> None:
    model = small_vit()
    before, expected, names = copy.deepcopy(model.state_dict()), logits(model, image()), set(vars(model))
    made = reduce_tokens(model, parse_plan(at(method, 1, 2)))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(logits(model, image()), expected)
    assert set(vars(model)) == names


def test_weights_are_trained_as_before() -> None:
    """Every weight gets a gradient through every method and form, so that a reduced model can be tuned."""
    for method in METHODS:
        for form in FORMS:
            model = reduced(at(method, 1, 2), form=form)
            model(image()).square().sum().backward()
            gradients = [parameter.grad for parameter in model.parameters()]
            assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


# What stays and what leaves.


@all_methods
@all_models
def test_prefix_tokens_never_leave(kind: str, method: str) -> None:
    """In a model whose blocks change nothing, they come out as they went in, however few patches stay."""
    model = reduced("tome:0.5@1,2,3" if method == "tome" else f"{method}:0.01@1,2,3", kind)
    vit, prefix = model.vit, SMALL_VIT_PREFIX[kind]
    with torch.no_grad():
        for name in ("cls_token", "dist_token", "reg_token"):
            if getattr(vit, name, None) is not None:
                nn.init.normal_(getattr(vit, name), std=1e-3)
        for block in vit.blocks:
            for layer in (block.attn.proj, block.mlp.fc2):
                layer.weight.zero_()
                layer.bias.zero_()
    seen: list[Tensor] = []
    for norm in (vit.blocks[0].norm1, vit.blocks[2].norm2):
        norm.register_forward_hook(lambda *call: seen.append(call[1][0]))
    logits(model, image(batch=2))
    entering, leaving = seen
    assert leaving.shape[1] == prefix + model.sites[-1].tokens < entering.shape[1] == prefix + SMALL_VIT_PATCHES
    assert torch.equal(leaving[:, :prefix], entering[:, :prefix])


def plant_tokens(model: Any, tokens: Tensor) -> Any:
    """Has a model of one block ignore its image and start from these tokens; attention compares them as they are."""
    block, width = model.blocks[0], model.embed_dim
    block.norm1 = nn.Identity()
    with torch.no_grad():
        model.patch_embed.proj.weight.zero_()
        model.patch_embed.proj.bias.zero_()
        model.cls_token.zero_()
        model.pos_embed.copy_(tokens)
        block.attn.qkv.weight.copy_(torch.cat([torch.eye(width)] * 3))
        block.attn.qkv.bias.zero_()
    return model


@both_forms
@pytest.mark.parametrize("method", ["evit", "evit_fused", "squeeze"])
def test_planted_patches_survive(method: str, form: Form) -> None:
    """Keys of three patches point where the class token's query does, at places that are drawn."""
    for seed in range(5):
        places = torch.randperm(SMALL_VIT_PATCHES, generator=torch.Generator().manual_seed(seed))[:3].tolist()
        tokens = 0.1 * torch.randn(1, 1 + SMALL_VIT_PATCHES, 48, generator=torch.Generator().manual_seed(seed))
        tokens[0, 0] = 1.0
        for strength, place in zip((2.0, 1.6, 1.3), places, strict=True):
            tokens[0, 1 + place] += strength
        model = reduce_tokens(
            plant_tokens(small_vit(depth=1), tokens),
            parse_plan(f"{method}:1={4 if method == 'evit_fused' else 3}"),
            form,
        )
        (parts,) = model.sources(image())
        assert parts[0, :3].argmax(dim=1).tolist() == places


@both_forms
def test_a_planted_cluster_merges(form: Form) -> None:
    """Patches that look alike, half of them at even places, end in the tokens of those."""
    tokens = torch.randn(1, 1 + SMALL_VIT_PATCHES, 48, generator=torch.Generator().manual_seed(0))
    cluster = [2, 5, 9, 20, 31, 44, 63]
    look = torch.randn(48, generator=torch.Generator().manual_seed(1))
    tokens[0, 1 + torch.tensor(cluster)] = look + 0.05 * torch.randn(
        len(cluster), 48, generator=torch.Generator().manual_seed(2)
    )
    model = reduce_tokens(plant_tokens(small_vit(depth=1), tokens), parse_plan("tome:4@1"), form)
    (parts,) = model.sources(image())
    groups = [set(row.nonzero().flatten().tolist()) for row in parts[0] if (row > 0).sum() > 1]
    merged = set().union(*groups)
    assert {5, 9, 31, 63} <= merged <= set(cluster)
    assert all(len(group & {2, 20, 44}) == 1 for group in groups)


@both_forms
@all_methods
@pytest.mark.parametrize("kind", ["class token", "average with registers"])
def test_sources(kind: str, method: str, form: Form) -> None:
    model = reduced(at(method, 1, 2), kind, form)
    found = model.sources(image(batch=2))
    assert [parts.shape for parts in found] == [(2, site.tokens, SMALL_VIT_PATCHES) for site in model.sites]
    earlier = torch.ones(2, SMALL_VIT_PATCHES, dtype=torch.bool)
    for parts in found:
        owners = (parts > 0).sum(dim=1)
        assert (parts >= 0).all()
        assert ((parts > 0).sum(dim=2) >= 1).all()
        if method in ("tome", "squeeze"):
            assert (owners == 1).all()  # each patch is in one token
            torch.testing.assert_close(parts.sum(dim=2), torch.ones(parts.shape[:2]))  # and all are means
        else:
            assert (owners <= 1).all()
            assert not (owners.bool() & ~earlier).any()  # what left stays away
            kept = parts[:, :-1] if method == "evit_fused" and parts is found[0] else parts
            assert method != "evit" or set(kept.flatten().tolist()) == {0, 1}
            assert method != "evit" or torch.equal(kept.sum(dim=2), torch.ones(kept.shape[:2]))
        earlier = owners.bool()
    if method == "evit_fused":
        assert set(found[0][:, :-1].flatten().tolist()) == {0, 1}
        assert torch.equal(
            (found[0] > 0).sum(dim=1), torch.ones(2, SMALL_VIT_PATCHES)
        )  # the fused token has all the others


@both_forms
@pytest.mark.parametrize("method", ["tome", "squeeze"])
def test_sizes_are_conserved(method: str, form: Form) -> None:
    """The sizes that a site gets, and those that the last one gives, sum to the patches of the image."""
    model = reduced(at(method, 1, 2, 3), form=form)
    given: list[Tensor] = []
    for reduction in model.reductions.values():
        reduction.register_forward_hook(lambda *call: given.extend((call[1][0].sizes, call[2].sizes)))
    logits(model, image(batch=2))
    arrived, left = given[0:6:2], given[1:6:2]
    assert all(
        torch.equal(sizes.sum(dim=1), torch.full((2, 1), float(SMALL_VIT_PATCHES))) for sizes in (*arrived, *left)
    )
    counts = [(parts > 0).sum(dim=2, keepdim=True).float() for parts in model.sources(image(batch=2))]
    assert all(torch.equal(made, count) for made, count in zip(left, counts, strict=True))


# How close decisions are.


@all_methods
@all_models
def test_margins_are_shares(kind: str, method: str) -> None:
    margins = logits(CutMargins(reduced(at(method, 1, 2), kind)), image(batch=4))
    assert margins.shape == (4, 1)
    assert ((margins >= 0) & (margins <= 1)).all()
    assert len(set(margins.flatten().tolist())) == 4


@all_methods
def test_margins_are_of_the_closest_site(method: str) -> None:
    pixels = image(batch=4)
    both = logits(CutMargins(reduced(at(method, 1, 2))), pixels)
    first = logits(CutMargins(reduced(at(method, 1))), pixels)
    assert (both <= first).all()
    assert (both < first).any()


@pytest.mark.parametrize("method", ["evit", "evit_fused", "squeeze"])
def test_margins_are_small_where_two_scores_nearly_tie(method: str) -> None:
    """The first patch to leave becomes nearly the same as the last that stays."""
    plan = parse_plan(f"{method}:1={4 if method == 'evit_fused' else 3}")
    tokens = torch.randn(1, 1 + SMALL_VIT_PATCHES, 48, generator=torch.Generator().manual_seed(0))
    one_more = parse_plan("evit:1=4")
    order = reduce_tokens(plant_tokens(small_vit(depth=1), tokens), one_more).sources(image())[0][0].argmax(dim=1)
    last, first_out = 1 + int(order[2]), 1 + int(order[3])

    def margin(step: float) -> float:
        near = tokens.clone()
        near[0, first_out] = near[0, last] - step * near[0, 0]
        return logits(CutMargins(reduce_tokens(plant_tokens(small_vit(depth=1), near), plan)), image()).item()

    margins = [margin(step) for step in (1e-1, 1e-3, 1e-5)]
    assert margins[0] > margins[1] > margins[2] > 0
    assert margins[2] < min(1e-3, 0.1 * margins[0])


def test_margins_are_small_where_two_destinations_are_as_near() -> None:
    """Two destinations are alike, and a source lies between them."""
    tokens = torch.randn(1, 1 + SMALL_VIT_PATCHES, 48, generator=torch.Generator().manual_seed(0))
    for host in (10, 20):
        tokens[0, 1 + host] = tokens[0, 1 + 7] + 1e-4 * torch.randn(48, generator=torch.Generator().manual_seed(host))
    model = reduce_tokens(plant_tokens(small_vit(depth=1), tokens), parse_plan("tome:1@1"))
    assert 0 <= logits(CutMargins(model), image()).item() < 1e-5


# Refusals.


def refused(model: nn.Module, plan: str = "evit:0.7@1") -> UsageError:
    with pytest.raises(UsageError) as caught:
        reduce_tokens(model, parse_plan(plan))
    with pytest.raises(UsageError):
        plan_sites(model, parse_plan(plan))
    return caught.value


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1)}, "not SwinTransformer"),
        ("test_resnet", {}, "not ResNet"),
        ("mobilevit_xxs", {}, "not ByobNet"),
        ("eva02_tiny_patch14_224", {"depth": 1}, "not Eva"),
        ("test_vit3", {}, "this model pools by 'map'"),
        ("vit_tiny_patch16_224", {"depth": 1, "global_pool": "map", "class_token": False}, "pools by 'map'"),
        ("test_vit", {"block_fn": "ParallelScalingBlock"}, "Block with ungated Attention, not ParallelScalingBlock"),
        ("test_vit", {"block_fn": "ResPostBlock"}, "Block with ungated Attention, not ResPostBlock"),
    ],
)
def test_models_that_are_refused_are_told_what_works(name: str, given: dict[str, Any], message: str) -> None:
    if "block_fn" in given:
        given = {**given, "block_fn": getattr(timm.models.vision_transformer, given["block_fn"])}
    model = timm.create_model(name, **given)
    error = refused(model)
    assert message in error.message
    assert "--tokens resolution:N" in str(error.hint) and "quantization" in str(error.hint)
    with pytest.raises(UsageError, match=message):
        check_reducible(model)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("evit:0.7@2,4", "names block 4, the model has 3"),
        ("tome:33@1", "leaves 31 of 64 patch tokens at block 1: tome merges at most half of them"),
        ("tome:0.4@1", "tome merges at most half of them"),
        ("squeeze:64@1", "leaves 0 of 64 patch tokens"),
        ("evit:0.999@1", "keeps all 64 patch tokens"),
    ],
)
def test_plans_that_are_refused(plan: str, message: str) -> None:
    error = refused(small_vit(), plan)
    assert message in error.message


def test_plain_models_are_not_refused() -> None:
    for kind in SMALL_VIT_KINDS:
        check_reducible(small_vit(kind))
