"""Which images of two result sets are the same, what is refused, and what is found of those in both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.artifacts.result_set import ResultSet, write_result_set
from edgevit.commands.parity import ParityQuestion, compare_results
from edgevit.errors import CheckFailed, UsageError
from edgevit.results.parity import Parity
from tests.factories import make_result_set


def logits_of(*classes: int, outputs: int = 3) -> list[list[float]]:
    """Outputs that decide these classes."""
    return [[5.0 if place == wanted else 0.0 for place in range(outputs)] for wanted in classes]


@pytest.fixture
def parity(tmp_path: Path) -> Any:
    """Writes two result sets and compares them."""

    def compared(first: ResultSet, second: ResultSet, **asked: Any) -> Parity:
        write_result_set(tmp_path / "a.npz", first)
        write_result_set(tmp_path / "b.npz", second)
        return compare_results(ParityQuestion(tmp_path / "a.npz", tmp_path / "b.npz", **asked))

    return compared


def test_the_order_of_the_images_does_not_matter(parity: Any) -> None:
    first = make_result_set(("x", "y", "z"), logits_of(0, 1, 2), labels=[0, 1, 1])
    second = make_result_set(("z", "x", "y"), logits_of(1, 0, 1), labels=[1, 0, 1])
    found = parity(first, second)
    assert (found.matched_by, found.samples) == ("content", 3)
    assert found.top1_agreement == pytest.approx(2 / 3)
    assert found.top1_agreement_interval.low < 2 / 3 < found.top1_agreement_interval.high
    assert [(flip.image, flip.label, flip.before, flip.after) for flip in found.accuracy.flips] == [("z", 1, 2, 1)]
    assert (found.accuracy.only_before, found.accuracy.only_after) == (0, 1)
    assert found.max_abs_diff == 5.0
    assert found.first.missing == found.second.missing == ()


def test_images_are_the_same_by_their_content_whatever_their_names(parity: Any) -> None:
    first = make_result_set(("x", "y"), logits_of(0, 1))
    second = replace(make_result_set(("x", "y"), logits_of(1, 0)), names=("val/1", "val/2"))
    second = replace(second, sha256=second.sha256[::-1])
    assert parity(first, second).top1_agreement == 1.0


def test_copies_of_an_image_pair_by_their_names(parity: Any) -> None:
    same = (hashlib.sha256(b"copy").hexdigest(),) * 2
    first = replace(make_result_set(("x", "y"), logits_of(0, 1), labels=[0, 1]), sha256=same)
    second = replace(make_result_set(("y", "x"), logits_of(1, 0), labels=[1, 0]), sha256=same)
    assert parity(first, second).top1_agreement == 1.0
    with pytest.raises(UsageError, match="lacks 1 of 2 images: y"):
        parity(first, make_like(second, [1]))


def make_like(results: ResultSet, rows: Sequence[int]) -> ResultSet:
    """Some images of a set."""
    return ResultSet(
        results.logits[list(rows)],
        None if results.names is None else tuple(results.names[row] for row in rows),
        None if results.sha256 is None else tuple(results.sha256[row] for row in rows),
        None if results.labels is None else results.labels[list(rows)],
        results.origin,
    )


def test_without_digests_names_count(parity: Any) -> None:
    first = replace(make_result_set(("x", "y"), logits_of(0, 1)), sha256=None)
    second = make_result_set(("y", "x"), logits_of(1, 0))
    found = parity(first, second)
    assert (found.matched_by, found.top1_agreement) == ("name", 1.0)
    with pytest.raises(UsageError, match=r"a\.npz has no digests"):
        parity(first, second, match="content")
    with pytest.raises(UsageError, match="two images of the name 'x'"):
        parity(replace(first, names=("x", "x")), second)


def test_rows_count_only_where_that_is_asked(parity: Any) -> None:
    bare = replace(make_result_set(("x", "y"), logits_of(0, 1)), sha256=None, names=None)
    other = replace(make_result_set(("p", "q"), logits_of(0, 1)), sha256=None)
    with pytest.raises(UsageError, match="nothing tells which image") as caught:
        parity(bare, other)
    assert "--match position" in str(caught.value.hint)
    found = parity(bare, other, match="position")
    assert (found.matched_by, found.top1_agreement) == ("position", 1.0)
    assert "images are matched by their order alone, as asked" in found.notes


def test_what_only_one_has_is_named_and_left_out_where_that_is_asked(parity: Any) -> None:
    first = make_result_set(("x", "y", "z"), logits_of(0, 1, 2))
    second = make_result_set(("z", "w"), logits_of(2, 2))
    with pytest.raises(UsageError, match=r"b\.npz lacks 2 of 3 images: x, y; .*a\.npz lacks 1 of 2 images: w"):
        parity(first, second)
    found = parity(first, second, allow_missing=True)
    assert (found.samples, found.first.missing, found.second.missing) == (1, ("w",), ("x", "y"))
    assert "3 images that only one set has are left out" in found.notes
    with pytest.raises(UsageError, match="no image in common"):
        parity(first, make_result_set(("p", "q"), logits_of(0, 0)), allow_missing=True)


def test_images_of_one_name_and_another_content_are_no_pair_unless_asked(parity: Any) -> None:
    first = make_result_set(("x", "y"), logits_of(0, 1))
    second = replace(make_result_set(("p", "q"), logits_of(0, 1)), names=("x", "y"))
    with pytest.raises(UsageError, match="no image in common, by content") as caught:
        parity(first, second)
    assert "--match name" in str(caught.value.hint)
    found = parity(first, second, match="name")
    assert "2 of 2 images have another content in B, and are matched by name" in found.notes


def test_other_labels_classes_and_outputs_are_refused(parity: Any) -> None:
    first = make_result_set(("x", "y"), logits_of(0, 1), labels=[0, 1])
    with pytest.raises(UsageError, match=r"labels of 1 of 2 images differ: y is 1 in .*a\.npz, 2 in"):
        parity(first, make_result_set(("x", "y"), logits_of(0, 1), labels=[0, 2]))
    with pytest.raises(UsageError, match=r"3 outputs .* 4") as caught:
        parity(first, make_result_set(("x", "y"), logits_of(0, 1, outputs=4)))
    assert "background" in str(caught.value.hint)
    named = replace(first, origin=replace(first.origin, classes=("cat", "dog", "elk")))
    other = replace(first, origin=replace(first.origin, classes=("dog", "cat", "elk")))
    with pytest.raises(UsageError, match="other classes in another order: output 0 is 'cat'"):
        parity(named, other)
    assert any("B does not name its classes" in note for note in parity(named, first).notes)


def test_labels_of_one_set_are_enough(parity: Any) -> None:
    bare = make_result_set(("x", "y"), logits_of(0, 1))
    found = parity(bare, make_result_set(("y", "x"), logits_of(2, 0), labels=[1, 0]))
    assert (found.accuracy.only_before, found.accuracy.only_after, found.accuracy.top1_after) == (1, 0, 0.5)
    assert parity(bare, bare).accuracy.top1_before is None


def test_another_preprocessing_and_runtime_is_said(parity: Any) -> None:
    first = make_result_set(("x",), logits_of(0))
    assert first.origin
    wanted = replace(first.origin.preprocessing, mean=(0.1, 0.2, 0.3), input_size=(64, 64))
    second = replace(first, origin=replace(first.origin, preprocessing=wanted, artifact_sha256="b", runtime="LiteRT 2"))
    notes = parity(first, second).notes
    assert "the preprocessing differs: mean 0.5,0.5,0.5 in A, 0.1,0.2,0.3 in B" in notes
    assert "the preprocessing differs: input_size 32,32 in A, 64,64 in B" in notes
    assert any(note.startswith("the runtime differs") for note in notes)
    assert any(note.startswith("the files differ") for note in notes)
    assert any("says not which file" in note for note in parity(first, replace(first, origin=None)).notes)
    assert [note for note in parity(first, first).notes if "differ" in note] == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_no_parity(value: float, parity: Any) -> None:
    first = make_result_set(("x", "y"), logits_of(0, 1))
    broken = make_result_set(("x", "y"), [[5.0, 0.0, 0.0], [0.0, value, 0.0]])
    for one, other, file in ((first, broken, "b"), (broken, first, "a")):
        with pytest.raises(CheckFailed, match=rf"{file}\.npz: the outputs for y hold NaN or infinity"):
            parity(one, other)


def test_probabilities_beside_logits_are_said(parity: Any) -> None:
    first = make_result_set(("x", "y"), logits_of(0, 1))
    found = parity(first, make_result_set(("x", "y"), [[0.9, 0.1, 0.0], [0.0, 1.0, 0.0]]))
    assert (found.top1_agreement, found.kl_divergence) == (1.0, None)
    assert any(note.startswith("B holds probabilities and A logits") for note in found.notes)


def test_the_document_of_an_evaluation_names_its_outputs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_result_set(tmp_path / f"{name}.npz", make_result_set(("x",), logits_of(0)))
    digest = hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    document = tmp_path / "a.json"
    document.write_text(json.dumps({"saved_outputs": {"path": "elsewhere/a.npz", "sha256": digest}}))
    assert compare_results(ParityQuestion(document, tmp_path / "b.npz")).samples == 1
    with pytest.raises(UsageError, match="with itself"):
        compare_results(ParityQuestion(document, tmp_path / "a.npz"))
    document.write_text(json.dumps({"saved_outputs": {"path": "a.npz", "sha256": "0" * 64}}))
    with pytest.raises(UsageError, match="sha256 differs"):
        compare_results(ParityQuestion(document, tmp_path / "b.npz"))
    document.write_text(json.dumps({"saved_outputs": {"path": "lost.npz", "sha256": digest}}))
    with pytest.raises(UsageError, match=r"lost\.npz, which is not there"):
        compare_results(ParityQuestion(document, tmp_path / "b.npz"))
    for text in ("{}", "[]", "{", '{"saved_outputs": null}', '{"saved_outputs": {"path": 1, "sha256": "a"}}'):
        document.write_text(text)
        with pytest.raises(UsageError, match="names no saved outputs"):
            compare_results(ParityQuestion(document, tmp_path / "b.npz"))
