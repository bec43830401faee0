"""Lines of the script beside an artifact that feed a large image in tiles, see :mod:`edgevit.data.tiles`."""

from __future__ import annotations

from edgevit.results.artifact import Preprocessing, Tiles

_REDUCED = {
    "mean": "shares.mean(axis=0)",
    "max": "shares.max(axis=0)",
    "best": "shares[shares.max(axis=1).argmax()]",
}
_TILES = '''def starts(length, size):
    """Returns where tiles begin along a side: evenly spread, neighbours with an overlap of {overlap:g} at least."""
    stride = size - math.ceil(round(size * {overlap}, 6))
    gaps = math.ceil((length - size) / stride)
    return [place * (length - size) // gaps for place in range(gaps + 1)] if gaps else [0]


def views(image):
    """Yields the image, or where it is larger than a tile each of its tiles."""
    height, width = {size}
    if image.height <= height and image.width <= width:
        yield crop(image)
        return
    scale = max(height / image.height, width / image.width)
    if scale > 1:  # one side is shorter than a tile
        new = max(width, round(scale * image.width)), max(height, round(scale * image.height))
        image = image.resize(new, Image.Resampling.{filter})
    for top in starts(image.height, height):
        for left in starts(image.width, width):
            tile = image.crop((left, top, left + width, top + height))
            yield np.array(tile.resize((WIDTH, HEIGHT), Image.Resampling.{filter}))


def reduce_tiles(rows):
    """Returns logits whose probabilities are those of all tiles together: {reduce}."""
    if len(rows) == 1:
        return rows[0]
    rows = np.stack([np.array([0, row[0]]) if len(row) == 1 else row for row in rows]).astype(np.float64)
    odds = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares = odds / odds.sum(axis=1, keepdims=True)
    return np.log(np.maximum({reduced}, 1e-300))


'''


def tile_lines(wanted: Preprocessing, tiles: Tiles) -> str:
    """Returns the lines that define ``views`` of an image, and ``reduce_tiles`` of their logits."""
    return _TILES.format(
        overlap=tiles.overlap,
        size=tiles.size,
        filter=wanted.interpolation.upper(),
        reduce=tiles.reduce,
        reduced=_REDUCED[tiles.reduce],
    )
