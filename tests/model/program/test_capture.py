"""The captured graph: the same numbers as the module, with nothing left that could be folded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.architecture import is_transformer  # noqa: E402
from edgevit.model.program.capture import capture, count_macs, load_program, save_program  # noqa: E402


def disturb(module: nn.Module) -> nn.Module:
    """Gives every batch normalization statistics that are far from doing nothing."""
    generator = torch.Generator().manual_seed(3)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator))
            layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) + 0.5)  # type: ignore[union-attr]
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(layer.bias, -1, 1, generator=generator)
    return module.eval()


def ops(program: ExportedProgram) -> Counter[str]:
    return Counter(str(node.target) for node in program.graph.nodes if node.op == "call_function")


def same_numbers(module: nn.Module, program: ExportedProgram, size: tuple[int, int]) -> None:
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(9))
    with torch.inference_mode():
        expected, actual = module(image), program.module()(image)  # type: ignore[operator]
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)]


def conv_bn(**bn: bool) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, **bn), nn.ReLU(), *head(4))


def conv_with_bias_and_groups() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding="same", groups=3), nn.BatchNorm2d(6), *head(6))


def linear_bn(**bn: bool) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.BatchNorm1d(6, **bn), nn.ReLU(), nn.Linear(6, 5))


def three_in_a_row() -> nn.Module:
    layers = [layer for _ in range(3) for layer in (nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3))]
    return nn.Sequential(*layers, *head(3))


@pytest.mark.parametrize(
    "make",
    [
        conv_bn,
        lambda: conv_bn(affine=False),
        conv_with_bias_and_groups,
        linear_bn,
        lambda: linear_bn(affine=False),
        three_in_a_row,
    ],
)
def test_batch_normalization_disappears(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    module = disturb(make())
    program = capture(module, (8, 8))
    assert not any("batch_norm" in name for name in ops(program))
    same_numbers(module, program, (8, 8))


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_byobnet"])
def test_batch_normalization_of_timm_disappears(name: str) -> None:
    torch.manual_seed(0)
    module = disturb(timm.create_model(name, num_classes=5))
    program = capture(module, (64, 64))
    assert not any("batch_norm" in op for op in ops(program))
    same_numbers(module, program, (64, 64))


class SharedOutput(nn.Module):
    """A convolution whose output is read by its norm and by another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Sequential(*head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv(images)
        return self.head(torch.relu(self.bn(x)) + x)


class SharedLayer(nn.Module):
    """One convolution used twice, with a norm of its own each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.head = nn.Sequential(*head(3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.conv(self.first(self.conv(images)).relu())).relu())


class NormOverTokens(nn.Module):
    """A norm over the second axis of tokens, which is not the one that the linear layer before it makes."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.linear, self.bn, self.head = nn.Linear(16, width), nn.BatchNorm1d(tokens), nn.Linear(tokens * width, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.bn(self.linear(images.reshape(1, -1, 16))).relu().flatten(1))


class BatchStatistics(nn.Module):
    """A norm that works with the statistics of its own input, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(*head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = nn.functional.batch_norm(self.conv(images), None, None, self.bn.weight, self.bn.bias, training=True)
        return self.head(x.relu())


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (SharedOutput, 1),
        (lambda: NormOverTokens(12, 7), 1),
        (lambda: NormOverTokens(12, 12), 1),
        (BatchStatistics, 1),
        (SharedLayer, 0),
    ],
)
def test_what_cannot_be_folded_stays_right(make: Callable[[], nn.Module], left: int) -> None:
    torch.manual_seed(0)
    module = disturb(make())
    program = capture(module, (8, 8))
    assert sum(count for name, count in ops(program).items() if "batch_norm" in name) == left
    same_numbers(module, program, (8, 8))


def test_position_embeddings_are_resampled_beforehand() -> None:
    """timm resamples on every call under export where ``dynamic_img_size`` is on, and LiteRT lacks that op."""
    torch.manual_seed(0)
    for name in ("test_vit", "test_vit2"):
        module = timm.create_model(name, num_classes=5, img_size=96).eval()
        assert module.dynamic_img_size
        program = capture(module, (96, 96))
        assert not any("upsample" in op for op in ops(program))
        same_numbers(module, program, (96, 96))


class Decoder(nn.Module):
    """Interpolates the image itself, which is no constant."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(images, scale_factor=2.0, mode="bilinear").mean(-1).flatten(1)


def test_interpolation_of_the_image_stays() -> None:
    program = capture(Decoder().eval(), (8, 8))
    assert any("upsample" in op for op in ops(program))
    same_numbers(Decoder(), program, (8, 8))


def test_the_users_module_stays_as_it_is() -> None:
    torch.manual_seed(0)
    module = disturb(conv_bn())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    capture(module, (8, 8))
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    ("name", "macs"), [("vit_tiny_patch16_224", 1.254e9), ("mobilenetv2_100", 0.3008e9)]
)  # anchors: timm's own tables
def test_macs_of_known_models(name: str, macs: float) -> None:
    program = capture(timm.create_model(name).eval(), (224, 224))
    assert count_macs(program) == pytest.approx(macs, rel=0.01)


def test_macs_of_one_convolution_are_exact() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)).eval()
    assert count_macs(capture(module, (8, 8))) == 6 * 6 * 4 * 3 * 9 + 144 * 5


@pytest.mark.parametrize(
    ("name", "answer"),
    [("test_vit", True), ("test_efficientnet", False), ("test_resnet", False), ("test_mambaout", False)],
)
def test_who_is_a_transformer(name: str, answer: bool) -> None:
    if not timm.is_model(name):
        pytest.skip(f"this timm has no {name}")
    assert is_transformer(capture(timm.create_model(name).eval(), (160, 160))) is answer


class Undecided(nn.Module):
    """Does something else for bright images."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images.mean((2, 3))
        return x * 2 if x.sum() > 0 else x


class Ragged(nn.Module):
    """Has as many outputs as there are bright pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[images > 0].reshape(1, -1)


@pytest.mark.parametrize("make", [Undecided, Ragged])
def test_what_depends_on_the_image_is_refused(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(UsageError, match="torch.export cannot capture the model|depends on the image") as caught:
        capture(make().eval(), (4, 4))
    assert caught.value.hint and "data-dependent" in caught.value.hint


class Unstable(nn.Module):
    """Gives NaN."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) * float("nan")


def test_not_a_number_is_refused() -> None:
    with pytest.raises(UsageError, match="differs from the module by nan"):
        capture(Unstable().eval(), (4, 4))


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """torch's writer raises an error of its own for it, which would pass for a bug."""
    program = (
        "import errno, resource; from pathlib import Path; from torch import nn\n"
        "from edgevit.model.program.capture import capture, save_program\n"
        "program = capture(nn.Sequential(nn.Flatten(), nn.Linear(192, 500)).eval(), (8, 8))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save_program(program, Path('f'))\n"
        "except OSError as error: print(error.errno == errno.EFBIG)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert done.stdout.strip() == "True"


def test_a_program_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = disturb(conv_bn())
    save_program(capture(module, (8, 8)), tmp_path / "p.pt2")
    loaded = load_program(tmp_path / "p.pt2")
    same_numbers(module, loaded, (8, 8))
    assert loaded.example_inputs is not None
    assert tuple(loaded.example_inputs[0][0].shape) == (1, 3, 8, 8)
    assert count_macs(loaded) == count_macs(capture(module, (8, 8)))
