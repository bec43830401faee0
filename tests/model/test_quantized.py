"""Models and weights that are quantized already are refused, whoever quantized them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.quantized import refuse_quantized_file, refuse_quantized_module, refuse_quantized_pickle  # noqa: E402
from edgevit.model.weights import load_weights  # noqa: E402

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
