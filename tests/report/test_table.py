"""The table of candidates: what speeds and accuracies are compared with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.table import reference_of, speed_up
from tests.factories import make_realistic_run, make_run


def test_speed_is_compared_with_the_float_parent() -> None:
    run = make_realistic_run()
    int8, float32 = run.candidate("litert/dynamic_wi8_afp32"), run.candidate("litert/fp32")
    assert reference_of(run, int8) == float32
    assert reference_of(run, float32) is None
    assert speed_up(run, int8) == pytest.approx(25.7 / 11.5)
    orphan = replace(int8, id="litert/static", parent=None)
    assert reference_of(make_run(float32, orphan), orphan) == float32
    assert speed_up(run, run.candidate("openvino/dynamic_wi8_afp32")) is None
