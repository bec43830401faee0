"""The document of a recommendation, and its schema."""

from __future__ import annotations

import jsonschema

from edgevit.commands.recommend.recommend import recommend
from edgevit.results.document import from_json, to_document, to_json
from edgevit.results.recommendation import Recommendation, Situation, recommendation_json_schema


def test_a_recommendation_is_read_back_as_it_was_and_fits_its_schema() -> None:
    found = recommend(Situation(images=500, device="rk3588", max_latency_ms=20.0, shift=True))
    assert from_json(Recommendation, to_json(found)) == found
    jsonschema.validate(to_document(found), recommendation_json_schema())
