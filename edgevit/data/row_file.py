"""Arrays written row by row as ``.npy``, so that none has to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from edgevit.run.files import disk_errors, whole_file

_CHUNK_VALUES = 1 << 20
"""Read at once: 8 MB in float64, however many rows there are."""


def write_rows(path: Path, count: int, chunks: Iterable[np.ndarray]) -> None:
    """Writes an array chunk by chunk, so that the file is whole or not there; :func:`read_rows` reads it.

    Args:
        path: Where to write, ``.npy``.
        count: Number of rows of all chunks together.
        chunks: At least one array [rows, ...]; all have the type and the trailing lengths of the first.

    Raises:
        ValueError: the chunks do not fit together, or are not ``count`` rows.
        DiskFull: there is no space left, where writing through mapped memory would end the process.
    """
    with whole_file(path) as stream:
        _write(stream, path, count, chunks)


def write_rows_as_they_come(path: Path, count: int, chunks: Iterable[np.ndarray]) -> None:
    """Writes an array chunk by chunk as :func:`write_rows` does, but at its place: what was written stays.

    :func:`read_written_rows` reads it, also where the process was ended meanwhile.

    Args:
        path: Where to write, ``.npy``, in a folder of one's own.
        count: Number of rows of all chunks together.
        chunks: At least one array [rows, ...]; all have the type and the trailing lengths of the first.

    Raises:
        ValueError: the chunks do not fit together, or are not ``count`` rows.
        DiskFull: there is no space left.
    """
    with disk_errors(path), path.open("xb", buffering=0) as stream:
        _write(stream, path, count, chunks)


def _write(stream: IO[bytes], path: Path, count: int, chunks: Iterable[np.ndarray]) -> None:
    written, form = 0, None
    for chunk in chunks:
        if form is None:
            form = (chunk.dtype, chunk.shape[1:])
            description = np.lib.format.dtype_to_descr(chunk.dtype)
            header = {"descr": description, "fortran_order": False, "shape": (count, *chunk.shape[1:])}
            np.lib.format.write_array_header_1_0(stream, header)
        if (chunk.dtype, chunk.shape[1:]) != form:
            raise ValueError(f"{path}: {chunk.dtype} {list(chunk.shape)} does not fit rows of {form}")
        stream.write(np.ascontiguousarray(chunk).data)
        written += len(chunk)
    if written != count or form is None:
        raise ValueError(f"{path}: {written} rows were given, not {count}")


def read_written_rows(path: Path) -> np.ndarray | None:
    """Returns the rows [rows, ...] that a process wrote before it ended; None if there are none.

    Args:
        path: That was given to :func:`write_rows_as_they_come`.
    """
    if not path.is_file() or not path.stat().st_size:
        return None
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        shape, _, kind = np.lib.format.read_array_header_1_0(stream)
        content = stream.read()
    rows = len(content) // (kind.itemsize * math.prod(shape[1:]))
    if not rows:
        return None
    values = np.frombuffer(content, kind, count=rows * math.prod(shape[1:]))
    return values.reshape(rows, *shape[1:])


def row_slices(array: np.ndarray) -> Iterator[slice]:
    """Yields slices that together are all rows of an array, each small enough to be worked on in memory.

    Args:
        array: [rows, ...]; may be larger than memory.
    """
    step = max(1, _CHUNK_VALUES // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        yield slice(start, start + step)


def read_rows(path: Path) -> np.ndarray:
    """Returns the array [rows, ...] of a file, mapped into memory and read-only: its pages are not the process's own."""
    array: np.ndarray = np.load(path, mmap_mode="r")
    return array
