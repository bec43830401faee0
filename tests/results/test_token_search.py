"""A token search in documents."""

from __future__ import annotations

from pydantic import TypeAdapter

from edgevit.results.document import to_document
from edgevit.results.token_search import BlockPoint, SitePoint, TokenSearch, TriedPlan

SEARCH = TokenSearch(
    backend="onnxruntime",
    target="host",
    source="measured",
    dense_ms=6.0,
    blocks=(BlockPoint(129, 0.5), BlockPoint(257, 1.0)),
    sites=(SitePoint("tome", 257, 0.1, "gather"),),
    prefix=1,
    steps=(257, 129),
    tried=(TriedPlan("tome:2=128", 3.5, divergence=0.03, drop_points=-0.2),),
    plan="tome:2=128",
    predicted_ms=3.5,
    limit_points=0.7,
    samples=899,
)


def test_a_tried_plan_keeps_its_older_names_in_documents() -> None:
    (tried,) = to_document(SEARCH)["tried"]
    assert tried == {"plan": "tome:2=128", "predicted_ms": 3.5, "damage": 0.03, "lost_points": -0.2, "samples": None}


def test_a_document_is_read_back_as_it_was() -> None:
    assert TypeAdapter(TokenSearch).validate_python(to_document(SEARCH), strict=False) == SEARCH
