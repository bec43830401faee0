"""What is made of the outputs for tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.artifacts.tiled import (
    blend,
    blend_images,
    check_metric_of_tiles,
    check_one_size,
    merge_tiles,
    reduce_images,
    reduce_logits,
    whole_image,
    whole_outputs,
)
from edgevit.data.tiles import enlarged_size, find_tiles
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, TensorSpec, Tiles
from edgevit.results.output import Output, classifier_outputs

TILES = Tiles((32, 32), 0.25, "mean")
REDUCTIONS = ("mean", "max", "best")


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def random_logits(tiles: int = 5, classes: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3, (tiles, classes)).astype(np.float32)


def test_reductions_of_probabilities() -> None:
    logits = random_logits()
    shares = softmax(logits)
    np.testing.assert_allclose(softmax(reduce_logits(logits, "mean")), shares.mean(axis=0), rtol=1e-5)
    largest = shares.max(axis=0)
    np.testing.assert_allclose(softmax(reduce_logits(logits, "max")), largest / largest.sum(), rtol=1e-5)
    surest = shares.max(axis=1).argmax()
    np.testing.assert_array_equal(reduce_logits(logits, "best"), logits[surest])


def test_the_reductions_are_different_questions() -> None:
    """Four tiles of background and a small, sure object: the mean says background, the others the object."""
    logits = np.array([[3, 0, 0]] * 4 + [[0, 9, 0]], np.float32)
    assert [int(reduce_logits(logits, reduce).argmax()) for reduce in REDUCTIONS] == [0, 1, 1]


@given(st.permutations(range(6)), st.sampled_from(REDUCTIONS), st.integers(0, 50))
def test_the_order_of_tiles_has_no_effect(order: list[int], reduce: str, seed: int) -> None:
    logits = random_logits(6, seed=seed)
    np.testing.assert_array_equal(reduce_logits(logits[order], reduce), reduce_logits(logits, reduce))


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_one_tile_stays_bit_for_bit_and_equal_tiles_agree(reduce: str) -> None:
    logits = random_logits(1)
    np.testing.assert_array_equal(reduce_logits(logits, reduce), logits[0])
    np.testing.assert_allclose(softmax(reduce_logits(np.repeat(logits, 9, 0), reduce)), softmax(logits[0]), rtol=1e-5)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_single_logit_is_one_of_two_classes(reduce: str) -> None:
    signs = np.array([[2.0], [-1.0], [0.5]], np.float32)
    (found,) = reduce_logits(signs, reduce)
    pair = reduce_logits(np.concatenate([np.zeros_like(signs), signs], axis=1), reduce)
    np.testing.assert_allclose(found, pair[1] - pair[0], rtol=1e-5)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_large_logits_do_not_overflow_and_nan_is_not_hidden(reduce: str) -> None:
    assert np.isfinite(reduce_logits(np.array([[1e4, -1e4], [-3e4, 3e4]], np.float32), reduce)).all()
    assert np.isnan(reduce_logits(np.array([[0, 1], [np.nan, 0]], np.float32), reduce)).any()


def test_images_are_told_apart_by_their_counts() -> None:
    logits = random_logits(6)
    batches = [logits[:4], logits[4:]]
    found = list(reduce_images(batches, (1, 3, 2), TILES))
    assert [each.shape for each in found] == [(1, 4)] * 3
    expected = [logits[0], reduce_logits(logits[1:4], "mean"), reduce_logits(logits[4:], "mean")]
    np.testing.assert_array_equal(np.concatenate(found), np.stack(expected))
    assert [each is batch for each, batch in zip(reduce_images(batches, (1,) * 6, TILES), batches, strict=True)]


@given(st.integers(8, 120), st.integers(8, 120), st.sampled_from([4, 8, 16, 32]), st.floats(0, 0.9))
def test_maps_of_a_constant_image_are_constant_and_whole(height: int, width: int, cells: int, overlap: float) -> None:
    tiles = Tiles((32, 32), overlap, "mean")
    found = find_tiles((height, width), tiles)
    if not found:
        return
    maps = np.full((len(found), 2, cells, cells), 7.25, np.float32)
    blended = blend(maps, found, enlarged_size((height, width), tiles))
    (output,) = whole_outputs((Output("map", (2, cells, cells)),), (height, width), tiles)
    assert blended.shape == output.shape
    np.testing.assert_allclose(blended, 7.25, rtol=1e-6)


def test_tiles_of_a_map_give_the_map_back() -> None:
    """A map that is cut along tiles whose places lie on its grid is put together again, and no seam stays where tiles differ."""
    whole = np.random.default_rng(0).normal(0, 1, (3, 20, 28)).astype(np.float32)
    found = find_tiles((80, 112), TILES)  # a cell is 4 pixels
    on_grid = [tile for tile in found if tile.top % 4 == tile.left % 4 == 0]
    assert on_grid == list(found)
    cut = np.stack([whole[:, t.top // 4 : t.top // 4 + 8, t.left // 4 : t.left // 4 + 8] for t in found])
    np.testing.assert_allclose(blend(cut, found, (80, 112)), whole, rtol=1e-5, atol=1e-6)
    steps = blend(
        np.stack([np.full((1, 8, 8), place % 2, np.float32) for place in range(2)]),
        find_tiles((32, 56), TILES),
        (32, 56),
    )
    assert (np.diff(steps[0, 0]) >= 0).all()
    assert np.diff(steps[0, 0]).max() < 0.75  # over an overlap of two cells


def test_images_with_and_without_tiles_follow_each_other() -> None:
    outputs = (Output("a", (1, 8, 8)), Output("b", (2, 4, 4)))
    rows = np.random.default_rng(1).normal(0, 1, (1 + 2, 64 + 32)).astype(np.float32)
    small, large = blend_images([rows], ((32, 32), (32, 56)), outputs, TILES)
    np.testing.assert_array_equal(small, rows[:1])
    assert large.shape == (1, 8 * 14 + 2 * 4 * 7)


@dataclass(frozen=True)
class Ports:
    """What a file declares."""

    outputs: Sequence[TensorSpec]
    inputs: Sequence[TensorSpec] = ()


def ports(*shape: int) -> Ports:
    return Ports((TensorSpec("y", (1, *shape), "float32", ""),))


def test_the_outputs_say_how_tiles_are_merged() -> None:
    logits = random_logits(2)
    (row,) = merge_tiles(iter(logits[:, None]), ((32, 56),), TILES, ports(4))
    np.testing.assert_array_equal(row[0], reduce_logits(logits, "mean"))
    maps = np.zeros((2, 1, 64), np.float32)
    (row,) = merge_tiles(iter(maps), ((32, 56),), TILES, ports(1, 8, 8))
    assert row.shape == (1, 8 * 14)


def test_what_cannot_be_merged_is_refused() -> None:
    with pytest.raises(UsageError, match=r"y \[4, 9\] is neither classes nor a map"):
        merge_tiles(iter(()), ((64, 64),), TILES, ports(4, 9))
    with pytest.raises(UsageError, match="the tiles say reduce=best") as refused:
        merge_tiles(iter(()), ((64, 64),), Tiles((32, 32), 0.1, "best"), ports(1, 8, 8))
    assert refused.value.hint == "give tiles with reduce=mean"
    check_one_size(((64, 64), (32, 32)), ports(4))
    check_one_size(((64, 64), (64, 64)), ports(1, 8, 8))
    with pytest.raises(UsageError, match="of 2 sizes, such as 32 x 32, 64 x 64"):
        check_one_size(((64, 64), (32, 32)), ports(1, 8, 8))
    with pytest.raises(UsageError, match="--metric multilabel"):
        check_metric_of_tiles("multilabel", TILES)
    check_metric_of_tiles("top1", TILES)


def test_what_lies_beside_an_image_is_not_cropped_where_the_image_is_tiled() -> None:
    contract = Preprocessing((32, 32), (0.5,), (0.5,), crop_pct=0.875, tiles=TILES)
    assert whole_image((20, 20), contract) == Preprocessing((32, 32), (0.5,), (0.5,), crop_pct=0.875)
    assert whole_image((64, 80), contract) == Preprocessing((64, 80), (0.5,), (0.5,), crop_pct=1.0, crop_mode="squash")
    assert whole_outputs(classifier_outputs(3), (64, 80), TILES) == classifier_outputs(3)
