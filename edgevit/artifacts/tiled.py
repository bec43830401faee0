"""What is made of the outputs for the tiles of an image: one row of logits, or maps of the whole image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from edgevit.artifacts.feed import HasPorts, has_one_row
from edgevit.artifacts.outputs import outputs_of_file, split_rows
from edgevit.data.tiles import Tile, enlarged_size, find_tiles, tile_count
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles
from edgevit.results.output import Output


def merge_tiles(
    rows: Iterable[np.ndarray], sizes: Sequence[tuple[int, int]], tiles: Tiles | None, model: HasPorts
) -> Iterator[np.ndarray]:
    """Yields what a model gives for each image, from what it gives for each of its tiles.

    Args:
        rows: float32 [1, values] each, of the tiles of all images one after another.
        sizes: Height and width of each image.
        tiles: How images are cut.
        model: That gave the rows.

    Yields:
        float32 [1, classes]; of maps all values, [1, values], as many as the image is large.

    Raises:
        UsageError: the outputs of tiles cannot be put together, see :func:`whole_outputs`.
    """
    if tiles is None or has_one_row(model):
        return reduce_images(rows, [tile_count(size, tiles) for size in sizes], tiles)
    outputs = outputs_of_file(tuple(model.outputs))
    for size in sizes:
        whole_outputs(outputs, size, tiles)
    return blend_images(rows, sizes, outputs, tiles)


def check_one_size(sizes: Sequence[tuple[int, int]], model: HasPorts) -> None:
    """Refuses images whose maps are no rows of one length.

    Raises:
        UsageError: a model gives maps, and images are of several sizes.
    """
    several = sorted(set(sizes))
    if len(several) > 1 and not has_one_row(model):
        shown = ", ".join(f"{height} x {width}" for height, width in several[:2])
        raise UsageError(
            f"maps of tiles are as large as their images, and these are of {len(several)} sizes, such as {shown}",
            "give images of one size",
        )


def reduce_images(rows: Iterable[np.ndarray], counts: Sequence[int], tiles: Tiles | None) -> Iterator[np.ndarray]:
    """Yields the logits of each image, from those of its tiles, of which no more than one image's are kept.

    Args:
        rows: float32 [n, classes] each, the tiles of all images one after another.
        counts: Tiles of each image; the logits of one alone stay as they are.
        tiles: What is made of several.

    Yields:
        float32 [1, classes].
    """
    if tiles is None or max(counts, default=1) == 1:
        yield from rows
        return
    single = (row for several in rows for row in several)
    for count in counts:
        yield reduce_logits(np.stack(list(islice(single, count))), tiles.reduce)[None]


def reduce_logits(logits: np.ndarray, reduce: str) -> np.ndarray:
    """Returns logits whose softmax is what the probabilities of several tiles are reduced to.

    Args:
        logits: float32 [tiles, classes]; a single column decides between two classes by its sign.
        reduce: "mean" of the probabilities, "max" of each class, which is brought to a sum of one, or "best": the logits of the
            tile whose largest probability is largest, the first of several.

    Returns:
        float32 [classes], as finite as those given; of one tile its own logits, bit for bit. Other than by rounding, the order of
        the tiles has no effect, but for "best" where two are as confident.
    """
    if len(logits) == 1:
        alone: np.ndarray = logits[0]
        return alone
    is_sign = logits.shape[1] == 1
    values = np.concatenate([np.zeros_like(logits), logits], axis=1) if is_sign else logits
    shifted = values.astype(np.float64) - values.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if reduce == "best":
        best: np.ndarray = logits[int(log_probabilities.max(axis=1).argmax())]
        return best
    largest: np.ndarray = log_probabilities.max(axis=0)
    if reduce == "mean":
        # sorted, so that tiles in another order give the same sum
        shares = np.sort(np.exp(log_probabilities - largest), axis=0)
        largest = largest + np.log(shares.mean(axis=0))
    reduced = largest[1:] - largest[:1] if is_sign else largest
    return np.asarray(reduced, np.float32)


def whole_image(size: tuple[int, int], contract: Preprocessing) -> Preprocessing:
    """Returns what is done to something that lies beside an image, such as a mask, where the image is fed in tiles.

    Args:
        size: Height and width of the image.
        contract: Of the model.
    """
    if contract.tiles is None or not find_tiles(size, contract.tiles):
        return replace(contract, tiles=None)
    whole = enlarged_size(size, contract.tiles)
    return replace(contract, input_size=whole, crop_pct=1.0, crop_mode="squash", tiles=None)


def whole_outputs(outputs: tuple[Output, ...], size: tuple[int, int], tiles: Tiles | None) -> tuple[Output, ...]:
    """Returns the outputs for an image that is fed in tiles: maps are larger, logits as they are.

    Args:
        outputs: Of the model.
        size: Height and width of the image.
        tiles: How it is cut.

    Raises:
        UsageError: an output is neither logits nor a map, or maps are to be reduced otherwise than by their mean.
    """
    if tiles is None or _is_row(outputs) or not find_tiles(size, tiles):
        return outputs
    other = next((output for output in outputs if len(output.shape) != 3), None)
    if other is not None:
        raise UsageError(
            f"the output {other.name} {list(other.shape)} is neither classes nor a map, so it cannot be put together from tiles",
            "leave out the tiles",
        )
    if tiles.reduce != "mean":
        raise UsageError(
            f"maps are blended by their mean, and the tiles say reduce={tiles.reduce}", "give tiles with reduce=mean"
        )
    whole = enlarged_size(size, tiles)
    return tuple(
        Output(output.name, (output.shape[0], *_map_size(whole, output.shape[1:], tiles))) for output in outputs
    )


def _is_row(outputs: tuple[Output, ...]) -> bool:
    """Whether there is one row of values, as logits are."""
    return len(outputs) == 1 and len(outputs[0].shape) == 1


def blend_images(
    rows: Iterable[np.ndarray], sizes: Sequence[tuple[int, int]], outputs: tuple[Output, ...], tiles: Tiles
) -> Iterator[np.ndarray]:
    """Yields all values of the maps of each image, blended from those of its tiles.

    Args:
        rows: float32 [n, values] each, the tiles of all images one after another.
        sizes: Height and width of each image.
        outputs: Of the model, maps all of them.
        tiles: How images are cut.

    Yields:
        float32 [1, values]; of an image without tiles as they are.
    """
    single = (row for several in rows for row in several)
    for size in sizes:
        found = find_tiles(size, tiles)
        if not found:
            yield next(single)[None]
            continue
        values = np.stack(list(islice(single, len(found))))
        whole = enlarged_size(size, tiles)
        blended = (blend(maps, found, whole) for maps in split_rows(values, outputs).values())
        yield np.concatenate([each.reshape(1, -1) for each in blended], axis=1)


def blend(maps: np.ndarray, found: Sequence[Tile], whole: tuple[int, int]) -> np.ndarray:
    """Puts the maps of tiles together: where they overlap, a mean that each enters the less, the nearer its edge is.

    A tile that begins between two cells of a coarser grid is put at the nearer one, so that it lies off by half a cell at most.

    Args:
        maps: float32 [tiles, channels, h, w], each of a whole tile, on a grid that may be coarser than pixels.
        found: Where the tiles lie.
        whole: Height and width of the image that they lie in.

    Returns:
        float32 [channels, H, W], on the same grid.
    """
    _, channels, *inner = maps.shape
    tile_size = (found[0].height, found[0].width)
    height, width = (_on_grid(length, cells, side) for length, cells, side in zip(whole, inner, tile_size, strict=True))
    weight = np.outer(*(_ramp(cells) for cells in inner))
    summed, weights = np.zeros((channels, height, width)), np.zeros((height, width))
    for values, tile in zip(maps, found, strict=True):
        top, left = (
            _on_grid(start, cells, side)
            for start, cells, side in zip((tile.top, tile.left), inner, tile_size, strict=True)
        )
        place = slice(top, top + inner[0]), slice(left, left + inner[1])
        summed[(slice(None), *place)] += weight * values
        weights[place] += weight
    return (summed / weights).astype(np.float32)


def _map_size(whole: tuple[int, int], cells: Sequence[int], tiles: Tiles) -> tuple[int, int]:
    height, width = (_on_grid(length, n, side) for length, n, side in zip(whole, cells, tiles.size, strict=True))
    return height, width


def _on_grid(pixels: int, cells: int, side: int) -> int:
    """A length on the grid of a map that has so many cells along a tile's side, rounded half up: whole tiles stay whole."""
    return (2 * pixels * cells + side) // (2 * side)


def _ramp(cells: int) -> np.ndarray:
    """How much each cell of a tile's side counts: the less, the nearer the edge."""
    places = np.arange(cells)
    ramp: np.ndarray = np.minimum(places + 1, cells - places).astype(np.float64)
    return ramp


def check_metric_of_tiles(metric: str, tiles: Tiles) -> None:
    """Refuses a metric for which classes do not share one probability, as those do that are reduced over tiles.

    Raises:
        UsageError: it is such a metric.
    """
    if metric in ("multilabel", "value"):
        raise UsageError(
            f"tiles {tiles} reduce the probabilities of classes that exclude each other, and --metric {metric} is of outputs that do"
            " not",
            "leave out the tiles or the metric",
        )
