"""An artifact in documents."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter

from edgevit.results.artifact import Artifact
from edgevit.results.document import to_document
from tests.factories import make_artifact


def test_layers_in_float_keep_their_older_name_in_documents() -> None:
    artifact = replace(make_artifact(), float_layer_count=5)
    document = to_document(artifact)
    assert document["float_islands"] == 5
    assert "float_layer_count" not in document
    assert TypeAdapter(Artifact).validate_python(document, strict=False) == artifact
