"""What ``edgevit explain`` found: its document."""

from __future__ import annotations

import json

from edgevit.results.document import to_json
from edgevit.results.explanation import AttentionDistance, ExplainedImage, ExplainedSite, Explanation


def test_the_document_has_all_numbers() -> None:
    distance = AttentionDistance("d.png", ((1.0, 2.0),), 3.0)
    image, site = ExplainedImage("a", "b.png"), ExplainedSite(block=2, tokens=5, patches=9)
    found = Explanation("1", "a_vit", False, "evit:0.5@2", (site,), (image,), distance)
    assert found.files == ("b.png", "d.png")
    assert json.loads(to_json(found)) == {
        "edgevit_version": "1",
        "model": "a_vit",
        "random_weights": False,
        "tokens": "evit:0.5@2",
        "sites": [{"block": 2, "tokens": 5, "patches": 9}],
        "images": [{"image": "a", "picture": "b.png", "answers": []}],
        "attention_distance": {"picture": "d.png", "pixels": [[1.0, 2.0]], "uniform_pixels": 3.0},
        "method": "attention",
        "layer": None,
        "head": None,
        "artifact": None,
        "schema_version": 1,
    }
