"""Loading models: where weights come from, whether they fit, and what the model says of its images."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import save_file  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model import load  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.model.load import LoadJob, load_model, load_on_trial, weights_sha256  # noqa: E402
from edgevit.model.weights import refuse_unusual_storage  # noqa: E402
from edgevit.results.output import Output  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402


def spec(name: str, **given: Any) -> ModelSpec:
    return ModelSpec(name=name, **{"random_weights": "weights" not in given and "pretrained" not in given, **given})


@pytest.mark.parametrize(("name", "params"), [("test_vit", 371_240), ("test_efficientnet", 356_196)])
def test_a_timm_model_with_random_weights(name: str, params: int) -> None:
    model = load_model(spec(name))
    assert (model.params, model.num_classes, model.random_weights) == (params, 1000, True)
    assert model.preprocessing.input_size == (160, 160)
    assert model.preprocessing.crop_pct == 0.95
    assert not model.module.training
    assert not any(parameter.requires_grad for parameter in model.module.parameters())


def test_the_spec_overrides_single_values_of_the_preprocessing() -> None:
    overrides = PreprocessingOverrides(mean=(0.1, 0.2, 0.3), crop_pct=1.0)
    model = load_model(spec("test_efficientnet", num_classes=7, preprocessing=overrides))
    assert model.num_classes == 7
    assert (model.preprocessing.mean, model.preprocessing.crop_pct) == ((0.1, 0.2, 0.3), 1.0)
    assert model.preprocessing.std == (0.229, 0.224, 0.225)


def test_a_model_of_fixed_size_is_made_for_the_size_that_is_asked() -> None:
    model = load_model(spec("test_vit3", preprocessing=PreprocessingOverrides(input_size=(96, 128))))
    assert model.preprocessing.input_size == (96, 128)


@pytest.mark.parametrize("name", sorted(BUNDLED_MODELS))
def test_bundled_models_bring_their_weights(name: str) -> None:
    model = load_model(ModelSpec(name=name))
    again = load_model(ModelSpec(name=name))
    assert (model.num_classes, model.random_weights) == (10, False)
    assert all(torch.equal(a, b) for a, b in zip(model.module.parameters(), again.module.parameters(), strict=True))
    with pytest.raises(UsageError, match="bundled with its weights and 10 classes"):
        load_model(ModelSpec(name=name, num_classes=11))


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown model: 'vit_tinny_patch16_224'") as caught:
        load_model(spec("vit_tinny_patch16_224"))
    assert caught.value.hint and "did you mean" in caught.value.hint and "vit_tiny_patch16_224" in caught.value.hint
    with pytest.raises(UsageError, match="unknown model: 'digit_vit'") as caught:
        load_model(spec("digit_vit"))
    assert caught.value.hint and "digits_vit" in caught.value.hint


def test_weights_have_to_come_from_somewhere(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="where do the weights of test_vit come from") as caught:
        load_model(ModelSpec(name="test_vit"))
    assert caught.value.hint and "--weights" in caught.value.hint
    with pytest.raises(UsageError, match="no such weights file"):
        load_model(ModelSpec(name="test_vit", weights=tmp_path / "nowhere.pt"))


def test_pretrained_offline_points_at_weights(tmp_path: Path) -> None:
    program = (
        "from edgevit.model.load import load_model; from edgevit.spec.spec import ModelSpec\n"
        "from edgevit.errors import UsageError\n"
        "try: load_model(ModelSpec(name='test_vit', pretrained=True))\n"
        "except UsageError as error: print(error.message, '|', error.hint)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.startswith("could not get pretrained weights of test_vit: ")
    assert "--weights FILE" in done.stdout


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("nested", [False, True])
def test_weights_of_a_file_are_the_models(tmp_path: Path, suffix: str, nested: bool) -> None:
    torch.manual_seed(1)
    source = load_model(spec("test_efficientnet"))
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(
            {"state_dict": source.module.state_dict(), "epoch": 3} if nested else source.module.state_dict(), path
        )
    elif nested:
        pytest.skip("safetensors are flat")
    else:
        save_file(source.module.state_dict(), path)
    loaded = load_model(spec("test_efficientnet", weights=path))
    assert not loaded.random_weights
    state = loaded.module.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in source.module.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e39])
def test_weights_that_are_not_finite_in_float32_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "w.pt"
    state = {
        key: tensor.double() for key, tensor in load_model(ModelSpec(name="digits_cnn")).module.state_dict().items()
    }
    name = next(iter(state))
    state[name].flatten()[:2] = value
    torch.save(state, path)
    with pytest.raises(UsageError) as caught:
        load_model(ModelSpec(name="digits_cnn", weights=path))
    assert f"{path}: NaN or infinity in 1 tensors: {name} (2 of " in caught.value.message


FACTORIES = """
from dataclasses import dataclass
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes=4, size=8, **config):
        super().__init__()
        self.head = nn.Linear(3 * size * size, num_classes)
        self.default_cfg = {"input_size": (3, size, size), "mean": (0.5,) * 3, "std": (0.5,) * 3, **config}
    def forward(self, images):
        return self.head(images.flatten(1))

def good(num_classes=4): return Net(num_classes)
def fixed(): return Net()
def diverged():
    net = Net()
    net.head.weight.data[0, :5] = float("nan")
    return net
def quantized():
    return torch.ao.quantization.quantize_dynamic(Net(), {nn.Linear}, dtype=torch.qint8)
def silent():
    net = Net()
    del net.default_cfg
    return net
def odd_interpolation(): return Net(interpolation="area")
def odd_crop(): return Net(crop_mode="border")
def wrong_size(): return Net(**{"input_size": (3, 9, 9)})
def no_module(): return 3
def needs(something): return Net()
class Maps(Net):
    def forward(self, images): return images
def maps(): return Maps()
@dataclass
class Found:
    embedding: torch.Tensor
    maps: list
    loss: object = None
class Several(Net):
    def forward(self, images): return Found(super().forward(images), [images, {"half": images / 2}])
def several(): return Several()
class Only(Net):
    def forward(self, images): return {"logits": super().forward(images), "loss": None}
def only(): return Only()
class Returning(Net):
    def __init__(self, make):
        super().__init__()
        self.make = make
    def forward(self, images): return self.make(super().forward(images))
def decided(): return Returning(lambda logits: logits.argmax(1))
def boxes(): return Returning(lambda logits: {"boxes": torch.zeros(7, 4), "scores": logits})
def twice(): return Returning(lambda logits: {"a": [logits], "a_0": logits})
def worded(): return Returning(lambda logits: {"logits": logits, "task": "flowers"})
def void(): return Returning(lambda logits: [])
number = 3
def loads_its_own():
    net = Net()
    for tensor in net.parameters():
        tensor.data.fill_(0.25)
    return net
def asks(pretrained=False): return loads_its_own() if pretrained else Net()
class Grey(Net):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 1)
    def forward(self, images): return super().forward(self.conv(images))
def grey(): return Grey()
def levels(): return Net(mean=(127.5,) * 3, std=(127.5,) * 3)
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's own module, in the folder that the command runs in."""
    (tmp_path / "my_factories.py").write_text(FACTORIES)
    (tmp_path / "my_broken.py").write_text("def f(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "my_factories", raising=False)
    monkeypatch.setattr(load, "_try_in_child", lambda job: None)  # the child has tests of its own, below
    return "my_factories"


def test_a_users_own_factory(factories: str, tmp_path: Path) -> None:
    model = load_model(spec(f"{factories}:good"))
    assert (model.num_classes, model.preprocessing.input_size) == (4, (8, 8))
    assert load_model(spec(f"{factories}:good", num_classes=6)).num_classes == 6
    torch.save(model.module.state_dict(), tmp_path / "w.pt")
    loaded = load_model(spec(f"{factories}:good", weights=tmp_path / "w.pt"))
    assert torch.equal(loaded.module.head.weight, model.module.head.weight)
    overrides = PreprocessingOverrides(input_size=(8, 8), mean=(0, 0, 0), std=(1, 1, 1))
    assert load_model(spec(f"{factories}:silent", preprocessing=overrides)).preprocessing.std == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("{}:grey", {}, ":grey takes images of 1 channel, not 3"),
        ("{}:levels", {}, r"mean 127.5 and std 127.5 is not of pixels in 0..1.* --mean 0.5 --std 0.5"),
        ("{}:nothing", {}, "has no factory 'nothing'"),
        ("{}:number", {}, "has no factory 'number'"),
        ("{}:", {}, "is not package.module:factory"),
        ("nowhere.at.all:good", {}, "cannot import 'nowhere.at.all'"),
        ("my_broken:f", {}, r"importing my_broken: SyntaxError: .*my_broken.py, line 1\)"),
        (":good", {}, "is not package.module:factory"),
        (".relative:good", {}, "is not package.module:factory"),
        ("{}:no_module", {}, "returned int, not a torch.nn.Module"),
        ("{}:needs", {}, "cannot be called: missing a required argument: 'something'"),
        ("{}:fixed", {"num_classes": 5}, r"fixed\(num_classes=5\) cannot be called"),
        ("{}:diverged", {}, r":diverged: NaN or infinity in 1 tensors: head.weight \(5 of 768 values\)"),
        ("{}:quantized", {}, r":quantized is quantized already: head \(Linear\)"),
        ("{}:silent", {}, "states no input_size, mean, std"),
        ("{}:odd_interpolation", {}, "interpolation 'area', which edgevit lacks"),
        ("{}:odd_crop", {}, "crop_mode 'border', which edgevit lacks"),
        ("{}:wrong_size", {}, r"does not take an image \[1, 3, 9, 9\]"),
        ("{}:decided", {}, r'the output "output" of the model is int64 \[1\], which cannot be compared as real values'),
        ("{}:boxes", {}, r'the output "boxes" of the model is \[7, 4\] for one image, without an axis of the batch'),
        ("{}:twice", {}, "of the outputs of the model, a_0 is the name of two"),
        ("{}:worded", {}, "the model returns a str as its output task"),
        ("{}:void", {}, "the model returns no tensor"),
    ],
)
def test_a_bad_factory_is_refused_with_the_reason(
    factories: str, name: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_model(spec(name.format(factories), **given))


def test_what_is_no_classifier_has_its_outputs_by_name(factories: str) -> None:
    model = load_model(spec(f"{factories}:several"))
    assert model.num_classes == 0
    assert model.outputs == (Output("embedding", (4,)), Output("maps_0", (3, 8, 8)), Output("maps_1_half", (3, 8, 8)))
    image = torch.rand(1, 3, 8, 8)
    found = model.module(image)
    assert list(found) == ["embedding", "maps_0", "maps_1_half"]
    assert torch.equal(found["maps_1_half"], image / 2)
    assert load_model(spec(f"{factories}:maps")).outputs == (Output("output", (3, 8, 8)),)


def test_a_row_is_logits_unless_there_are_no_classes(factories: str) -> None:
    model = load_model(spec(f"{factories}:only"))
    assert (model.num_classes, model.outputs) == (4, (Output("logits", (4,)),))
    assert model.module(torch.rand(1, 3, 8, 8)).shape == (1, 4)
    embedding = load_model(spec(f"{factories}:fixed", num_classes=0))  # it has no such argument
    assert (embedding.num_classes, embedding.outputs) == (0, (Output("output", (4,)),))
    features = load_model(spec("test_vit", num_classes=0))
    assert features.outputs == (Output("output", (64,)),)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("while True: pass", "no result within"),
        ("import os; os._exit(0)", "ended with exit code 0"),
        ("raise KeyError('k')", r"calling crashing:make: KeyError: 'k' \(.*crashing.py, line 1\)"),
    ],
)
def test_a_factory_cannot_harm_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    (tmp_path / "crashing.py").write_text(f"def make(): {body}\n" if "while" not in body else f"def make():\n {body}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    asked = spec("crashing:make", factory_seconds=8.0 if "while" in body else 60.0)
    with pytest.raises(UsageError, match=message):
        load_model(asked)
    assert "crashing" not in sys.modules


def test_weights_have_one_digest_each() -> None:
    module = torch.nn.Linear(2, 2)
    before = weights_sha256(module)
    assert weights_sha256(module) == before
    with torch.no_grad():
        module.weight[0, 0] += 1
    assert weights_sha256(module) != before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda tensor: tensor.to("meta"), "weight is on the meta device"),
        (lambda tensor: tensor.to_sparse(), "weight is sparse_coo, not dense"),
        (lambda tensor: tensor.to(torch.complex64), "weight is complex64"),
    ],
)
def test_tensors_that_no_runtime_takes_are_refused(make: Any, message: str) -> None:
    module = torch.nn.Module()
    module.register_buffer("weight", make(torch.ones(2, 2)))
    with pytest.raises(UsageError, match=message):
        refuse_unusual_storage(module, "w.pt")


@pytest.mark.parametrize("factory", ["loads_its_own", "asks"])
def test_a_factory_may_load_its_own_weights(factories: str, factory: str) -> None:
    with pytest.raises(UsageError, match="where do the weights") as caught:
        load_model(ModelSpec(name=f"{factories}:{factory}"))
    assert caught.value.hint and "--pretrained (the factory loads its own)" in caught.value.hint
    model = load_model(ModelSpec(name=f"{factories}:{factory}", pretrained=True))
    assert torch.equal(model.module.head.weight, torch.full_like(model.module.head.weight, 0.25))
    assert not model.random_weights


def test_a_factory_that_gives_other_weights_at_each_call_loads_none(factories: str) -> None:
    job = LoadJob(ModelSpec(name=f"{factories}:good", pretrained=True), 0, ())
    with pytest.raises(
        UsageError, match="does not load all its weights: 2 tensors differ from call to call: head.weight"
    ):
        load_on_trial(job)
    assert load_on_trial(LoadJob(ModelSpec(name=f"{factories}:asks", pretrained=True), 0, ())).num_classes == 4


def test_which_weights_of_a_file_were_taken_is_told(factories: str, tmp_path: Path) -> None:
    state = load_model(spec(f"{factories}:good")).module.state_dict()
    torch.save({"state_dict": {f"model.{key}": value for key, value in state.items()}}, tmp_path / "w.ckpt")
    model = load_model(ModelSpec(name=f"{factories}:good", weights=tmp_path / "w.ckpt"))
    assert model.notes == (f"{tmp_path / 'w.ckpt'}: the weights are taken from state_dict: model.",)
    with pytest.raises(UsageError, match="--no-ema chooses among the weights of a file"):
        load_model(spec(f"{factories}:good", no_ema=True))


def test_backbones_of_timm_by_name(tmp_path: Path) -> None:
    maps = load_model(spec("test_efficientnet", features_only=True))
    assert [output.name for output in maps.outputs] == [f"output_{stage}" for stage in range(5)]
    assert maps.outputs[0].shape == (16, 80, 80)
    source = load_model(spec("test_vit"))
    save_file(source.module.state_dict(), tmp_path / "w.safetensors")
    features = load_model(spec("test_vit", num_classes=0, weights=tmp_path / "w.safetensors"))
    assert features.outputs == (Output("output", (64,)),)
    assert features.notes == (f"{tmp_path}/w.safetensors: 2 tensors are not read: head.bias, head.weight",)
    for name, changes in (
        ("test_vit", {"weights": tmp_path / "w.safetensors"}),
        ("digits_vit", {}),
        ("my.nets:make", {"random_weights": True}),
    ):
        with pytest.raises(UsageError, match="features_only .* is not possible"):
            load_model(ModelSpec(name=name, features_only=True, **changes))
