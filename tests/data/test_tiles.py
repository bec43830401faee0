"""Where tiles lie: each pixel in one, evenly spread, none a sliver."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.data.tiles import Tile, check_tiles, enlarged_size, find_tiles, tile_count, tile_starts, tiles_of
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles
from edgevit.spec.spec import TilesSpec

TILES = Tiles((224, 224), 0.1, "mean")
sides, percents = st.integers(16, 400), st.integers(0, 90)


def test_the_known_answer() -> None:
    """512 pixels in tiles of 224 with an overlap of a tenth: 3 x 3, as two would leave a sliver or overlap too little."""
    assert tile_starts(512, 224, 0.1) == (0, 144, 288)
    found = find_tiles((512, 512), TILES)
    assert [(tile.top, tile.left) for tile in found] == [(y, x) for y in (0, 144, 288) for x in (0, 144, 288)]
    assert {(tile.height, tile.width) for tile in found} == {(224, 224)}
    assert (tile_count((512, 512), TILES), tile_count((512, 512), None)) == (9, 1)


@given(st.integers(0, 2000), sides, percents)
def test_tiles_cover_a_side_evenly(more: int, size: int, percent: int) -> None:
    length = size + more
    starts = tile_starts(length, size, percent / 100)
    gaps = [after - before for before, after in pairwise(starts)]
    assert (starts[0], starts[-1] + size) == (0, length)  # nothing beyond, and whole tiles only
    assert all(100 * (size - gap) >= percent * size for gap in gaps)  # hence each pixel is covered
    assert not gaps or max(gaps) - min(gaps) <= 1
    largest_step = size * (100 - percent) // 100
    assert len(starts) == 1 or size + (len(starts) - 2) * largest_step < length  # one tile fewer does not reach the end


@given(st.integers(1, 900), st.integers(1, 900), sides, sides, percents)
def test_each_pixel_is_in_a_tile(height: int, width: int, rows: int, columns: int, percent: int) -> None:
    tiles = Tiles((rows, columns), percent / 100, "best")
    found = find_tiles((height, width), tiles)
    is_large = height > rows or width > columns
    assert bool(found) == is_large and (not is_large or len(found) == tile_count((height, width), tiles) > 1)
    if found:
        whole = enlarged_size((height, width), tiles)
        for length, side, starts in zip(
            whole, tiles.size, ({tile.top for tile in found}, {tile.left for tile in found}), strict=True
        ):
            covered = {pixel for start in starts for pixel in range(start, start + side)}
            assert covered == set(range(length))


def test_a_short_side_is_enlarged_with_the_other() -> None:
    assert enlarged_size((112, 600), TILES) == (224, 1200)
    assert enlarged_size((300, 600), TILES) == (300, 600)
    assert find_tiles((112, 226), TILES)[-1] == Tile(0, 228, 224, 224)
    assert find_tiles((224, 224), TILES) == find_tiles((10, 200), TILES) == find_tiles((999, 999), None) == ()


@pytest.mark.parametrize(("length", "size", "overlap"), [(100, 224, 0.1), (500, 224, 1.0), (500, 4, 0.99)])
def test_what_cannot_be_tiled_is_refused(length: int, size: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="no tiles of"):
        tile_starts(length, size, overlap)


def test_arrays_are_not_resized_to_the_input() -> None:
    array = Preprocessing((32, 32), (0.0,), (1.0,), input="array", tiles=Tiles((32, 32), 0.0, "max"))
    check_tiles(array)
    check_tiles(Preprocessing((32, 32), (0.0,), (1.0,), tiles=Tiles((64, 64), 0.0, "max")))
    with pytest.raises(UsageError, match="tiles of 32 x 32 do not fit an input of 16 x 24") as refused:
        check_tiles(Preprocessing((16, 24), (0.0,), (1.0,), input="array", tiles=Tiles((32, 32), 0.0, "max")))
    assert refused.value.hint == "give tiles of size 16x24"


def test_tiles_of_a_spec_and_as_text() -> None:
    found = tiles_of(TilesSpec(size=224, overlap=0.1, reduce="mean"))  # type: ignore[arg-type]
    assert (found, tiles_of(None), str(found)) == (TILES, None, "size=224,overlap=0.1,reduce=mean")
    assert str(Tiles((16, 24), 0.25, "best")) == "size=16x24,overlap=0.25,reduce=best"
