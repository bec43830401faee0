"""Modules in memory: timm's by name and weights, others as a captured program, each the same function."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.api.stored_model import class_names_of, stored_model  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402

OWN = Preprocessing((16, 24), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7), crop_pct=0.9)


class Net(nn.Module):
    """What somebody has in a notebook: in training mode, and for any size."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).mean((2, 3)))


def logits(module: nn.Module, size: tuple[int, int]) -> Tensor:
    with torch.no_grad():
        return module(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)))


def test_an_own_module_becomes_a_program_that_computes_the_same(tmp_path: Path) -> None:
    net = Net()
    spec = stored_model(net, OWN, tmp_path)
    assert net.training  # it is left as it was
    loaded = load_model(spec)
    assert loaded.name == str(next(tmp_path.glob("Net-*.pt2")))
    assert loaded.preprocessing == OWN
    assert loaded.num_classes == 5
    assert torch.allclose(logits(loaded.module, OWN.input_size), logits(net.eval(), OWN.input_size), atol=1e-6)
    assert loaded.module.state_dict().keys() == net.state_dict().keys()


def test_a_model_of_timm_keeps_its_name_and_configuration(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = timm.create_model("test_vit", num_classes=7).eval()
    spec = stored_model(module, None, tmp_path)
    assert (spec.name, spec.num_classes) == ("test_vit", 7)
    loaded = load_model(spec)
    size = loaded.preprocessing.input_size
    assert size == tuple(module.pretrained_cfg["input_size"][1:])
    assert torch.equal(logits(loaded.module, size), logits(module, size))


def test_a_changed_model_of_timm_is_a_program(tmp_path: Path) -> None:
    module = timm.create_model("test_vit").eval()
    module.head = nn.Sequential(module.head, nn.ReLU())
    spec = stored_model(module, None, tmp_path)
    assert spec.name.endswith(".pt2")
    size = load_model(spec).preprocessing.input_size
    assert torch.allclose(logits(load_model(spec).module, size), logits(module, size), atol=1e-5)


def test_equal_modules_are_written_once(tmp_path: Path) -> None:
    net = Net()
    first = stored_model(net, OWN, tmp_path)
    written = Path(first.name).stat().st_mtime_ns
    assert stored_model(net, OWN, tmp_path) == first
    assert Path(first.name).stat().st_mtime_ns == written
    nn.init.zeros_(net.head.bias)
    assert stored_model(net, OWN, tmp_path) != first


class Random(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) + torch.rand(images.shape[0], 3)


class Branching(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))


@pytest.mark.parametrize(
    ("module", "preprocessing", "said"),
    [
        (Net(), None, "Net states no input_size, mean, std"),
        (Random(), OWN, "computes something else when it is captured"),
        (Branching(), OWN, "torch.export cannot capture"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    module: nn.Module, preprocessing: Preprocessing | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        stored_model(module, preprocessing, tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_of_classes_are_those_that_the_module_states_for_all_outputs() -> None:
    named, spec = Net().train(), ModelSpec(name="a", preprocessing=PreprocessingOverrides(input_size=(16, 16)))
    with torch.inference_mode():
        outputs = Net().eval()(torch.zeros(1, 3, 16, 16)).shape[1]
    assert class_names_of(named, spec) == ()
    named.class_names = [f"class {output}" for output in range(outputs)]
    before = {key: value.clone() for key, value in named.state_dict().items()}
    assert class_names_of(named, spec) == tuple(f"class {output}" for output in range(outputs))
    assert named.training
    assert all(torch.equal(value, before[key]) for key, value in named.state_dict().items())
    named.class_names = ["one"]
    assert class_names_of(named, spec) == ()
