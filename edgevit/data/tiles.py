"""Where the tiles of a large image lie: evenly spread, all of one size, each pixel in one at least."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles

if TYPE_CHECKING:
    from edgevit.spec.spec import TilesSpec  # not needed on a board, which has no pydantic


@dataclass(frozen=True)
class Tile:
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def tile_starts(length: int, size: int, overlap: float) -> tuple[int, ...]:
    """Returns where tiles begin along one side of an image: as few as cover it, evenly spread, so that none is a sliver.

    Args:
        length: Of the side, in pixels, at least ``size``.
        size: Of a tile.
        overlap: Share of a tile, below 1, that neighbours have in common at least.

    Returns:
        Ascending; the first is 0, and the last tile ends with the side. Neighbours overlap by more than was asked where the side
        is not so many strides long: 0, 144 and 288 for 512 pixels in tiles of 224 and an overlap of 0.1.

    Raises:
        ValueError: the side is shorter than a tile, or tiles would not proceed.
    """
    stride = size - math.ceil(round(size * overlap, 6))
    if length < size or stride < 1:
        raise ValueError(f"no tiles of {size} pixels with an overlap of {overlap:g} along {length} pixels")
    gaps = math.ceil((length - size) / stride)
    return tuple(place * (length - size) // gaps for place in range(gaps + 1)) if gaps else (0,)


def enlarged_size(size: tuple[int, int], tiles: Tiles) -> tuple[int, int]:
    """Returns height and width that an image is enlarged to before it is cut, so that both are as long as a tile's at least.

    Args:
        size: Height and width of the image.
        tiles: How it is cut.

    Returns:
        ``size`` for most images; another where one side alone is shorter than that of a tile. The aspect ratio is kept.
    """
    scale = max(tile / side for tile, side in zip(tiles.size, size, strict=True))
    if scale <= 1:
        return size
    height, width = (max(tile, round(scale * side)) for tile, side in zip(tiles.size, size, strict=True))
    return height, width


def find_tiles(size: tuple[int, int], tiles: Tiles | None) -> tuple[Tile, ...]:
    """Returns the tiles of an image, row by row.

    Args:
        size: Height and width of the image.
        tiles: How it is cut; None for not at all.

    Returns:
        None where the image is fed as a whole, for neither of its sides is longer than that of a tile; else at least two, in pixels
        of the image as :func:`enlarged_size` has it.
    """
    if tiles is None or (size[0] <= tiles.size[0] and size[1] <= tiles.size[1]):
        return ()
    height, width = tiles.size
    tops, lefts = (
        tile_starts(length, side, tiles.overlap)
        for length, side in zip(enlarged_size(size, tiles), tiles.size, strict=True)
    )
    return tuple(Tile(top, left, height, width) for top in tops for left in lefts)


def tile_count(size: tuple[int, int], tiles: Tiles | None) -> int:
    """Returns how many times a model is run for an image, see :func:`find_tiles`."""
    return len(find_tiles(size, tiles)) or 1


def tiles_of(asked: TilesSpec | None) -> Tiles | None:
    """Returns the tiles that a spec asks for, if it does."""
    return None if asked is None else Tiles(asked.size, asked.overlap, asked.reduce)


def check_tiles(contract: Preprocessing) -> None:
    """Refuses tiles that a model cannot be fed with.

    Raises:
        UsageError: it takes arrays, which are not resized, and tiles are of another size than its input.
    """
    tiles = contract.tiles
    if tiles is not None and contract.input == "array" and tiles.size != contract.input_size:
        (height, width), (rows, columns) = contract.input_size, tiles.size
        raise UsageError(
            f"tiles of {rows} x {columns} do not fit an input of {height} x {width}: arrays are not resized",
            f"give tiles of size {height}" + ("" if height == width else f"x{width}"),
        )
