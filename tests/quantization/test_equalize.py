"""Equalization: the same logits with better ranges; channels that scaling does not pass through stay."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.layers import Layer, find_layers, run_images  # noqa: E402
from edgevit.quantization.equalize import TOLERANCE, equalize  # noqa: E402


def images(seed: int, count: int = 4, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, side, side), dtype=np.float32)


def logits(program: ExportedProgram, seed: int = 9, side: int = 8) -> torch.Tensor:
    return run_images(program.module(), images(seed, side=side))


def difference(one: ExportedProgram, other: ExportedProgram, side: int = 8) -> float:
    expected = logits(one, side=side)
    return float((logits(other, side=side) - expected).abs().max() / expected.abs().max())


def layers(program: ExportedProgram) -> list[Layer]:
    return find_layers(program.module())


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)]


def spoil(first: nn.Module, second: nn.Module) -> None:
    """Gives each channel between two layers a range of its own, over four decades; the function stays."""
    factors = torch.logspace(-2, 2, len(first.weight))
    with torch.no_grad():
        first.weight.mul_(factors.view(-1, *[1] * (first.weight.ndim - 1)))
        first.bias.mul_(factors)
        if second.weight.shape[1] == 1:  # depthwise
            second.weight.div_(factors.view(-1, *[1] * (second.weight.ndim - 1)))
        else:
            second.weight.div_(factors.view(1, -1, *[1] * (second.weight.ndim - 2)))


def convolutions(between: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3), between or nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1), nn.GELU(), *head(4))


def spoiled() -> nn.Sequential:
    module = convolutions()
    spoil(module[0], module[2])
    return module


def separable() -> nn.Sequential:
    module = nn.Sequential(
        nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.GELU(), *head(4)
    )
    spoil(module[0], module[2])
    return module


def grouped() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.LeakyReLU(), nn.Conv2d(6, 4, 3, groups=2), nn.GELU(), *head(4))


def pooled() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU(), *head(4))


def flattened() -> nn.Sequential:
    """Every channel becomes 36 inputs of the linear layer."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(216, 5))


def linears() -> nn.Sequential:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.ReLU(), nn.Linear(6, 5))
    spoil(module[1], module[3])
    return module


class Residual(nn.Module):
    """The first convolution feeds the second, and the sum behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 1), nn.Sequential(*head(6))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.first(images).relu()
        return self.head(torch.nn.functional.gelu(x + self.second(x)))


class Branches(nn.Module):
    """One convolution that feeds two others, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.left, self.right = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 1)
        self.head = nn.Sequential(nn.GELU(), *head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.first(images).relu()
        return self.head(self.left(x) + self.right(x))


class Halves(nn.Module):
    """Six channels that a convolution reads, of which a GELU reads three too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.left, self.right = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 1), nn.Conv2d(3, 4, 1)
        self.head = nn.Sequential(nn.GELU(), *head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.first(images).relu()
        return self.head(self.left(x) + self.right(torch.nn.functional.gelu(x.chunk(2, dim=1)[1])))


class Mixed(nn.Module):
    """Channels that are averaged with each other before the next layer reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(1, 4, 1), nn.Sequential(nn.GELU(), *head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(images).mean(1, keepdim=True)))


class Across(nn.Module):
    """A linear layer over the columns of the image, not over its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 6), nn.Sequential(nn.GELU(), *head(6))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(images)))


class Twice(nn.Module):
    """One convolution used twice in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, 3), nn.Sequential(nn.GELU(), *head(3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(self.conv(images).relu()))


class Normalized(nn.Module):
    """A layer normalization of tokens [1, 12, 16] whose channels differ by four decades."""

    def __init__(self, affine: bool = True) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(16, elementwise_affine=affine), nn.Linear(16, 5)
        with torch.no_grad():
            if affine:
                self.norm.weight.copy_(torch.logspace(-2, 2, 16))
                nn.init.uniform_(self.norm.bias)
                self.linear.weight.div_(self.norm.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(self.linear(self.norm(images.reshape(1, 12, 16)))).mean(1)


class Attention(nn.Module):
    """Two heads over tokens [1, 12, 16], values by ``scaled_dot_product_attention`` or by hand."""

    def __init__(self, fused: bool = True) -> None:
        super().__init__()
        self.fused, self.qkv, self.proj = fused, nn.Linear(16, 48), nn.Linear(16, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(images.reshape(1, 12, 16)).reshape(1, 12, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            x = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        else:
            x = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return torch.nn.functional.gelu(self.proj(x.transpose(1, 2).reshape(1, 12, 16))).mean(1)


@pytest.mark.parametrize(
    ("make", "pairs"),
    [
        (convolutions, 1),
        (lambda: convolutions(nn.Identity()), 1),
        (spoiled, 1),
        (separable, 2),
        (grouped, 1),
        (pooled, 2),
        (flattened, 1),
        (linears, 1),
        (Branches, 1),
        (Halves, 1),
        (Twice, 1),
        (Normalized, 1),
        (lambda: Normalized(affine=False), 1),
        (Attention, 1),
        (lambda: Attention(fused=False), 1),
    ],
)
def test_the_function_stays(make: Callable[[], nn.Module], pairs: int) -> None:
    torch.manual_seed(0)
    program = capture(make().eval(), (8, 8))
    equalized = equalize(program, images(1))
    assert equalized.pairs == pairs
    assert difference(program, equalized.program) <= TOLERANCE
    weights, new = ([layer.weight for layer in layers(one)] for one in (program, equalized.program))
    assert not all(torch.allclose(*pair, rtol=1e-3) for pair in zip(weights, new, strict=True))
    assert equalized.program.graph_signature.user_inputs == program.graph_signature.user_inputs


@pytest.mark.parametrize(("name", "make", "pairs"), [("digits_vit", digits_vit, 19), ("digits_cnn", digits_cnn, 6)])
def test_the_function_of_a_trained_model_stays(name: str, make: Callable[[], nn.Module], pairs: int) -> None:
    module = make()
    module.load_state_dict(load_file(BUNDLED_MODELS[name].weights))
    program = capture(module.eval(), (32, 32))
    equalized = equalize(program, images(1, side=32))
    assert equalized.pairs == pairs  # 13 layer normalizations and the values of 6 attentions; all convolutions
    assert difference(program, equalized.program, side=32) <= TOLERANCE


def test_ranges_become_equal() -> None:
    torch.manual_seed(0)
    program = capture(spoiled().eval(), (8, 8))
    for one, same in ((program, False), (equalize(program, images(1)).program, True)):
        first, second, _ = layers(one)
        made, read = first.weight.abs().amax((1, 2, 3)), second.weight.abs().amax((0, 2, 3))
        assert torch.allclose(made, read, rtol=1e-3) is same


def test_ranges_of_a_chain_become_equal() -> None:
    torch.manual_seed(0)
    first, middle, last, _ = layers(equalize(capture(separable().eval(), (8, 8)), images(1)).program)
    assert torch.allclose(first.weight.abs().amax((1, 2, 3)), middle.weight.abs().amax((1, 2, 3)), rtol=1e-3)
    assert torch.allclose(middle.weight.abs().amax((1, 2, 3)), last.weight.abs().amax((0, 2, 3)), rtol=1e-3)


def test_ranges_before_a_grouped_convolution_become_equal() -> None:
    torch.manual_seed(0)
    first, second, _ = layers(equalize(capture(grouped().eval(), (8, 8)), images(1)).program)
    read = second.weight.reshape(2, 2, 3, 9).abs().amax((1, 3)).flatten()  # [groups, out, in, kernel]
    assert torch.allclose(first.weight.abs().amax((1, 2, 3)), read, rtol=1e-3)


def simulate(program: ExportedProgram, seed: int = 9) -> torch.Tensor:
    """Logits with every weight tensor, and every input of a layer, rounded to one symmetric int8 grid."""
    module = copy.deepcopy(program.module())  # its parameters are the program's own

    def rounded(values: torch.Tensor) -> torch.Tensor:
        scale = values.abs().max() / 127
        return (values / scale).round() * scale

    for layer in find_layers(module):
        layer.weight.copy_(rounded(layer.weight))
        with module.graph.inserting_before(layer.node):
            read = module.graph.call_function(rounded, (layer.node.args[0],))
        layer.node.replace_input_with(layer.node.args[0], read)  # type: ignore[arg-type]
    module.recompile()
    return run_images(module, images(seed))


@pytest.mark.parametrize("make", [spoiled, separable, linears, Normalized])
def test_a_badly_scaled_network_loses_less_in_int8(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    program = capture(make().eval(), (8, 8))
    expected, equalized = logits(program), equalize(program, images(1)).program
    errors = [float((simulate(one) - expected).square().mean()) for one in (program, equalized)]
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize(
    ("make", "obstacle"),
    [
        (lambda: convolutions(nn.ReLU6()), "hardtanh"),
        (lambda: convolutions(nn.Hardtanh()), "hardtanh"),
        (lambda: convolutions(nn.GELU()), "gelu"),
        (lambda: convolutions(nn.Sigmoid()), "sigmoid"),
        (Residual, "add"),
        (Mixed, "mean"),
        (Across, "linear"),
    ],
)
def test_what_does_not_pass_scaling_through_is_left_alone(make: Callable[[], nn.Module], obstacle: str) -> None:
    torch.manual_seed(0)
    program = capture(make().eval(), (8, 8))
    equalized = equalize(program, images(1) / 100)  # so dark that no channel comes near 6
    assert equalized.pairs == 0
    assert equalized.skipped[obstacle] >= 1
    assert equalized.program is program


def test_channels_that_something_else_reads_stay() -> None:
    torch.manual_seed(0)
    program = capture(Halves().eval(), (8, 8))
    before, after = layers(program), layers(equalize(program, images(1)).program)
    assert torch.equal(before[0].weight[3:], after[0].weight[3:])
    assert not torch.isclose(before[0].weight[:3], after[0].weight[:3], rtol=1e-3).any()
    assert torch.equal(before[1].weight[:, 3:], after[1].weight[:, 3:])
    assert torch.equal(before[2].weight, after[2].weight)


@pytest.mark.parametrize("fused", [True, False])
def test_values_of_attention_are_scaled_and_nothing_else(fused: bool) -> None:
    torch.manual_seed(0)
    program = capture(Attention(fused).eval(), (8, 8))
    (qkv, _), (new, proj) = layers(program), layers(equalize(program, images(1)).program)
    assert torch.equal(qkv.weight[:32], new.weight[:32]) and torch.equal(qkv.bias[:32], new.bias[:32])
    assert torch.allclose(new.weight[32:].abs().amax(1), proj.weight.abs().amax(0), rtol=1e-3)


def test_a_layer_normalization_hands_its_ranges_on() -> None:
    torch.manual_seed(0)
    module = Normalized().eval()
    calibration = images(1)
    (linear,) = layers(equalize(capture(module, (8, 8)), calibration).program)
    with torch.inference_mode():
        made = module.norm(torch.from_numpy(calibration).reshape(-1, 16)).abs().amax(0)
        scale = (linear.weight / module.linear.weight).mean(0)
        expected = (made / module.linear.weight.abs().amax(0)).sqrt()
        assert torch.allclose(scale, expected / expected.log().mean().exp(), rtol=1e-4)


def test_once_is_enough() -> None:
    torch.manual_seed(0)
    program = capture(nn.Sequential(separable()).eval(), (8, 8))
    once = equalize(program, images(1)).program
    again = equalize(once, images(1)).program
    for one, other in zip(layers(once), layers(again), strict=True):
        assert torch.allclose(one.weight, other.weight, rtol=1e-3)
    assert difference(program, again) <= TOLERANCE
    assert len(again.state_dict) == len(program.state_dict)


def test_the_callers_program_stays_as_it_is() -> None:
    torch.manual_seed(0)
    program = capture(spoiled().eval(), (8, 8))
    before, images_before = {key: value.clone() for key, value in program.state_dict.items()}, images(1)
    given = images_before.copy()
    equalize(program, given)
    assert np.array_equal(given, images_before)
    assert list(program.state_dict) == list(before)
    assert all(torch.equal(program.state_dict[key], value) for key, value in before.items())


def test_a_silent_channel_stays() -> None:
    torch.manual_seed(0)
    module = convolutions()
    with torch.no_grad():
        module[0].weight[0], module[0].bias[0] = 0, 0
        module[2].weight[:, 1] = 0
    program = capture(module.eval(), (8, 8))
    equalized = equalize(program, images(1)).program
    (before, _, _), (after, second, _) = layers(program), layers(equalized)
    assert torch.equal(before.weight[:2], after.weight[:2]) and torch.equal(before.bias[:2], after.bias[:2])
    assert second.weight.isfinite().all()
    assert difference(program, equalized) <= TOLERANCE


def test_a_channel_that_is_all_bias_does_not_fill_the_grid() -> None:
    """Its row of weights is next to nothing, so Nagel's rule alone would make it ten thousand times as large."""
    torch.manual_seed(0)
    module = convolutions()
    with torch.no_grad():
        module[0].weight[2] = 1e-9
        module[0].bias[2] = 0.5
    program = capture(module.eval(), (8, 8))
    equalized = equalize(program, images(1)).program
    assert layers(equalized)[0].bias.abs().max() < 10
    expected = logits(program)
    errors = [float((simulate(one) - expected).square().mean()) for one in (program, equalized)]
    assert errors[1] < 2 * errors[0]


def test_not_a_number_fails() -> None:
    with pytest.raises(CandidateFailed, match="changed the logits by nan"):
        equalize(capture(convolutions().eval(), (8, 8)), images(1) * np.float32("nan"))


def test_no_images_fail() -> None:
    with pytest.raises(UsageError, match="no calibration images"):
        equalize(capture(convolutions().eval(), (8, 8)), images(1)[:0])
