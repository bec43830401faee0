"""Records as JSON."""

from __future__ import annotations

from edgevit.results.document import from_json, to_json
from edgevit.store.record import Blob, Failure, Record, StoredRun


def test_documents_come_back_as_they_were() -> None:
    blob = Blob("0" * 64, 7)
    record = Record(
        "1" * 64, "m:f", '{"x": NaN}', {"a": blob}, {"b": blob}, "desk", 1.5, "2026-11-27T10:00:00+00:00", "printed"
    )
    for value in (record, Failure("it crashed", None), StoredRun("12", "ann@desk: run", "2026-11-27T10:00:00+00:00")):
        assert from_json(type(value), to_json(value)) == value
