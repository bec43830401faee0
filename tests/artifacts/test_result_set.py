"""Result sets in archives: what is written is read back, and what is none is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.artifacts.result_set import ResultSet, read_result_set, write_result_set
from edgevit.errors import UsageError
from tests.factories import make_result_set

DIGESTS = np.array(["ab" * 32, "cd" * 32])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    results = make_result_set(names=("a.png", "sub/ü.png"), logits=[[1.0, 2.0], [3.0, 0.5]], labels=[1, 0])
    write_result_set(tmp_path / "a.npz", results)
    found = read_result_set(tmp_path / "a.npz")
    assert (found.names, found.sha256, found.origin) == (results.names, results.sha256, results.origin)
    assert np.array_equal(found.logits, results.logits)
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]
    write_result_set(tmp_path / "b.npz", results)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_a_set_does_not_have_stays_unknown(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", logits=np.zeros((2, 3), np.float16))
    found = read_result_set(tmp_path / "a.npz")
    assert (found.names, found.sha256, found.labels, found.origin) == (None, None, None, None)
    assert found.name(1) == "row 1"
    assert replace(found, sha256=("ab", "cd")).name(1) == "cd"
    assert replace(found, sha256=("ab", "cd"), names=("x", "y")).name(1) == "y"


LOGITS = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 3))}, 'no array "logits"; it has images'),
        ({"logits": np.zeros((2, 3), np.int8)}, "int8"),
        ({"logits": np.zeros(3)}, r"\[3\], not float"),
        ({"logits": np.zeros((0, 3))}, r"\[0, 3\]"),
        ({"logits": LOGITS, "names": np.array(["a"])}, '"names" is'),
        ({"logits": LOGITS, "names": np.arange(2)}, "not 2 texts"),
        ({"logits": LOGITS, "sha256": np.array(["ab", "cd"])}, "no SHA-256 digest"),
        ({"logits": LOGITS, "labels": np.zeros(2)}, "not 2 integers"),
        ({"logits": LOGITS, "labels": np.array([0, 3])}, "outside the 3 classes"),
        ({"logits": LOGITS, "labels": np.array([-1, 0])}, "outside the 3 classes"),
        ({"logits": LOGITS, "sha256": DIGESTS, "origin": np.array("{}")}, '"origin" is damaged'),
        ({"logits": np.array([[object()]])}, "is no result set"),
    ],
)
def test_what_is_no_result_set_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UsageError, match=message) as caught:
        read_result_set(tmp_path / "a.npz")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and nothing else", b"\x93NUMPY"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UsageError, match="is no result set"):
        read_result_set(tmp_path / "a.npz")


def test_a_single_output_has_two_classes(tmp_path: Path) -> None:
    write_result_set(tmp_path / "a.npz", ResultSet(np.zeros((1, 1), np.float32), ("a",), None, np.array([1]), None))
    assert read_result_set(tmp_path / "a.npz").labels is not None
