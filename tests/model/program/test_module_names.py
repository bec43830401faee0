"""Names of modules: right whatever the format's order, and none where they would be a guess."""

from __future__ import annotations

import pytest

from edgevit.model.program.module_names import ModuleLayer, aligned_modules, is_in_module, module_layers, modules_of
from edgevit.results.graph import Graph, Op, Tensor

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402


def names(module: nn.Module, side: int = 8) -> list[str]:
    return [layer.module for layer in module_layers(capture(module.eval(), (side, side)))]


def artifact(*sizes: tuple[int, int]) -> Graph:
    """A graph with layers of these MACs and weights, and a product of two activations between them."""
    weights = [Tensor(f"w{n}", (count,), "float32", 4 * count, constant=True) for n, (_, count) in enumerate(sizes)]
    biases = [Tensor(f"b{n}", (1,), "float32", 4, constant=True) for n in range(len(sizes))]
    data = Tensor("x", (10_000,), "float32", 40_000, constant=False)
    ops = [Op(f"op{n}", "X", "linear", ("x", f"w{n}", f"b{n}"), ("x",), macs) for n, (macs, _) in enumerate(sizes)]
    product = Op("product", "X", "matmul", ("x", "x"), ("x",), 99)
    return Graph("stub", (*ops[:1], product, *ops[1:]), (*weights, *biases, data), ("x",), ("x",))


class Attention(nn.Module):
    """Query, key and value in layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        query, key, value = self.query(tokens), self.key(tokens), self.value(tokens)
        return self.out((query @ key.transpose(1, 2)).softmax(-1) @ value)


class Residual(nn.Module):
    """A short cut with a convolution, of the same MACs as the first of the branch beside it, as in ResNet-50."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, width, 1), nn.Conv2d(width, 8, 3, stride=2, padding=1)
        self.downsample, self.head = nn.Conv2d(3, 8, 1, stride=2), nn.Linear(128, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head((self.conv2(self.conv1(images).relu()) + self.downsample(images)).flatten(1))


def test_a_transformer() -> None:
    found = names(digits_vit(), 32)
    assert found[:4] == ["patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.fc1"]
    assert found[-1] == "head"
    assert len(set(found)) == 26


def test_folded_batch_normalization_leaves_the_name() -> None:
    """The weight is one that folding made, so the name is that of the module that ran."""
    assert names(digits_cnn(), 32) == [*(f"features.{n}" for n in (0, 3, 7, 10, 14, 17)), "head"]


def test_a_model_that_is_a_layer_has_no_path() -> None:
    class Mean(nn.Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images.flatten(1))

    assert names(Mean(192, 5)) == [""]


def test_layers_that_any_order_may_hold_share_the_path_that_all_lie_in() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (12, 16)), Attention(), Attention(), nn.Flatten(),
                           nn.Linear(192, 5))  # fmt: skip
    found = names(module)
    assert found == ["2", "2", "2", "2.out", "3", "3", "3", "3.out", "5"]


def test_the_path_may_be_that_of_the_whole_model() -> None:
    assert names(Residual(8)) == ["conv1", "conv2", "downsample", "head"]
    torch_order = module_layers(capture(Residual(8).eval(), (8, 8)))
    assert torch_order[0].size == (64 * 24, 24) and torch_order[2].size == (16 * 24, 24)

    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (self.left(images) * self.right(images)).mean((2, 3))

    assert names(Twins()) == ["", ""]


def test_equal_macs_with_other_weights_are_told_apart() -> None:
    """conv1 of 2 channels has the MACs of the short cut: 64 positions of 6 weights, 16 of 24."""
    known = module_layers(capture(Residual(2).eval(), (8, 8)))
    assert [layer.macs for layer in known if layer.module in ("conv1", "downsample")] == [384, 384]
    by_name = {layer.module: layer.size for layer in known}
    other_order = ["downsample", "conv1", "conv2", "head"]
    assert modules_of(artifact(*(by_name[name] for name in other_order)), known) == tuple(other_order)


CHAIN = (ModuleLayer("a", 100, 10), ModuleLayer("b", 200, 10), ModuleLayer("c", 100, 10))


def test_layers_of_one_size_keep_their_order() -> None:
    assert modules_of(artifact((100, 10), (200, 10), (100, 10)), CHAIN) == ("a", "b", "c")
    assert modules_of(artifact((200, 10), (100, 10), (100, 10)), CHAIN) == ("b", "a", "c")


@pytest.mark.parametrize(
    "sizes",
    [
        [(100, 10), (200, 10)],
        [(100, 10), (200, 10), (100, 10), (100, 10)],
        [(100, 10), (201, 10), (100, 10)],
        [(100, 10), (200, 20), (100, 10)],
        [(100, 10), (200, 10), (200, 10)],
    ],
    ids=["one fewer", "one more", "other MACs", "other weights", "other counts"],
)
def test_no_name_is_guessed(sizes: list[tuple[int, int]]) -> None:
    assert modules_of(artifact(*sizes), CHAIN) == ("",) * len(sizes)


def test_nothing_known_is_no_names() -> None:
    assert modules_of(artifact((100, 10)), ()) == ("",)


KNOWN = (ModuleLayer("stem", 9, 10), ModuleLayer("qkv", 9, 30), ModuleLayer("head", 9, 5))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([10, 30, 5], ("stem", "qkv", "head")),
        ([10, 10, 10, 10, 5], ("stem", "qkv", "qkv", "qkv", "head")),
        ([10, 20, 20, 5], ("", "", "", "")),
        ([10, 30], ("", "")),
        ([1000, 9, 3000, 500], ("stem", "stem", "qkv", "head")),
        ([10, 30, 5, 5], ("", "", "", "")),
        ([], ()),
    ],
)
def test_layers_that_were_split_keep_their_place(weights: list[int], expected: tuple[str, ...]) -> None:
    scale = 1 if sum(weights) < 1000 else 100
    known = [ModuleLayer(each.module, each.macs, scale * each.weights) for each in KNOWN]
    assert aligned_modules(weights, known) == expected


@pytest.mark.parametrize(
    ("path", "module", "expected"),
    [
        ("blocks.7.mlp.fc2", "blocks.7.mlp.fc2", True),
        ("vit.blocks.7.mlp.fc2", "blocks.7.mlp.fc2", True),
        ("blocks.7.mlp.fc2", "blocks.7", True),
        ("blocks.17.mlp.fc2", "blocks.1", False),
        ("blocks.7.mlp.fc2", "fc", False),
        ("", "head", False),
    ],
)
def test_a_layer_is_in_a_module_by_whole_names(path: str, module: str, *, expected: bool) -> None:
    assert is_in_module(path, module) is expected
