"""A sensitivity report in its document."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from edgevit.results.document import to_document
from edgevit.results.sensitivity import SCHEMA_VERSION, SensitivityReport
from tests.factories import make_layer, make_sensitivity_report

REPORT = make_sensitivity_report(make_layer(1, 12.5, 0.75), make_layer(0, None))


def test_a_document_is_read_back_as_it_was() -> None:
    document = to_document(REPORT)
    assert document["schema_version"] == SCHEMA_VERSION
    assert [layer["snr_db"] for layer in document["layers"]] == [12.5, None]
    assert TypeAdapter(SensitivityReport).validate_python(document, strict=False) == REPORT


def test_a_document_of_another_version_is_refused() -> None:
    with pytest.raises(ValidationError, match="schema_version"):
        TypeAdapter(SensitivityReport).validate_python({**to_document(REPORT), "schema_version": 2}, strict=False)
