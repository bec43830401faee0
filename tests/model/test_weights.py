"""Loading weights: what fits, and what is refused because it is broken, quantized already or not finite."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.weights import (  # noqa: E402
    load_weights,
    refuse_non_finite,
    refuse_quantized_file,
    refuse_quantized_module,
    refuse_quantized_pickle,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # torch.ao announces its successor with every call


class Net(nn.Module):
    """As torchvision's quantizable models: float, with the stubs that quantization needs."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)
        self.add = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.norm(self.conv(self.quant(images)))
        return self.dequant(self.head(self.add.add(features, features).mean((2, 3))))  # type: ignore[no-any-return]


def dynamic() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(Net().eval(), {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-any-return]


def observed() -> nn.Module:
    net = Net().eval()
    net.qconfig = torch.ao.quantization.get_default_qconfig("x86")
    torch.ao.quantization.prepare(net, inplace=True)
    net(torch.randn(1, 3, 8, 8))
    return net


def static() -> nn.Module:
    return torch.ao.quantization.convert(observed())  # type: ignore[no-any-return]


def aware() -> nn.Module:
    net = Net().train()
    net.qconfig = torch.ao.quantization.get_default_qat_qconfig("x86")
    return torch.ao.quantization.prepare_qat(net)  # type: ignore[no-any-return]


def with_torchao() -> nn.Module:
    pytest.importorskip("torchao")
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    net = Net().eval()
    quantize_(net, Int8WeightOnlyConfig())
    return net


def graph() -> nn.Module:
    """A float layer behind a pair of quantize and dequantize, as torch.export captures it."""

    class Rounded(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.fake_quantize_per_tensor_affine(images, 0.1, 0, -128, 127)

    return nn.Sequential(nn.Linear(2, 2), torch.fx.symbolic_trace(Rounded()))


def by_hand() -> nn.Module:
    net = Net()
    net.head.register_buffer("weight_int8", torch.zeros(4, 8, dtype=torch.int8))
    return net


MAKERS = [dynamic, observed, static, aware, with_torchao]


@pytest.mark.parametrize(
    ("make", "sign"),
    [
        (dynamic, r"head \(Linear\), head._packed_params \(LinearPackedParams\)"),
        (observed, r"quant.activation_post_process \(HistogramObserver\).* and \d+ more"),
        (static, r"quant \(Quantize\), dequant \(DeQuantize\), conv \(Conv2d\)"),
        (aware, r"conv.weight_fake_quant \("),
        (with_torchao, r"head.weight \(Int8Tensor\)"),
        (graph, r"1.fake_quantize_per_tensor_affine"),
        (by_hand, r"head.weight_int8 \(int8\)"),
    ],
)
def test_a_quantized_module_is_refused(make: Callable[[], nn.Module], sign: str) -> None:
    with pytest.raises(UsageError, match=f"my.model:make is quantized already: .*{sign}") as caught:
        refuse_quantized_module(make(), "my.model:make")
    assert caught.value.hint and "give the float model or checkpoint" in caught.value.hint


class OwnFakeQuantize(torch.ao.quantization.FakeQuantize):  # type: ignore[misc]
    """A user's own kind."""


def test_a_class_made_from_a_quantizers_is_one() -> None:
    with pytest.raises(UsageError, match=r"1 \(OwnFakeQuantize\)"):
        refuse_quantized_module(nn.Sequential(nn.Linear(2, 2), OwnFakeQuantize()), "model")


def quantize_codebook(values: torch.Tensor) -> torch.Tensor:
    """A step of a float model that only sounds like quantization."""
    return values


torch.fx.wrap("quantize_codebook")


class Codebook(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return quantize_codebook(images)


def test_float_models_are_not_refused() -> None:
    net = Net()
    net.register_buffer("mask", torch.ones(4, 4, dtype=torch.uint8))
    net.register_buffer("relative_position_index", torch.zeros(4, 4, dtype=torch.int64))
    net.register_parameter("logit_scale", nn.Parameter(torch.ones(1)))
    refuse_quantized_module(net, "model")
    refuse_quantized_module(torch.fx.symbolic_trace(Codebook()), "model")
    refuse_quantized_file(net.state_dict(), Net(), "file")
    refuse_quantized_file({key: value.half() for key, value in net.state_dict().items()}, net, "file")


@pytest.mark.parametrize("make", MAKERS)
def test_the_state_dict_of_a_quantized_model_is_refused(tmp_path: Path, make: Callable[[], nn.Module]) -> None:
    path = tmp_path / "w.pt"
    torch.save({"state_dict": make().state_dict()}, path)
    with pytest.raises(UsageError, match=r"w\.pt is quantized already: ") as caught:
        load_weights(Net(), path)
    assert caught.value.hint and "float" in caught.value.hint


HEAD = torch.zeros(4, 8)
FOREIGN: list[tuple[dict[str, Any], str]] = [
    ({"head.weight": HEAD.to(torch.int8), "head.SCB": torch.ones(4), "head.weight_format": torch.tensor(0)}, "head.weight (int8); head.SCB; head.weight_format"),
    ({"head.weight": torch.zeros(16, 1, dtype=torch.uint8), "head.weight.absmax": torch.ones(1)}, "head.weight (uint8); head.weight.absmax"),
    ({"head.weight._data": HEAD.to(torch.int8), "head.weight._scale": torch.ones(4, 1)}, "head.weight._data (int8, with a scale beside it)"),
    ({"head.weight_qdata": HEAD.to(torch.int8), "head.weight_scale": torch.ones(4)}, "head.weight_qdata (int8, with a scale beside it)"),
    ({"head.weight": HEAD.to(torch.float8_e4m3fn), "head.weight_scale": torch.ones(1)}, "head.weight (float8_e4m3fn)"),
    ({"head.weight": HEAD.to(torch.int8)}, "head.weight (int8)"),
    ({"head.qweight": torch.zeros(1, 4, dtype=torch.int32), "head.scales": torch.ones(1, 4)}, "head.qweight"),
    ({"head.weight_quantizer._amax": torch.ones(1)}, "head.weight_quantizer._amax"),
]  # fmt: skip
"""What bitsandbytes (8 and 4 bits), quanto, torchao, compressed-tensors, nobody, GPTQ and modelopt put into a file."""


@pytest.mark.parametrize(("changes", "sign"), FOREIGN, ids=[sign for _, sign in FOREIGN])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files_of_other_quantizers_are_refused(tmp_path: Path, changes: dict[str, Any], sign: str, suffix: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / f"w{suffix}"
    state = {**{key: value for key, value in Net().state_dict().items() if key != "head.weight"}, **changes}
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    with pytest.raises(UsageError) as caught:
        load_weights(Net(), path)
    said, _, signs = caught.value.message.partition(" is quantized already: ")
    assert said == str(path)
    assert set(sign.split("; ")) <= set(re.split(r", (?!with)", signs))  # safetensors keeps no order


def test_integers_that_the_model_has_too_are_no_sign(tmp_path: Path) -> None:
    net = Net()
    net.register_buffer("table_scale", torch.ones(1))
    net.register_buffer("table", torch.arange(4, dtype=torch.int8))
    torch.save(net.state_dict(), tmp_path / "w.pt")
    load_weights(net, tmp_path / "w.pt")
    net.table = net.table.float()
    with pytest.raises(UsageError, match=r"table \(int8\)"):
        load_weights(net, tmp_path / "w.pt")


def test_an_unexpected_mask_is_still_just_unexpected(tmp_path: Path) -> None:
    torch.save({**Net().state_dict(), "mask": torch.ones(3, dtype=torch.uint8)}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"unexpected \(1\): mask"):
        load_weights(Net(), tmp_path / "w.pt")


def test_a_pickle_that_torch_refuses_for_a_quantizers_class_is_called_quantized() -> None:
    blocked = RuntimeError(
        "weights_only=True blocked loading this checkpoint. Unsupported globals: torchao.quantization.Int8Tensor,"
        " my_torchao.Thing, torchao.quantization.granularity.PerRow. No fallback."
    )
    with pytest.raises(UsageError) as caught:
        refuse_quantized_pickle(blocked, "w.pt")
    assert caught.value.message == (
        "w.pt is quantized already: torchao.quantization.Int8Tensor, torchao.quantization.granularity.PerRow"
    )
    refuse_quantized_pickle(RuntimeError("Unsupported globals: my.torchao.Thing, timm.layers.Format"), "w.pt")


def test_the_command_refuses_a_torchao_checkpoint_with_exit_2(tmp_path: Path) -> None:
    """In a child process, where torchao is not imported and torch cannot read its tensors."""
    torch.save(with_torchao().state_dict(), tmp_path / "w.pt")
    done = subprocess.run(
        [sys.executable, "-m", "edgevit", "compress", "digits_cnn", "--weights", str(tmp_path / "w.pt")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "w.pt is quantized already: torchao." in done.stderr
    assert "hint: edgevit quantizes by itself" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["head.weight", "conv.bias", "norm.running_var", "norm.running_mean"])
def test_weights_that_are_not_finite_are_named_and_counted(name: str, value: float) -> None:
    net = Net()
    net.state_dict()[name].flatten()[:3] = value
    with pytest.raises(UsageError) as caught:
        refuse_non_finite(net, "w.pt")
    assert f"w.pt: NaN or infinity in 1 tensors: {name} (3 of " in caught.value.message
    assert caught.value.hint and "checkpoint" in caught.value.hint


def test_many_broken_tensors_are_cut_short() -> None:
    net = Net()
    for tensor in net.parameters():
        tensor.data.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"in 6 tensors: conv.weight \(216 of 216 values\), .* and 2 more"):
        refuse_non_finite(net, "w.pt")


def test_a_mask_of_minus_infinity_is_no_weight() -> None:
    net = Net()
    net.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))
    refuse_non_finite(net, "model")
    net.mask[0, 0] = float("nan")
    with pytest.raises(UsageError, match=r"mask \(1 of 16 values\)"):
        refuse_non_finite(net, "model")


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    torch.save({key: value.half() for key, value in module.state_dict().items()}, tmp_path / "w.pt")
    load_weights(module, tmp_path / "w.pt")
    assert module.weight.dtype == torch.float32


def test_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    state = module.state_dict()
    state["extra.weight"] = torch.zeros(1)
    del state["0.bias"]
    state["1.weight"] = torch.zeros(5, 3)
    torch.save(state, tmp_path / "w.pt")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(UsageError) as caught:
        load_weights(module, tmp_path / "w.pt")
    assert "missing (1): 0.bias" in caught.value.message
    assert "unexpected (1): extra.weight" in caught.value.message
    assert "of another shape (1): 1.weight [5, 3], not [2, 3]" in caught.value.message
    assert caught.value.hint and "number of classes" in caught.value.hint
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "w.pt")
    module = nn.Sequential(*[nn.Linear(1, 1) for _ in range(10)])
    with pytest.raises(UsageError, match=r"missing \(20\): .* and 12 more"):
        load_weights(module, tmp_path / "w.pt")


class Malicious:
    """A pickle that would run a command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Malicious(tmp_path / "ran")}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="cannot read weights from") as caught:
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")
    assert caught.value.hint and "safetensors" in caught.value.hint
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04.", bytes(range(256)) * 9])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_broken_files_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"w{suffix}"):
        load_weights(nn.Linear(2, 2), path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_file_escapes_as_anything_but_an_error_that_names_it(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "w.pt"
    old_format = data.draw(st.booleans())
    torch.save({"weight": torch.ones(2, 2), "bias": torch.ones(2)}, path, _use_new_zipfile_serialization=not old_format)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    said = ""
    try:
        load_weights(nn.Linear(2, 2), path)
    except UsageError as error:
        said = error.message
    assert not said or "w.pt" in said


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(nn.Linear(64, 64).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UsageError, match="cannot read weights from"):
        load_weights(nn.Linear(64, 64), path)


@pytest.mark.parametrize("content", [[1], {1: torch.zeros(2)}, torch.zeros(2), {"weight": "text"}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="does not hold a state dict|does not fit the model"):
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")
