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
from edgevit.model.program.capture import capture, count_macs, load_program, save_program  # noqa: E402
from tests.model.program.networks import conv_bn, disturb  # noqa: E402


def ops(program: ExportedProgram) -> Counter[str]:
    return Counter(str(node.target) for node in program.graph.nodes if node.op == "call_function")


def same_numbers(module: nn.Module, program: ExportedProgram, size: tuple[int, int]) -> None:
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(9))
    with torch.inference_mode():
        expected, actual = module(image), program.module()(image)  # type: ignore[operator]
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_byobnet"])
def test_batch_normalization_of_timm_disappears(name: str) -> None:
    torch.manual_seed(0)
    module = disturb(timm.create_model(name, num_classes=5))
    program = capture(module, (64, 64))
    assert not any("batch_norm" in op for op in ops(program))
    same_numbers(module, program, (64, 64))


def test_position_embeddings_are_resampled_beforehand() -> None:
    """timm resamples on every call under export where ``dynamic_img_size`` is on, and LiteRT lacks that op."""
    torch.manual_seed(0)
    for name in ("test_vit", "test_vit2"):
        module = timm.create_model(name, num_classes=5, img_size=96).eval()
        assert module.dynamic_img_size
        program = capture(module, (96, 96))
        assert not any("upsample" in op for op in ops(program))
        same_numbers(module, program, (96, 96))


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
    assert caught.value.hint and "torch.where" in caught.value.hint


class Unstable(nn.Module):
    """Gives NaN."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) * float("nan")


def test_not_a_number_is_refused() -> None:
    with pytest.raises(UsageError, match="differs from the module by nan"):
        capture(Unstable().eval(), (4, 4))


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """torch's writer raises an error of its own for it, which would pass for a bug."""
    program = (
        "import resource; from pathlib import Path; from torch import nn; from edgevit.errors import DiskFull\n"
        "from edgevit.model.program.capture import capture, save_program\n"
        "program = capture(nn.Sequential(nn.Flatten(), nn.Linear(192, 500)).eval(), (8, 8))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save_program(program, Path('f'))\n"
        "except DiskFull as error: print(error.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert done.stdout.startswith("cannot write f: the disk of / is full")


def test_the_same_module_is_the_same_file(tmp_path: Path) -> None:
    """Or a store would not know that what is made from it was made before."""
    module, kept = disturb(conv_bn()), []
    for name in ("one", "two"):
        kept.append(capture(module, (8, 8)))  # so that addresses are others
        save_program(kept[-1], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_program_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = disturb(conv_bn())
    save_program(capture(module, (8, 8)), tmp_path / "p.pt2")
    loaded = load_program(tmp_path / "p.pt2")
    same_numbers(module, loaded, (8, 8))
    assert loaded.example_inputs is not None
    assert tuple(loaded.example_inputs[0][0].shape) == (1, 3, 8, 8)
    assert count_macs(loaded) == count_macs(capture(module, (8, 8)))


class InPlace(nn.Module):
    """A block that merges its two branches in place, as YOLO's do."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.merged: nn.Conv2d | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.merged(images) if self.merged else self.one(images) + self.two(images)

    def fuse(self) -> None:
        self.merged = nn.Conv2d(3, 4, 1)
        self.merged.weight.data = self.one.weight + self.two.weight
        self.merged.bias.data = self.one.bias + self.two.bias  # type: ignore[union-attr, operator]
        del self.one, self.two


class OtherFuse(InPlace):
    """Its ``fuse`` is something else: it joins two inputs."""

    def fuse(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return one + two


@pytest.mark.parametrize(("block", "convolutions"), [(InPlace, 1), (OtherFuse, 2)])
def test_a_block_may_merge_itself_in_place(block: type[InPlace], convolutions: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(block(), nn.Flatten(), nn.Linear(256, 5)).eval()
    program = capture(module, (8, 8))
    same_numbers(module, program, (8, 8))
    assert ops(program)["aten.conv2d.default"] == convolutions


class Raises(nn.Module):
    """Its forward raises for some images."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise KeyError("colour")


def test_a_forward_that_raises_is_told_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"running the model: KeyError: 'colour' \(.*test_capture.py, line \d+\)"):
        capture(Raises(), (8, 8))


class RaisesWhenCaptured(nn.Module):
    """Its forward raises only where it is traced."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():
            raise KeyError("traced")
        return images.flatten(1)


def test_a_forward_that_raises_when_it_is_captured_is_told_with_its_line() -> None:
    with pytest.raises(
        UsageError, match=r"cannot capture the model: KeyError: 'traced' \(.*test_capture.py, line \d+\)"
    ):
        capture(RaisesWhenCaptured(), (8, 8))


class Random(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.mean((2, 3)) + torch.rand(3))


class Chaotic(nn.Module):
    """Each step of the logistic map doubles what rounding does, so that 40 of them make it the whole result.

    Its logits are so many that folding the norm rounds some of them otherwise on any processor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        disturb(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.norm(self.conv(images)).flatten(1))
        for _ in range(40):
            x = 3.99 * x * (1 - x)
        return x


@pytest.mark.parametrize(
    ("module", "message", "hint"),
    [
        (Random(), "run twice on one image, the module itself differs", "randomness"),
        (Chaotic(), "rounding to float32 alone changes its logits", "trained weights"),
    ],
    ids=["random", "chaotic"],
)
def test_a_captured_model_that_differs_is_told_with_its_cause(module: nn.Module, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        capture(module.eval(), (16, 16))
    assert caught.value.hint and hint in caught.value.hint
