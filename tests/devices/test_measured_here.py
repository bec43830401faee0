"""Which machines a measurement cannot be of."""

from __future__ import annotations

import pytest

from edgevit.devices.device import load_device
from edgevit.devices.measured_here import processor_of, why_not_measured_here
from edgevit.results.measurement import Host

ARM, X86 = ("asimd", "asimddp"), ("avx2", "f16c")


def host(cpu: str, isa: tuple[str, ...] = ARM, machine: str = "aarch64") -> Host:
    return Host(cpu, 4, isa, 8 << 30, f"Debian GNU/Linux 12, Linux 6.6.31 {machine}", "3.11.2", "performance", 4)


@pytest.mark.parametrize(
    ("device", "cpu"),
    [
        ("raspberry-pi-5", "Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)"),
        ("raspberry-pi-4b", "Cortex-A72 (Raspberry Pi 4 Model B Rev 1.4)"),
        ("raspberry-pi-3b-plus", "Cortex-A53 (Raspberry Pi 3 Model B Plus Rev 1.3)"),
        ("raspberry-pi-zero-2-w", "Cortex-A53 (Raspberry Pi Zero 2 W Rev 1.0)"),
        ("rk3588", "Cortex-A55 + Cortex-A76"),
        ("jetson-orin-nano", "Cortex-A78AE"),
        ("jetson-agx-xavier", "ARM part 0x004"),  # nothing is known that speaks against it
    ],
)
def test_the_machine_itself(device: str, cpu: str) -> None:
    assert why_not_measured_here(host(cpu), load_device(device)) == ""


def test_intels_own() -> None:
    device = load_device("intel-core-ultra-1")
    assert why_not_measured_here(host("Intel(R) Core(TM) Ultra 7 165H", X86, "x86_64"), device) == ""
    assert "AMD EPYC" in why_not_measured_here(host("AMD EPYC 9R14", X86, "x86_64"), device)
    assert "Cortex-A76" in why_not_measured_here(host("Cortex-A76"), device)


@pytest.mark.parametrize(
    ("device", "cpu"),
    [
        ("raspberry-pi-4b", "Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)"),
        ("raspberry-pi-zero-2-w", "Cortex-A53 (Raspberry Pi 3 Model B Plus Rev 1.3)"),
        ("jetson-orin-nano", "Cortex-A72"),
    ],
)
def test_another_machine_is_named(device: str, cpu: str) -> None:
    assert why_not_measured_here(host(cpu), load_device(device)).startswith(f"it was measured on {cpu}, not on ")


def test_a_workstation_is_no_board() -> None:
    reason = why_not_measured_here(host("AMD EPYC 9R14", X86, "x86_64"), load_device("raspberry-pi-5"))
    assert reason.startswith("it was measured on AMD EPYC 9R14, not on Raspberry Pi 5")


@pytest.mark.parametrize(
    "emulated", [host("QEMU TCG CPU version 2.5+"), host("AMD EPYC 9R14", X86), host("Cortex-A72", ARM, "x86_64")]
)
def test_emulated_machines_are_told(emulated: Host) -> None:
    assert "emulat" in why_not_measured_here(emulated, load_device("raspberry-pi-4b"))


def test_the_processor_of_a_device() -> None:
    found = processor_of(load_device("jetson-orin-nano"))
    assert found is not None and found.kind == "cpu"
    assert processor_of(load_device("coral-edge-tpu")) is None
