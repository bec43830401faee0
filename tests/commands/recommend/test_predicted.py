"""Latencies of published networks from their carried features."""

from __future__ import annotations

import sys

import pytest

from edgevit.commands.recommend.networks import networks
from edgevit.commands.recommend.predicted import offer, with_fit
from edgevit.devices.device import load_device
from edgevit.results.recommendation import OfferedNetwork

NETWORKS = networks("imagenet-1k")


def by_name(device: str | None, **how: object) -> dict[str, OfferedNetwork]:
    given = {"size": None, "task": "classification", **how}
    found = offer(NETWORKS, device=load_device(device) if device else None, **given)  # type: ignore[arg-type]
    return {network.name: network for network in found}


def test_without_a_device_nothing_is_predicted() -> None:
    found = by_name(None)
    assert len(found) == len(NETWORKS)
    assert all(network.latency_ms is None and network.fits == "unknown" for network in found.values())


def test_every_network_is_predicted_with_an_interval_in_floats_and_in_int8() -> None:
    found = by_name("raspberry-pi-5")
    for network in found.values():
        assert (
            network.latency_ms is not None
            and network.other_latency_ms is not None
            and network.other_arithmetic == "int8"
        )
        assert 0 < network.latency_ms.low < network.latency_ms.p50 < network.latency_ms.high
        assert network.arithmetic == "float32" and network.basis.startswith("fitted on")
    assert found["resnet50"].latency_ms.p50 > found["mobilenetv3_small_100"].latency_ms.p50  # type: ignore[union-attr]


def test_a_unit_without_floats_is_predicted_in_int8_and_weights_are_a_quarter() -> None:
    board, accelerator = by_name("raspberry-pi-5")["resnet18"], by_name("coral-edge-tpu")["resnet18"]
    assert accelerator.arithmetic == "int8" and accelerator.other_latency_ms is None
    assert 4 * accelerator.weights_bytes == board.weights_bytes


def test_what_is_exported_is_priced_and_of_two_the_faster() -> None:
    floats, int8 = by_name("rk3588"), by_name("rk3588", exported=("int8_static",))
    both = by_name("rk3588", exported=("float", "int8_static"))
    for name in ("resnet50", "deit_tiny_patch16_224"):
        assert (floats[name].arithmetic, floats[name].other_arithmetic) == ("float16", "int8")
        assert (int8[name].arithmetic, int8[name].other_arithmetic) == ("int8", "float16")
        assert floats[name].latency_ms == int8[name].other_latency_ms
        p50 = both[name].latency_ms.p50  # type: ignore[union-attr]
        assert p50 == min(each[name].latency_ms.p50 for each in (floats, int8))  # type: ignore[union-attr]


def test_networks_do_not_run_where_an_op_is_lacking() -> None:
    found = by_name("coral-edge-tpu")
    assert found["deit_tiny_patch16_224"].latency_ms is None
    assert "has no GELU" in found["deit_tiny_patch16_224"].basis
    assert found["mobilenetv2_100"].latency_ms is not None
    assert {network.family for network in found.values() if network.latency_ms} == {"cnn"}


def test_at_a_size_only_networks_that_take_any_are_offered_and_it_is_said_that_they_are_scaled() -> None:
    own, full = by_name("jetson-agx-orin"), by_name("jetson-agx-orin", size=(1080, 1920))
    assert "levit_128s" in own and "levit_128s" not in full
    assert all(network.input_size == (1080, 1920) for network in full.values())
    assert "work scaled to 1080 x 1920 pixels" in full["resnet18"].basis
    plain, conv = "deit_tiny_patch16_224", "repvit_m0_9"
    growth = {name: full[name].latency_ms.p50 / own[name].latency_ms.p50 for name in (plain, conv)}  # type: ignore[union-attr]
    assert growth[plain] > 3 * growth[conv], "attention grows with the square of the pixels"


def test_dense_tasks_need_maps_of_several_sizes() -> None:
    found = by_name(None, task="dense")
    assert "swin_tiny_patch4_window7_224" in found
    assert not {"deit_tiny_patch16_224", "vit_small_patch16_224", "levit_128s"} & set(found)


@pytest.mark.parametrize(("budget", "fits"), [(1e-3, "no"), (1e6, "yes"), (None, "unknown")])
def test_fits(budget: float | None, fits: str) -> None:
    assert with_fit(by_name("rk3588")["resnet18"], budget).fits == fits


def test_a_budget_within_the_interval_is_unsure() -> None:
    network = by_name("rk3588")["resnet18"]
    assert network.latency_ms is not None
    assert with_fit(network, network.latency_ms.p50).fits == "unsure"


@pytest.mark.slow
def test_it_is_what_edgevit_profile_predicts_of_the_captured_model() -> None:
    pytest.importorskip("torch")
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    pytest.importorskip("timm")
    from edgevit.commands.profile import Asked, profile_targets
    from edgevit.run.progress import Progress

    class Quiet(Progress):
        def stage(self, name: str, done: int, total: int) -> None: ...

    (profiled,) = profile_targets(Asked(("mobilenetv2_100",)), ("raspberry-pi-5",), (), Quiet())
    (prediction,) = profiled.predictions
    offered = by_name("raspberry-pi-5")["mobilenetv2_100"].latency_ms
    assert prediction.latency_ms is not None and offered is not None
    assert offered.p50 == pytest.approx(prediction.latency_ms.p50, rel=0.02)
    assert offered.high == pytest.approx(prediction.latency_ms.high, rel=0.02)


def test_neither_torch_nor_a_runtime_is_imported() -> None:
    import subprocess

    code = (
        "import sys; from edgevit.commands.recommend.recommend import recommend;"
        " from edgevit.results.recommendation import Situation;"
        " recommend(Situation(images=500, device='raspberry-pi-5', max_latency_ms=30.0));"
        " print(sorted({'torch', 'timm', 'onnx', 'onnxruntime', 'openvino', 'ai_edge_litert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
