"""Smaller images and larger patches in real models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.spec.token_plan import ResizePlan, parse_plan  # noqa: E402
from edgevit.tokens.reduce import plan_sites, reduce_tokens  # noqa: E402
from edgevit.tokens.resize import Resized, check_resizable, resize, smaller_sizes  # noqa: E402

# isort: split
from tests.models import small_vit  # noqa: E402

Resize = Callable[[nn.Module, int, tuple[int, int]], Resized]

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("class token", {}),
    ("distilled", {}),
    ("class token", {"reg_tokens": 3}),
    ("class token", {"no_embed_class": True, "reg_tokens": 3}),
    ("class token", {"global_pool": "avg", "class_token": False}),
    ("class token", {"global_pool": "map", "class_token": False}),
    ("class token", {"dynamic_img_size": True}),
    ("class token", {"dynamic_img_size": True, "dynamic_img_pad": True}),
]


def small_swin() -> Any:
    """A Swin of two stages with windows of 4 x 4 on a grid of 16 x 16."""
    torch.manual_seed(0)
    return timm.models.SwinTransformer(
        img_size=64, patch_size=4, window_size=4, embed_dim=16, depths=(2, 1), num_heads=(2, 2), num_classes=5
    ).eval()


def resize_input(module: nn.Module, resolution: int, input_size: tuple[int, int]) -> Resized:
    return resize(module, ResizePlan("resolution", resolution), input_size)


def resize_patches(module: nn.Module, patch: int, input_size: tuple[int, int]) -> Resized:
    return resize(module, ResizePlan("patch", patch), input_size)


def image(size: int, batch: int = 1) -> Tensor:
    pixels: Tensor = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    return pixels


def tokens(resized: Any) -> int:
    """Tokens that reach the first block."""
    seen: list[int] = []
    hook = resized.module.blocks[0].register_forward_hook(lambda *call: seen.append(call[1][0].shape[1]))
    with torch.inference_mode():
        assert resized.module(torch.zeros(2, 3, *resized.input_size)).shape == (2, 5)
    hook.remove()
    return seen[0]


def closed_form(grid: int, patch: int) -> int:
    """MACs of DeiT-T: 4 N D² + 2 N² D in attention, 8 N D² in the MLP, embedding and head."""
    patches, width = grid**2, 192
    block = 12 * (patches + 1) * width**2 + 2 * (patches + 1) ** 2 * width
    return 12 * block + patches * 3 * patch**2 * width + 1000 * width


@pytest.mark.parametrize(
    ("change", "value", "pixels", "grid", "patch", "giga"),
    [
        (resize_input, 192, 192, 12, 16, 0.89),
        pytest.param(resize_input, 176, 176, 11, 16, 0.73, marks=pytest.mark.slow),
        pytest.param(resize_input, 160, 160, 10, 16, 0.60, marks=pytest.mark.slow),
        pytest.param(resize_patches, 18, 216, 12, 18, 0.89, marks=pytest.mark.slow),
        pytest.param(resize_patches, 20, 220, 11, 20, 0.74, marks=pytest.mark.slow),
    ],
)
def test_macs_of_deit_tiny_are_those_of_the_closed_form(
    change: Resize, value: int, pixels: int, grid: int, patch: int, giga: float
) -> None:
    resized = change(timm.create_model("deit_tiny_patch16_224").eval(), value, (224, 224))
    assert resized.input_size == (pixels, pixels)
    assert closed_form(grid, patch) / 1e9 == pytest.approx(giga, abs=0.008)
    assert count_macs(capture(resized.module, resized.input_size)) == pytest.approx(closed_form(grid, patch), rel=1e-6)


@pytest.mark.parametrize(("kind", "given"), VARIANTS)
def test_every_plain_transformer_gets_fewer_tokens(kind: str, given: dict[str, Any]) -> None:
    model = small_vit(kind, **given)
    smaller, larger = resize_input(model, 20, (32, 32)), resize_patches(model, 5, (32, 32))
    assert (smaller.input_size, tokens(smaller)) == ((20, 20), 25 + model.num_prefix_tokens)
    assert (larger.input_size, tokens(larger)) == ((30, 30), 36 + model.num_prefix_tokens)


@pytest.mark.parametrize(("change", "value"), [(resize_input, 16), (resize_patches, 8)])
def test_the_users_model_is_untouched(change: Resize, value: int) -> None:
    model = small_vit().requires_grad_(False)
    before, expected, embed = copy.deepcopy(model.state_dict()), model(image(32)), model.patch_embed
    resized = change(model, value, (32, 32))
    assert not any(parameter.requires_grad for parameter in resized.module.parameters())
    assert not resized.module.training
    with torch.no_grad():
        for parameter in resized.module.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert (model.patch_embed is embed, embed.img_size, embed.patch_size) == (True, (32, 32), (4, 4))
    assert torch.equal(model(image(32)), expected)


@pytest.mark.parametrize("patch", [5, 7, 8])
def test_larger_patches_see_in_upscaled_patches_what_the_small_ones_saw(patch: int) -> None:
    """FlexiViT, equation 3: the products of patch and weight stay, however much the patch is upscaled."""
    model = small_vit()
    resized: Any = resize_patches(model, patch, (32, 32))
    small = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    large = F.interpolate(small, size=(patch, patch), mode="bicubic", antialias=True)
    with torch.inference_mode():
        expected = model.patch_embed.proj(small)
        torch.testing.assert_close(resized.module.patch_embed.proj(large), expected, rtol=1e-4, atol=1e-4)
    assert resized.module.patch_embed.proj.weight.shape == (48, 3, patch, patch)


@pytest.mark.parametrize(("kind", "given"), VARIANTS[:4])
@pytest.mark.parametrize(("change", "value"), [(resize_input, 16), (resize_patches, 8)])
def test_positions_are_interpolated_and_prefix_tokens_keep_theirs(
    kind: str, given: dict[str, Any], change: Resize, value: int
) -> None:
    """A position embedding that rises from left to right still does, with its mean; a constant one is constant."""
    model = small_vit(kind, **given)
    prefix = 0 if model.no_embed_class else model.num_prefix_tokens
    with torch.no_grad():
        grid = model.pos_embed[0, prefix:].view(8, 8, 48)
        grid[..., 0], grid[..., 1] = torch.arange(8.0), 3.0
    resized: Any = change(model, value, (32, 32)).module
    assert torch.equal(resized.pos_embed[:, :prefix], model.pos_embed[:, :prefix])
    row = resized.pos_embed[0, prefix:].view(4, 4, 48)[2]
    assert (row[1:, 0] > row[:-1, 0]).all()
    assert row[:, 0].mean().item() == pytest.approx(3.5, abs=1e-4)
    assert row[:, 1].tolist() == pytest.approx([3.0] * 4, abs=1e-4)


@pytest.mark.parametrize(("change", "value", "size"), [(resize_input, 16, 16), (resize_patches, 6, 30)])
@pytest.mark.parametrize("given", [{}, {"dynamic_img_size": True}])
def test_no_shape_depends_on_the_image(change: Resize, value: int, size: int, given: dict[str, Any]) -> None:
    """The captured program also computes what the module does: capture checks it."""
    resized = change(small_vit(**given), value, (32, 32))
    program = capture(resized.module, resized.input_size)
    assert resized.input_size == (size, size)
    assert not any("sym_size" in str(node.target) for node in program.graph.nodes)
    expected = change(small_vit(), value, (32, 32)).module(image(size))
    module: Any = program.module()
    torch.testing.assert_close(module(image(size)), expected, rtol=1e-4, atol=1e-4)


def test_tokens_of_a_resized_model_can_be_reduced() -> None:
    resized, plan = resize_patches(small_vit(), 8, (32, 32)), parse_plan("evit:0.5@1")
    assert [site.tokens for site in plan_sites(resized.module, plan)] == [8]
    reduced: Any = reduce_tokens(resized.module, plan)
    assert reduced(image(32)).shape == (1, 5)


def test_windows_follow_the_image() -> None:
    resized: Any = resize_input(small_swin(), 48, (64, 64))
    assert resized.module.layers[0].blocks[0].window_size == (3, 3)
    assert resized.input_size == (48, 48)
    assert count_macs(capture(resized.module, (48, 48))) < count_macs(capture(small_swin(), (64, 64))) / 1.7


def test_a_model_that_ran_before_forgets_what_it_kept_of_the_larger_image() -> None:
    """EfficientViT keeps its attention biases between runs."""
    torch.manual_seed(0)
    small: dict[str, Any] = {"embed_dim": (16, 32, 48), "key_dim": (4, 4, 4), "depth": (1, 1, 1)}
    small |= {"num_heads": (2, 2, 3), "window_size": (4, 2, 2), "num_classes": 5}
    model = timm.create_model("efficientvit_m0", img_size=64, **small).eval()
    fresh = resize_input(model, 32, (64, 64)).module(image(32))
    with torch.inference_mode():
        model(image(64))
    assert torch.equal(resize_input(model, 32, (64, 64)).module(image(32)), fresh)


def test_a_convolutional_network_keeps_its_weights() -> None:
    model = digits_cnn().eval()
    resized = resize_input(model, 23, (32, 32))
    assert resized.input_size == (23, 23)
    assert all(torch.equal(tensor, model.state_dict()[key]) for key, tensor in resized.module.state_dict().items())
    assert torch.equal(resized.module(image(23)), model(image(23)))


def test_patches_divide_each_side_of_an_oblong_image() -> None:
    resized = resize_patches(small_vit(img_size=(32, 20)), 6, (32, 20))
    assert (resized.input_size, tokens(resized)) == ((30, 18), 15 + 1)


def refusal(change: Resize, module: nn.Module, value: int, size: tuple[int, int]) -> str:
    with pytest.raises(UsageError) as error:
        change(module, value, size)
    return f"{error.value.message}; {error.value.hint}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (18, "is not a multiple of the model's patch, 4 pixels; nearest: resolution:16 or resolution:20"),
        (30, "is not a multiple of the model's patch, 4 pixels; nearest: resolution:28"),
        (3, "is not a multiple of the model's patch, 4 pixels; nearest: resolution:4"),
        (36, "is no reduction: 32 is the present; nearest: resolution:28"),
        (0, "is no reduction: 32 is the present; nearest: resolution:4"),
        (-16, "is no reduction"),
    ],
)
def test_a_resolution_that_a_transformer_cannot_have_is_refused(value: int, said: str) -> None:
    assert f"resolution:{value} {said}" in refusal(resize_input, small_vit(), value, (32, 32))


def test_an_image_of_one_patch_cannot_be_made_smaller() -> None:
    assert "one patch fills its 4 x 4 image" in refusal(resize_input, small_vit(img_size=4), 3, (4, 4))


def test_a_square_image_does_not_replace_an_oblong_one() -> None:
    assert "takes 32 x 20" in refusal(resize_input, small_vit(img_size=(32, 20)), 16, (32, 20))


def test_no_convolutional_network_takes_more_or_nothing() -> None:
    for value in (40, 0):
        assert "give a size in pixels below 32" in refusal(resize_input, digits_cnn().eval(), value, (32, 32))


class Fussy(nn.Module):
    """A model for images of chosen sizes."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[-1] in self.sizes, f"not {images.shape[-1]} pixels"
        return images.mean(dim=(2, 3))


class FussyWithSize(Fussy):
    """Refuses before it runs."""

    def set_input_size(self, img_size: tuple[int, int]) -> None:
        if img_size[0] not in self.sizes:
            raise ValueError(f"not {img_size[0]} pixels")


@pytest.mark.parametrize("kind", [Fussy, FussyWithSize])
def test_another_size_is_found_for_one_that_a_model_refuses(kind: type[Fussy]) -> None:
    said = "the model cannot take 200 x 200 images: not 200 pixels; "
    assert refusal(resize_input, kind((160, 192, 224)), 200, (224, 224)) == f"{said}resolution:192 works"
    assert resize_input(kind((160, 192, 224)), 192, (224, 224)).input_size == (192, 192)
    fixed = f"{said}its size seems fixed at 224 x 224; tried 192, 160, 128, 96 too: leave the resolution as it is"
    assert refusal(resize_input, kind((224,)), 200, (224, 224)) == fixed
    assert refusal(resize_input, kind((16,)), 8, (16, 16)).endswith("fixed at 16 x 16: leave the resolution as it is")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2, "the model has 64 patches of 4 x 4 pixels in 32 x 32; nearest: patch:5"),
        (0, "nearest: patch:5"),
        (33, "nearest: patch:32"),
    ],
)
def test_patches_that_do_not_become_fewer_are_refused(value: int, said: str) -> None:
    message = refusal(resize_patches, small_vit(), value, (32, 32))
    assert message.startswith(f"patch:{value} is no reduction")
    assert said in message


def test_slightly_larger_patches_are_as_many_on_a_small_image() -> None:
    """128 pixels are 8 patches of 16; of 17 pixels, 8 come nearest, too."""
    model = small_vit(img_size=128, patch_size=16)
    assert refusal(resize_patches, model, 17, (128, 128)).endswith("nearest: patch:18")
    assert resize_patches(model, 18, (128, 128)).input_size == (126, 126)
    assert "use resolution:N" in refusal(resize_patches, small_vit(img_size=4), 5, (4, 4))


@pytest.mark.parametrize("make", [small_swin, digits_cnn, lambda: timm.create_model("vit_tiny_r_s16_p8_224")])
def test_patches_are_of_plain_transformers_alone(make: Callable[[], nn.Module]) -> None:
    model = make()
    message = refusal(resize_patches, model, 8, (64, 64))
    assert message.startswith("patch:8 needs a plain vision transformer")
    assert message.endswith(f"this {type(model).__name__} can use resolution:N, which resizes the image")


def said(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(UsageError) as error:
        call(*arguments)
    return f"{error.value.message}; {error.value.hint}"


@pytest.mark.parametrize(
    ("make", "plan", "size", "message"),
    [
        (small_vit, ResizePlan("resolution", 18), (32, 32), "is not a multiple of the model's patch"),
        (small_vit, ResizePlan("resolution", 32), (32, 32), "is no reduction: it is what the model has"),
        (small_vit, ResizePlan("resolution", 36), (32, 32), "is no reduction: 32 is the present"),
        (lambda: small_vit(img_size=(32, 20)), ResizePlan("resolution", 16), (32, 20), "takes 32 x 20"),
        (digits_cnn, ResizePlan("resolution", 40), (32, 32), "give a size in pixels below 32"),
        (lambda: Fussy((192, 224)), ResizePlan("resolution", 200), (224, 224), "not 200 pixels; resolution:192 works"),
        (lambda: FussyWithSize((224,)), ResizePlan("resolution", 200), (224, 224), "its size seems fixed"),
        (small_vit, ResizePlan("patch", 4), (32, 32), "is no reduction: it is what the model has"),
        (small_vit, ResizePlan("patch", 3), (32, 32), "the model has 64 patches of 4 x 4 pixels"),
        (lambda: small_vit(img_size=(32, 20)), ResizePlan("patch", 4), (32, 20), "the model has 40 patches"),
        (digits_cnn, ResizePlan("patch", 8), (32, 32), "needs a plain vision transformer"),
    ],
)
def test_a_check_refuses_what_resizing_refuses(
    make: Callable[[], nn.Module], plan: ResizePlan, size: tuple[int, int], message: str
) -> None:
    module = make().eval()
    assert message in said(check_resizable, module, plan, size)
    assert said(check_resizable, module, plan, size) == said(resize, module, plan, size)


@pytest.mark.parametrize(
    ("make", "plan", "side"),
    [
        (small_vit, ResizePlan("resolution", 16), 32),
        (small_vit, ResizePlan("patch", 8), 32),
        (small_swin, ResizePlan("resolution", 48), 64),
        (digits_cnn, ResizePlan("resolution", 23), 32),
        (lambda: timm.create_model("test_vit"), ResizePlan("resolution", 96), 160),
        (lambda: timm.create_model("test_efficientnet"), ResizePlan("resolution", 96), 160),
    ],
)
def test_a_check_changes_nothing(make: Callable[[], nn.Module], plan: ResizePlan, side: int) -> None:
    module = make().eval()
    before, structure, expected = copy.deepcopy(module.state_dict()), repr(module), module(image(side))
    check_resizable(module, plan, (side, side))
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())
    assert repr(module) == structure
    assert torch.equal(module(image(side)), expected)


class Watched(nn.Module):
    """Notes where in memory its weight lies when it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.buffer = nn.Parameter(torch.ones(3)), nn.Buffer(torch.ones(3))
        self.seen: list[int] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Watched:
        copied = Watched()
        copied.weight, copied.buffer = copy.deepcopy(self.weight, memo), copy.deepcopy(self.buffer, memo)
        copied.seen = self.seen
        return copied

    def forward(self, images: Tensor) -> Tensor:
        self.seen += [self.weight.data_ptr(), self.buffer.data_ptr()]
        return images.mean(dim=(2, 3)) * self.weight * self.buffer


class WatchedWithSize(Watched):
    """A user's own model with a way to change its size, which writes into its weight."""

    def set_input_size(self, img_size: tuple[int, int]) -> None:
        with torch.no_grad():
            self.weight.zero_()

    def __deepcopy__(self, memo: dict[int, Any]) -> Watched:
        copied = super().__deepcopy__(memo)
        copied.__class__ = WatchedWithSize
        return copied


def test_a_check_runs_on_the_models_own_weights() -> None:
    module = Watched()
    check_resizable(module, ResizePlan("resolution", 16), (32, 32))
    assert module.seen[0] == module.weight.data_ptr()
    assert module.seen[1] != module.buffer.data_ptr()


def test_a_users_own_way_to_change_the_size_gets_weights_of_its_own() -> None:
    module = WatchedWithSize()
    check_resizable(module, ResizePlan("resolution", 16), (32, 32))
    assert len(module.seen) == 2 and module.seen[0] != module.weight.data_ptr()
    assert module.weight.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("make", "side", "sizes"),
    [
        (small_vit, 32, (28, 24)),  # multiples of its patches of 4 pixels
        (digits_cnn, 32, (30, 28, 26, 22)),
        (lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 224, (208, 192, 176, 160)),
        (lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 320, (304, 272, 256, 224)),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2)), 32, ()),
    ],
)
def test_a_few_smaller_sizes_that_a_model_takes(
    make: Callable[[], nn.Module], side: int, sizes: tuple[int, ...]
) -> None:
    module = make().eval()
    assert smaller_sizes(module, (side, side)) == sizes
    for size in sizes:
        check_resizable(module, ResizePlan("resolution", size), (side, side))


def test_an_oblong_image_has_no_smaller_sizes() -> None:
    assert smaller_sizes(digits_cnn(), (32, 48)) == ()
