"""Files of class embeddings: what is read and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.data.class_embeddings import DEFAULT_SCALE, read_class_embeddings
from edgevit.errors import UsageError

EMBEDDINGS = np.arange(12, dtype=np.float64).reshape(3, 4) + 1
NAMES = np.array(["a cat", "a dog", "a bird"])


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_what_is_read(tmp_path: Path) -> None:
    found = read_class_embeddings(write(tmp_path / "c.npz", embeddings=EMBEDDINGS, names=NAMES))
    assert (found.names, found.width, found.logit_scale) == (("a cat", "a dog", "a bird"), 4, DEFAULT_SCALE)
    assert found.embeddings.dtype == np.float32
    np.testing.assert_array_equal(found.embeddings, EMBEDDINGS)
    scaled = write(
        tmp_path / "s.npz", embeddings=EMBEDDINGS.astype(np.float16), names=NAMES, logit_scale=np.array([20])
    )
    assert read_class_embeddings(scaled).logit_scale == 20.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": NAMES}, "has no 'embeddings'; it has 'names'"),
        ({"embeddings": EMBEDDINGS}, "has no 'names'"),
        ({"embeddings": EMBEDDINGS[0], "names": NAMES}, r'"embeddings" is float64 \[4\]'),
        ({"embeddings": EMBEDDINGS[:1], "names": NAMES[:1]}, "two classes or more"),
        ({"embeddings": EMBEDDINGS.astype(int), "names": NAMES}, r'"embeddings" is int64 \[3, 4\]'),
        ({"embeddings": EMBEDDINGS * [[1], [0], [1]], "names": NAMES}, "zeros alone, such as that of class 1"),
        ({"embeddings": EMBEDDINGS * [[1], [1], [np.nan]], "names": NAMES}, "1 embeddings hold NaN"),
        ({"embeddings": EMBEDDINGS, "names": NAMES[:2]}, "not the names of 3 classes"),
        ({"embeddings": EMBEDDINGS, "names": np.arange(3)}, '"names" is int64'),
        ({"embeddings": EMBEDDINGS, "names": np.array(["a", "b", "a"])}, "'a' twice"),
        ({"embeddings": EMBEDDINGS, "names": np.array(["a", " ", "c"])}, "an empty name"),
        ({"embeddings": EMBEDDINGS, "names": NAMES, "logit_scale": np.array(0.0)}, "no number above 0"),
        ({"embeddings": EMBEDDINGS, "names": NAMES, "logit_scale": np.ones(2)}, "no number above 0"),
    ],
)
def test_what_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_class_embeddings(write(tmp_path / "c.npz", **arrays))
    assert caught.value.hint


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.npz").write_bytes(b"nothing")
    np.save(tmp_path / "one.npy", EMBEDDINGS)
    for name, message in (
        ("c.npz", "cannot read"),
        ("one.npy", "holds one array"),
        ("d.npz", "no such file of class embeddings"),
    ):
        with pytest.raises(UsageError, match=message):
            read_class_embeddings(tmp_path / name)
