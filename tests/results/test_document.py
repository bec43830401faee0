"""Values become JSON under the names of documents."""

from __future__ import annotations

import json
import math

from edgevit.results.document import to_document, to_json
from edgevit.results.measurement import LatencyMs
from edgevit.results.token_search import TriedPlan


def test_a_renamed_field_keeps_its_name_in_documents() -> None:
    tried = TriedPlan("evit:0.7", 1.5, divergence=0.25, drop_points=-0.5)
    document = {"plan": "evit:0.7", "predicted_ms": 1.5, "damage": 0.25, "lost_points": -0.5, "samples": None}
    assert to_document(tried) == document
    assert json.loads(to_json(tried)) == document
    assert to_json(tried).endswith(b"}\n")


def test_what_is_not_finite_is_null() -> None:
    latency = json.loads(to_json(LatencyMs(1.0, math.nan, math.inf, 2.0)))
    assert latency == {"min": 1.0, "p50": None, "p90": None, "p99": 2.0}
