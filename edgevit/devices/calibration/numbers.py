"""What the networks of a calibration multiply, by runtime."""

from __future__ import annotations

from typing import Literal

from edgevit.devices.calibration.network import Network

Numbers = Literal["float", "int8_static", "int8_dynamic"]
"""Floats; int8 by int8 with scales in the file; or with scales of activations taken at run time."""


def numbers_of(network: Network, runtime: str) -> tuple[Numbers, ...]:
    """Returns what a network is timed in: floats, and int8 as the runtime quantizes such a network, or its kernels.

    Args:
        network: To be timed.
        runtime: "litert", "onnxruntime" or "openvino".
    """
    if runtime == "openvino":
        return "float", "int8_static"
    if network.attends:
        return "float", "int8_dynamic"
    layers = {layer.kind for layer in network.layers[2:]}  # after the image and the stem
    dynamic = "linear" in layers if runtime == "onnxruntime" else True
    alone = len(layers - {"mean", "reshape", "last_tokens", "last_map", "linear"}) == 0
    by_itself = alone or (
        runtime == "litert" and layers == {"conv", "mean", "reshape", "linear"} and _same_widths(network)
    )
    return ("float", "int8_static", "int8_dynamic") if dynamic and by_itself else ("float", "int8_static")


def _same_widths(network: Network) -> bool:
    """Whether all convolutions make as many channels, as in a stack of one kind of kernel."""
    return len({layer.shape[0] for layer in network.layers if layer.kind == "conv"}) == 1
