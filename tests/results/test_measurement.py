"""When a prediction says that a unit runs an artifact."""

from __future__ import annotations

from dataclasses import replace

from edgevit.results.document import to_document
from tests.factories import make_measurement, make_prediction


def test_a_unit_is_supported_with_a_latency_and_every_op() -> None:
    prediction = make_prediction(10.0, 20.0)
    assert prediction.supported
    assert replace(prediction, latency_ms=None).supported  # its speed is not known
    assert not replace(prediction, unsupported_ops=("TopK (2 x)",)).supported


def test_documents_tell_measured_from_predicted() -> None:
    assert to_document(make_measurement())["source"] == "measured"
    assert to_document(make_prediction(10.0, 20.0))["source"] == "predicted"
