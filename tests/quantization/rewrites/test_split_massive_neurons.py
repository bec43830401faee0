"""A massive neuron that is planted is found and taken out; in an ordinary network there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from torch import fx, nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402
from edgevit.model.program.layers import LINEAR, export_again, run_images  # noqa: E402
from edgevit.quantization.rewrites import TOLERANCE, rewrite  # noqa: E402
from edgevit.quantization.rewrites.split_massive_neurons import massive, split_massive_neurons  # noqa: E402
from tests.models import difference, images, ops, program, vit  # noqa: E402


def plant(*neurons: int, factor: float = 200.0) -> nn.Module:
    """A transformer with massive neurons in its second block."""
    module = vit()
    with torch.no_grad():
        module.blocks[1].mlp.fc1.weight[list(neurons)] *= factor  # type: ignore[index, union-attr]
        module.blocks[1].mlp.fc2.weight[:, list(neurons)] /= factor  # type: ignore[index, union-attr]
    return module


def peaks(made: ExportedProgram) -> list[float]:
    """Largest absolute input of each linear layer that reads a GELU."""
    module = made.module()
    readers = [
        node
        for node in module.graph.nodes
        if node.target is LINEAR and any(word in str(node.args[0].target) for word in ("gelu", "dropout"))
    ]
    found: dict[fx.Node, float] = {}

    def see(node: fx.Node, read: torch.Tensor, _: torch.Tensor) -> None:
        found[node] = max(found.get(node, 0.0), float(read.abs().max()))

    run_images(module, images(), readers, see)
    return list(found.values())


@pytest.mark.parametrize(
    "neurons", [(3, 90), *(pytest.param(given, marks=pytest.mark.slow) for given in ((17,), (0, 1, 2, 127)))]
)
def test_planted_neurons_are_taken_out(neurons: tuple[int, ...]) -> None:
    before = program(plant(*neurons))
    module = before.module()
    assert split_massive_neurons(module, images()) == len(neurons)
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert max(peaks(before)) > 50
    assert max(peaks(after)) < 10
    second = [node for node in module.graph.nodes if node.target is LINEAR and node.meta["val"].shape[-1] == 128][1]
    weight = module.get_parameter(str(second.args[1].target))
    assert torch.nonzero(weight.abs().sum(1) == 0).flatten().tolist() == list(neurons)
    assert split_massive_neurons(after.module(), images()) == 0


def test_the_captured_image_shows_them_too() -> None:
    assert rewrite(program(plant(17)), ("split_massive_neurons",)).changed == {"split_massive_neurons": 1}


class Mlp(nn.Module):
    """Linear, activation, linear with a massive neuron; read in another way by choice."""

    def __init__(self, also: str = "", activation: nn.Module | None = None, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.activation = also, activation or nn.GELU()
        self.first, self.second = nn.Linear(16, 24, bias=bias), nn.Linear(24, 5, bias=bias)
        with torch.no_grad():
            self.first.weight[7] *= 300
            self.second.weight[:, 7] /= 300

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.first(images[..., :8, :8].reshape(1, 12, 16))
        activated = self.activation(hidden)
        made = self.second(activated).amax(1)
        if self.also == "hidden read twice":
            made = made + hidden.mean()
        if self.also == "activation read twice":
            made = made + activated.mean()
        return made


@pytest.mark.parametrize(
    "make",
    [Mlp, lambda: Mlp(activation=nn.ReLU()), lambda: Mlp(activation=nn.SiLU()), lambda: Mlp(bias=False)],
)
def test_activations_and_biases(make: Callable[[], nn.Module]) -> None:
    before = program(make())
    module = before.module()
    assert split_massive_neurons(module, images()) == 1
    assert difference(before, export_again(module, before)) <= TOLERANCE


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mlp("hidden read twice"),
        lambda: Mlp("activation read twice"),
        lambda: Mlp(activation=nn.Hardtanh(-1e9, 1e9)),
        lambda: Mlp(activation=nn.ReLU(inplace=True)),
        lambda: plant(17, factor=2),
        lambda: plant(*range(5)),  # more than a few
        vit,
    ],
)
def test_all_else_stays(make: Callable[[], nn.Module]) -> None:
    module = program(make()).module()
    before = ops(module)
    assert split_massive_neurons(module, images()) == 0
    assert ops(module) == before


@pytest.mark.parametrize(("name", "make"), [("digits_vit", digits_vit), ("digits_cnn", digits_cnn)])
def test_trained_models_without_any(name: str, make: Callable[[], nn.Module]) -> None:
    module = make()
    module.load_state_dict(load_file(BUNDLED_MODELS[name].weights))
    assert split_massive_neurons(program(module).module(), images()) == 0


def test_who_is_massive() -> None:
    assert massive(torch.tensor([1.0, 8.0, 1.0])) == [1]
    assert massive(torch.tensor([1.0, 7.9, 1.0])) == []
    assert massive(torch.tensor([9.0, 1000.0, 1.0, 1.0])) == [0, 1]
    assert massive(torch.tensor([9.0, 1000.0, 2.0, 1.0])) == [1]
    assert massive(torch.tensor([5.0, 0.0, 0.0])) == []  # the others are dead
    assert massive(torch.tensor([5.0])) == []
    assert massive(torch.tensor([float("nan"), 1.0, 1.0])) == []
