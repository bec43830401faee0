"""The networks that are timed."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from edgevit.devices.calibration.network import Builder, Kind
from edgevit.devices.calibration.networks import REFERENCE, networks, reference


def test_every_kind_of_layer_is_timed_and_every_network_gives_class_scores() -> None:
    found = networks()
    assert len({network.name for network in found}) == len(found) and REFERENCE not in {n.name for n in found}
    assert {layer.kind for network in found for layer in network.layers} == set(get_args(Kind))
    for network in (reference(), *found):
        assert network.layers[0].kind == "input" and network.layers[-1].shape in ((1, 100), (1, 1000))
        assert all(layer.inputs == () or max(layer.inputs) < at for at, layer in enumerate(network.layers))


def test_reshaping_keeps_the_number_of_values() -> None:
    for network in networks():
        for layer in network.layers:
            if layer.kind in ("reshape", "transpose", "flat_map", "last_map", "flat_tokens", "last_tokens"):
                assert math.prod(layer.shape) == math.prod(network.read(layer)), network.name


def test_the_first_networks_have_every_kind_of_kernel() -> None:
    """When time is short, only they are timed."""
    kinds = {layer.kind for network in networks()[:22] for layer in network.layers}
    assert kinds == set(get_args(Kind))


def test_heads_share_the_channels_evenly_unless_their_keys_are_narrow() -> None:
    builder = Builder()
    tokens = builder.tokens(builder.conv(builder.input(32), 144, 16, 16))
    with pytest.raises(ValueError, match="144 channels are not 5 heads"):
        builder.attention(tokens, 5)
    assert builder.layers[builder.attention(tokens, 5, 16)].key == 16
    assert builder.layers[builder.attention(tokens, 6)].key == 24
