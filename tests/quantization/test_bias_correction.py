"""Bias correction: the mean error of rounded weights goes away, and nothing changes where there is none."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_vit  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.layers import find_layers, run_images  # noqa: E402
from edgevit.quantization.bias_correction import correct_bias, round_weights  # noqa: E402


def images(seed: int, count: int = 16, side: int = 8) -> np.ndarray:
    """Far from zero on average, or there would be nothing to correct."""
    return np.random.default_rng(seed).random((count, 3, side, side), dtype=np.float32) + 1


def rounded_logits(program: ExportedProgram, over: np.ndarray) -> torch.Tensor:
    """Logits with the weights of every layer rounded to int8, float32 [n, classes]."""
    module = copy.deepcopy(program.module())  # its parameters are the program's own
    for layer in find_layers(module):
        layer.weight.copy_(round_weights(layer.weight))
    return run_images(module, over)


def convolution(**options: object) -> nn.Module:
    """One layer, then only means: what it does to the mean is what one sees."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, **options), nn.AdaptiveAvgPool2d(1), nn.Flatten())  # type: ignore[arg-type]


def linear(**options: bool) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 6, **options))


class Tokens(nn.Module):
    """A linear layer over tokens [1, 12, 16], and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(images.reshape(1, 12, 16)).mean(1)


@pytest.mark.parametrize(
    "make",
    [
        convolution,
        lambda: convolution(padding=1),
        lambda: convolution(padding="same"),
        lambda: convolution(bias=False, stride=2, padding=2, dilation=2),
        lambda: convolution(groups=3),
        linear,
        lambda: linear(bias=False),
        Tokens,
    ],
)
def test_the_mean_error_disappears(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    program, calibration = capture(make().eval(), (8, 8)), images(1)
    corrected = correct_bias(program, calibration)
    assert corrected.layers == 1
    expected = run_images(program.module(), calibration).mean(0)
    before, after = (
        (rounded_logits(p, calibration).mean(0) - expected).abs() for p in (program, corrected.program)
    )  # fmt: skip
    assert before.max() > 1e-4
    assert after.max() < 2e-6


def test_a_shift_that_is_known() -> None:
    """Weights 127 and 0.25 have the scale 1, so 0.25 becomes 0 and an input of 2 loses 0.5."""
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    with torch.no_grad():
        module[2].weight.copy_(torch.tensor([[127, 0.25, 0], [0, 0.75, -127]]))
        module[2].bias.copy_(torch.tensor([1.0, 2.0]))
    corrected = correct_bias(capture(module, (8, 8)), np.full((3, 3, 8, 8), 2, np.float32))
    (layer,) = find_layers(corrected.program.module())
    assert layer.bias.tolist() == [1.5, 1.5]
    assert torch.equal(layer.weight, module[2].weight)


def test_weights_on_the_grid_need_no_correction() -> None:
    module = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(216, 5)).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in (module[0], module[3]):
            layer.weight.copy_(torch.randint(-127, 128, layer.weight.shape, generator=generator) / 64)
            layer.weight.flatten(1)[:, 0] = -127 / 64
    program = capture(module, (8, 8))
    corrected = correct_bias(program, images(1))
    assert corrected.layers == 0
    assert corrected.program is program


def test_each_layer_sees_the_float_model() -> None:
    """A layer behind another is corrected for its own weights alone."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    program, calibration = capture(module, (8, 8)), images(1)
    corrected = correct_bias(program, calibration)
    first, second = find_layers(corrected.program.module())
    with torch.inference_mode():
        hidden = module[:3](torch.from_numpy(calibration)).mean(0).double()
        shift = (round_weights(module[3].weight) - module[3].weight) @ hidden
    assert corrected.layers == 2
    assert torch.allclose(second.bias, (module[3].bias - shift).float(), atol=1e-7)
    assert torch.equal(first.weight, module[1].weight)


def test_a_whole_network_comes_closer() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    ).eval()  # fmt: skip
    program, test = capture(module, (8, 8)), images(2)
    corrected = correct_bias(program, images(1)).program
    expected = run_images(program.module(), test)
    errors = [float((rounded_logits(one, test) - expected).abs().mean()) for one in (program, corrected)]
    assert errors[1] < errors[0] / 2


def test_a_transformer_is_corrected_layer_by_layer() -> None:
    torch.manual_seed(0)
    program = capture(digits_vit().eval(), (32, 32))
    corrected = correct_bias(program, images(1, count=2, side=32))
    assert corrected.layers == 26  # the patches, 4 in each of 6 blocks, the head
    assert run_images(corrected.program.module(), images(2, count=2, side=32)).isfinite().all()


def test_a_channel_without_weights_is_no_trouble() -> None:
    weight = torch.tensor([[0.0, 0.0], [1.0, 0.3]])
    assert torch.allclose(round_weights(weight), torch.tensor([[0, 0], [1, 38 / 127]]).double())


def test_the_callers_program_stays_as_it_is() -> None:
    torch.manual_seed(0)
    program = capture(convolution().eval(), (8, 8))
    before = {key: value.clone() for key, value in program.state_dict.items()}
    correct_bias(program, images(1))
    assert list(program.state_dict) == list(before)
    assert all(torch.equal(program.state_dict[key], value) for key, value in before.items())


def test_not_a_number_fails() -> None:
    torch.manual_seed(0)
    with pytest.raises(CandidateFailed, match="not a number"):
        correct_bias(capture(convolution().eval(), (8, 8)), images(1) * np.float32("nan"))


def test_no_images_fail() -> None:
    with pytest.raises(UsageError, match="no calibration images"):
        correct_bias(capture(convolution().eval(), (8, 8)), images(1)[:0])
