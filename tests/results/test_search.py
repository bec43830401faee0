"""A search in its document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.results.document import to_document, to_json
from edgevit.results.search import PointSettings, load_search, search_json_schema
from tests.factories import make_search

POINT = PointSettings("vit", "openvino", "static_wi8_ai8", "tome:4=110,7=66", "gather", finetune="quick")


def test_a_document_is_read_back_as_it_was(tmp_path: Path) -> None:
    search = make_search()
    (tmp_path / "search.json").write_bytes(to_json(search))
    assert load_search(tmp_path) == search
    assert [point.id for point in search.on_front] == list(search.front)


def test_the_schema_names_every_key() -> None:
    assert set(search_json_schema()["properties"]) == set(to_document(make_search()))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": 2}'])
def test_what_is_no_search_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "search.json").write_bytes(content)
    with pytest.raises(UsageError, match="is not a search"):
        load_search(tmp_path)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read a search"):
        load_search(tmp_path)


def test_the_id_of_a_point_names_what_was_done() -> None:
    assert POINT.id == "openvino/static_wi8_ai8/tome-4-110-7-66-gather/quick"
    assert replace(POINT, tokens="none", form="none", finetune="none").id == "openvino/static_wi8_ai8"
    assert POINT.changes == 3


def test_points_with_other_layers_in_float_have_other_ids() -> None:
    first, second = (replace(POINT, float_layers=layers) for layers in (("head",), ("blocks.0.mlp.fc1",)))
    assert first.id != second.id
    assert (
        replace(POINT, float_layers=("a", "b")).layers_digest == replace(POINT, float_layers=("b", "a")).layers_digest
    )
