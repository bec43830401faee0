from __future__ import annotations

import pytest

from edgevit.devices.cost_model import fit_rows
from edgevit.devices.evidence import Configuration
from edgevit.devices.evidence_basis import basis
from tests.devices.rows import configuration, made_up


@pytest.mark.parametrize(
    ("asked", "words", "regime"),
    [
        (configuration("fast"), "fitted on 3 published measurements of this unit", "measured"),
        (
            configuration("fast", "int8"),
            "fitted on 3 published measurements of this unit in other runtimes or precisions",
            "measured",
        ),
        (Configuration("cpu", "TFLite", "fp32", "sister", "cores of slow"), "scaled from slow", "not measured"),
        (configuration("new"), "scaled from 6 published measurements of other architectures", "not measured"),
        (
            Configuration("npu", "RKNN", "fp16", "new", "new"),
            "data sheet only: nothing was measured in this runtime and precision",
            "not measured",
        ),
    ],
)
def test_what_a_prediction_rests_on(asked: Configuration, words: str, regime: str) -> None:
    rows, graphs = made_up(3)
    found = basis(fit_rows(rows, graphs), asked)
    assert (found.words, found.regime) == (words, regime)
