"""Predictions from single changes, before and after points were made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.results.search import LayerSingle, PointSettings
from edgevit.search.proxy import Amounts, Proxy, Singles
from edgevit.search.space import Change
from tests.search.synthetic import SyntheticNetwork

DENSE = PointSettings("net", "openvino", "fp32")
INT8 = replace(DENSE, scheme="static_wi8_ai8")
PLAN = replace(DENSE, tokens="tome:8", form="gather")
BOTH = replace(INT8, tokens="tome:8", form="gather")
MADE = {DENSE: Amounts(0.0, 0.0, 16.0, 22e6), INT8: Amounts(0.02, 0.5, 8.0, 6e6)}
LAYERS = tuple(
    LayerSingle(f"blocks.{n}", nats, measured=True, fisher=nats, macs=100, weights=1_000_000)
    for n, nats in enumerate((0.001, 0.018, 0.001))
)
SINGLES = replace(SyntheticNetwork().singles, speeds={("openvino", Change("tome:8", "gather")): 0.75}, layers=LAYERS)


def test_single_changes_add_in_nats_and_multiply_in_time() -> None:
    found = Proxy(SINGLES, MADE, 0.3).predict(BOTH)
    assert found.divergence.value == pytest.approx(0.04 + 0.02)
    assert found.ms.value == pytest.approx(16.0 * 0.75 * 0.5)
    assert found.bytes.value == pytest.approx(6e6)
    assert found.ms.low < found.ms.value < found.ms.high


def test_what_was_measured_of_a_change_is_told_apart_from_what_is_assumed() -> None:
    """A scheme that was not made yet has a wider interval, and so has a plan whose latency is taken from its MACs."""
    before, after = (Proxy(SINGLES, made, 0.3).predict(INT8) for made in ({DENSE: MADE[DENSE]}, MADE))
    assert before.ms.high / before.ms.low > after.ms.high / after.ms.low
    assert before.divergence.high / before.divergence.low > after.divergence.high / after.divergence.low
    known = Proxy(SINGLES, MADE, 0.3).predict(PLAN)
    assumed = Proxy(replace(SINGLES, speeds={}), MADE, 0.3).predict(PLAN)
    assert assumed.ms.value == pytest.approx(16.0 * 0.7)
    assert assumed.ms.high / assumed.ms.low > known.ms.high / known.ms.low


def test_layers_in_float_give_back_their_divergence_and_their_time() -> None:
    mixed = replace(INT8, float_layers=("blocks.1",))
    found = Proxy(SINGLES, MADE, 0.3).predict(mixed)
    assert found.divergence.value == pytest.approx(0.02 * (1 - 0.95 * 0.9))
    assert found.ms.value == pytest.approx(8.0 + 8.0 / 3)
    assert found.bytes.value == pytest.approx(9e6)


def test_what_was_made_corrects_what_is_expected_of_the_like() -> None:
    """int8 with a plan took 20 % longer than its parts; so will another plan in this runtime, and not in another one."""
    tuned = replace(BOTH, finetune="quick")
    other = replace(INT8, tokens="tome:4", form="gather")
    elsewhere = replace(other, backend="onnxruntime")
    made = {**MADE, BOTH: Amounts(0.06, 1.0, 7.2, 6e6)}
    before, after = Proxy(SINGLES, MADE, 0.3), Proxy(SINGLES, made, 0.3)
    assert after.predict(other).ms.value > 1.05 * before.predict(other).ms.value
    assert after.predict(elsewhere).ms.value == pytest.approx(before.predict(elsewhere).ms.value)
    assert before.predict(tuned).divergence.value == pytest.approx(0.75 * 0.06)


def test_without_anything_made_there_is_a_guess() -> None:
    found = Proxy(Singles(1_000_000_000, 1_000_000), {}, 0.3).predict(INT8)
    assert found.ms.value == pytest.approx(20.0 * 0.55)
    assert found.bytes.value == pytest.approx(1e6)
