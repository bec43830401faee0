"""Comparing outputs that are no logits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.artifacts.output_differences import compare_outputs, cosines
from edgevit.data import row_file
from edgevit.errors import CheckFailed
from edgevit.results.output import Output

OUTPUTS = (Output("embedding", (2,)), Output("map", (1, 2, 2)))
REFERENCE = np.array([[3, 4, 100, 0, 0, 0], [0, 5, 0, 100, 0, 0]], np.float32)


def test_each_output_by_itself() -> None:
    rows = REFERENCE.copy()
    rows[0, :2] = 4, 3  # of a small output, beside a large one
    rows[1, 2] = 10
    found = compare_outputs(rows, REFERENCE, "pytorch", None, OUTPUTS)
    embedding, maps = found.outputs
    assert (embedding.name, embedding.shape, maps.name, maps.shape) == ("embedding", (2,), "map", (1, 2, 2))
    assert (embedding.max_abs_diff, embedding.max_rel_diff) == (1, 0.2)
    assert (maps.max_abs_diff, maps.max_rel_diff) == (10, 0.1)
    assert embedding.snr_db == pytest.approx(10 * math.log10(50 / 2))
    assert maps.snr_db == pytest.approx(10 * math.log10(20000 / 100))
    assert embedding.cosine == pytest.approx((24 / 25 + 1) / 2)
    assert maps.cosine == pytest.approx((1 + 100 / math.sqrt(10100)) / 2)
    assert (found.max_abs_diff, found.max_rel_diff, found.snr_db) == (10, 0.2, embedding.snr_db)
    assert (found.top1_agreement, found.samples, found.passed) == (None, 2, True)


def test_every_output_has_to_be_within_the_tolerance() -> None:
    rows = REFERENCE.copy()
    rows[0, 0] += 0.004  # 8e-4 of its own output, 4e-5 of the largest
    assert not compare_outputs(rows, REFERENCE, "pytorch", 1e-4, OUTPUTS).passed
    assert compare_outputs(rows, REFERENCE, "pytorch", 1e-3, OUTPUTS).passed
    same = compare_outputs(REFERENCE, REFERENCE, "pytorch", 0.0, OUTPUTS)
    assert (same.passed, same.snr_db, [each.cosine for each in same.outputs]) == (True, None, [1.0, 1.0])


def test_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    reference = random.standard_normal((9, 6)).astype(np.float32)
    rows = reference + random.standard_normal((9, 6)).astype(np.float32)
    whole = compare_outputs(rows, reference, "x", None, OUTPUTS)
    monkeypatch.setattr(row_file, "_CHUNK_VALUES", 12)
    for one, other in zip(compare_outputs(rows, reference, "x", None, OUTPUTS).outputs, whole.outputs, strict=True):
        assert one.snr_db == pytest.approx(other.snr_db)
        assert one.cosine == pytest.approx(other.cosine)
        assert one.max_abs_diff == other.max_abs_diff


def test_what_cannot_be_compared() -> None:
    with pytest.raises(CheckFailed, match="the output map holds NaN or infinity"):
        compare_outputs(np.where(REFERENCE == 100, np.nan, REFERENCE), REFERENCE, "x", None, OUTPUTS)
    with pytest.raises(CheckFailed, match="have shape"):
        compare_outputs(REFERENCE[:, :5], REFERENCE, "x", None, OUTPUTS)
    broken = np.where(REFERENCE == 100, np.nan, REFERENCE)
    assert not compare_outputs(REFERENCE, broken, "x", 1e-4, OUTPUTS).passed


def test_cosines_of_zeros() -> None:
    wanted = np.array([[0, 0], [1, 0], [0, 0], [1, 1]], np.float32)
    found = np.array([[0, 0], [0, 0], [1, 0], [-2, -2]], np.float32)
    assert cosines(found, wanted).tolist() == pytest.approx([1, 0, 0, -1])
