"""Arrays written row by row: the same as numpy writes, whole or not there, mapped when read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgevit.data.row_file import read_rows, read_written_rows, write_rows, write_rows_as_they_come


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_file_is_what_numpy_would_write(dtype: type, tmp_path: Path) -> None:
    array = np.arange(5 * 2 * 3).reshape(5, 2, 3).astype(dtype)
    write_rows(tmp_path / "a" / "rows.npy", 5, [array[:2], array[2:4], array[4:]])
    np.save(tmp_path / "numpy.npy", array)
    assert (tmp_path / "a" / "rows.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rows.npy"]
    read = read_rows(tmp_path / "a" / "rows.npy")
    assert isinstance(read, np.memmap) and not read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_rows_that_are_not_contiguous_are_written_in_order(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    write_rows(tmp_path / "rows.npy", 3, [array.T])
    np.testing.assert_array_equal(read_rows(tmp_path / "rows.npy"), array.T)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "0 rows were given, not 2"),
        ([np.zeros((1, 3))], "1 rows were given, not 2"),
        ([np.zeros((3, 3))], "3 rows were given, not 2"),
        ([np.zeros((1, 3)), np.zeros((1, 4))], "float64 [1, 4] does not fit"),
        ([np.zeros((1, 3)), np.zeros((1, 3), np.float32)], "float32 [1, 3] does not fit"),
    ],
)
def test_what_is_not_the_array_announced_leaves_no_file(chunks: list[np.ndarray], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        write_rows(tmp_path / "rows.npy", 2, chunks)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_rows_are_made_leaves_the_former_file(tmp_path: Path) -> None:
    def rows() -> Iterator[np.ndarray]:
        yield np.ones((1, 3))
        raise RuntimeError("no more")

    write_rows(tmp_path / "rows.npy", 1, [np.zeros((1, 3))])
    with pytest.raises(RuntimeError, match="no more"):
        write_rows(tmp_path / "rows.npy", 2, rows())
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]
    np.testing.assert_array_equal(read_rows(tmp_path / "rows.npy"), np.zeros((1, 3)))


def test_rows_that_a_process_had_written_before_it_ended_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    assert read_written_rows(path) is None

    def rows(count: int) -> Iterator[np.ndarray]:
        for value in range(count):
            yield np.full((1, 3), value, np.float32)
        raise KeyboardInterrupt

    for count in (0, 2):
        path.unlink(missing_ok=True)
        with pytest.raises(KeyboardInterrupt):
            write_rows_as_they_come(path, 5, rows(count))
        found = read_written_rows(path)
        assert found is None if count == 0 else found is not None and found[:, 0].tolist() == [0, 1]
    path.write_bytes(path.read_bytes()[:-5])  # in the middle of a row
    found = read_written_rows(path)
    assert found is not None and found.tolist() == [[0, 0, 0]]
    path.unlink()
    write_rows_as_they_come(path, 1, [np.ones((1, 3), np.float32)])
    whole = read_written_rows(path)
    assert whole is not None and whole.tolist() == [[1, 1, 1]]
