"""A table of labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevit.data.labels_table import LabelRow, read_labels
from edgevit.errors import UsageError


def test_rows_have_their_lines(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text('class_index,file\n3,"a, b.png"\n\n0,c.png\n')
    assert read_labels(table) == (LabelRow(2, "a, b.png", 3), LabelRow(4, "c.png", 0))


def test_a_column_of_another_name_gets_the_nearest(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("files,class_index\na.png,0\n")
    with pytest.raises(UsageError, match="lacks the column file; it has 'files', 'class_index'") as caught:
        read_labels(table)
    assert caught.value.hint and caught.value.hint.startswith("rename 'files' to 'file'; columns: file,class_index")


def test_negative_labels_name_the_way_to_count_from_one(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,class_index\na.png,-1\n")
    with pytest.raises(UsageError, match="line 2: class_index '-1' is not an integer ≥ 0") as caught:
        read_labels(table)
    assert caught.value.hint and "--class-offset -1" in caught.value.hint


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), head=st.booleans())
def test_no_bytes_escape_as_anything_but_an_error_that_names_the_table(
    tmp_path: Path, content: bytes, head: bool
) -> None:
    table, said = tmp_path / "labels.csv", "labels.csv"
    table.write_bytes((b"file,class_index\n" if head else b"") + content)
    try:
        read_labels(table)
    except UsageError as error:
        said = error.message
    assert "labels.csv" in said
