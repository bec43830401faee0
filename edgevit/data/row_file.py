"""Arrays written row by row as ``.npy``, so that none has to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edgevit.run.files import whole_file

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
    written, form = 0, None
    with whole_file(path) as stream:
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
