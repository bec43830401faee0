"""A reduction report in its document."""

from __future__ import annotations

from pydantic import TypeAdapter

from edgevit.results.document import to_document
from edgevit.results.reduction import ReductionReport
from edgevit.spec.token_plan import Site


def test_a_document_is_read_back_as_it_was() -> None:
    report = ReductionReport("digits_vit", "tome:2=128", "gather", "a.pt2", (32, 32), 256, (Site(2, 128),), 100, 60)
    document = to_document(report)
    assert document["sites"] == [{"block": 2, "tokens": 128}]
    assert (document["samples"], document["agreement"]) == (0, None)
    assert TypeAdapter(ReductionReport).validate_python(document, strict=False) == report
