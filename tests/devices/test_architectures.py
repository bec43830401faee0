from __future__ import annotations

import pytest

from edgevit.devices.architectures import architecture, runtime_family


@pytest.mark.parametrize(
    ("unit", "system", "expected"),
    [
        ("cpu", "BCM2711 Raspberry Pi 4B", "Cortex-A72"),
        ("cpu", "Snapdragon 865 (SM8250) phone", "Cortex-A76"),
        ("gpu", "Tegra X1 Jetson Nano", "Maxwell"),
        ("cpu", "SM8450 Qualcomm Snapdragon 8 Gen 1", "Armv9 Cortex"),
        ("cpu", "SM8750 Qualcomm Snapdragon 8 Elite (Galaxy S25)", "Oryon"),
        ("gpu", "RK3566 Station-M2", "Mali Bifrost"),
        ("gpu", "Kirin 950 Huawei P9", "Mali Midgard"),
        ("npu", "Snapdragon 8 Elite Gen 5 phone", "Hexagon v81"),
        ("npu", "Snapdragon 8 Gen 3 Galaxy S24", "Hexagon v75"),
        ("tpu", "Edge TPU Coral USB Accelerator on Raspberry Pi 4B", "Edge TPU"),
        ("tpu", "Snapdragon 855 + Pixel Neural Core Google Pixel 4", "Google Tensor"),
        ("tpu", "something new", "something new"),
    ],
)
def test_the_architecture_of_a_system(unit: str, system: str, expected: str) -> None:
    assert architecture(unit, system) == expected


def test_runtimes_with_the_same_kernels_are_a_family() -> None:
    assert runtime_family("LiteRT") == runtime_family("XNNPACK") == "tflite"
    assert runtime_family("libedgetpu (TFLite)") == runtime_family("edgetpu BasicEngine") == "edgetpu"
    assert runtime_family("unheard of") == "unheard of"
