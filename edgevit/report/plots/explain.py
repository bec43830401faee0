"""The pictures of ``edgevit explain``: patches after each site, attention or Grad-CAM, and attention distance."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit.report.plots.plain_text import draws_plain_text
from edgevit.run.files import write_atomically
from edgevit.units import visible

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from edgevit.results.explanation import AttentionDistance, HeatView, ImageView, SiteView

Segment = tuple[tuple[float, float], tuple[float, float]]
"""A line from (x, y) to (x, y), in patches from the top left corner."""

_MOST_COLUMNS = 7
_PANEL_INCHES = 2.3
_AROUND_INCHES = 1.2
"""Height of the title and the notes."""
_GAP_INCHES = 0.1
"""Between title, pictures and notes."""
_TITLE_LETTERS, _NOTE_LETTERS = 11, 14
"""How many fit in an inch."""
_BLUE, _GREY, _ORANGE = "#0072B2", "#555555", "#D55E00"
_HEAT = "inferno"
"""Perceptually uniform, so that it can be read by colour-blind people and in grey."""
_HEAT_OPACITY = 0.7
_PRUNED_BRIGHTNESS = 0.25
_PRUNED = "Dark and struck out: pruned patches."
_FUSED = "Dark and struck out: pruned patches; their weighted sum is kept as one token."
_MERGED = "Of one colour, within a border: patches merged into one token, in their mean colour."
_HEATS = {
    "rollout": "Attention rollout: contribution of each patch to what the head reads, in the dense model.",
    "head": "One block: attention of what the head reads to each patch, in the dense model.",
    "grad-cam": "Grad-CAM: how much each place speaks for the class that the model answers; 1 is the most.",
}


@draws_plain_text
def draw_image(view: ImageView, path: Path) -> None:
    """Draws one image as PNG, atomically: the model's input, the patches after each site, and what counts.

    Args:
        view: What to draw.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    panels = 1 + len(view.sites) + len(view.heats)
    rows = -(-panels // _MOST_COLUMNS)
    columns = -(-panels // rows)
    height, width = view.pixels.shape[:2]
    size = (columns * _PANEL_INCHES, rows * (_PANEL_INCHES * height / width + 0.35) + _AROUND_INCHES)
    figure = Figure(figsize=size, dpi=150, layout=ConstrainedLayoutEngine(h_pad=_GAP_INCHES), facecolor="white")
    FigureCanvasAgg(figure)
    grid = [figure.add_subplot(rows, columns, number + 1) for number in range(panels)]
    _show(grid[0], view, view.pixels, "what the model sees")
    for axes, site in zip(grid[1:], view.sites, strict=False):
        _draw_site(axes, view, site)
    for axes, heat in zip(grid[1 + len(view.sites) :], view.heats, strict=True):
        _draw_heat(axes, view, heat)
    title = "\n".join(textwrap.fill(line, int(size[0] * _TITLE_LETTERS)) for line in visible(view.title).splitlines())
    notes = "\n".join(textwrap.fill(note, int(size[0] * _NOTE_LETTERS)) for note in _notes(view))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    figure.supxlabel(notes, x=0.01, ha="left", fontsize=8, color=_GREY)
    _write(figure, path)


@draws_plain_text
def draw_distances(found: AttentionDistance, title: str, path: Path) -> None:
    """Draws the mean attention distance of each head of each block as PNG, atomically.

    Args:
        found: The distances.
        title: Which model, and which images.
        path: File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.6), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    blocks = range(1, len(found.pixels) + 1)
    for block, heads in zip(blocks, found.pixels, strict=True):
        label = "one head" if block == 1 else None
        axes.scatter([block] * len(heads), heads, s=42, color=_BLUE, alpha=0.75, linewidths=0, label=label, zorder=3)
    means = [sum(heads) / len(heads) for heads in found.pixels]
    axes.plot(
        blocks, means, color=_ORANGE, marker="_", markersize=12, linewidth=1.2, label="mean of the heads", zorder=2
    )
    axes.axhline(
        found.uniform_pixels, color=_GREY, linestyle="--", linewidth=1, label="attention to all patches alike", zorder=1
    )
    axes.set_title(f"Attention distance of each head: {title}", loc="left", fontsize=10)
    axes.set_xlabel("block")
    axes.set_ylabel("mean attention distance, pixels")
    axes.set_xticks(blocks)
    axes.set_ylim(0, 1.08 * max(found.uniform_pixels, *(max(heads) for heads in found.pixels)))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    _write(figure, path)


def darkened(pixels: npt.NDArray[np.uint8], kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Returns an image with its pruned patches dark and grey.

    Args:
        pixels: uint8 [height, width, 3], whole patches.
        kept: bool [rows, columns] of patches.

    Returns:
        uint8 [height, width, 3]; kept patches are unchanged.
    """
    pruned = ~_to_pixels(kept, pixels)
    painted = pixels.copy()
    painted[pruned] = (pixels[pruned].mean(axis=1, keepdims=True) * _PRUNED_BRIGHTNESS).round()
    return painted


def painted_groups(pixels: npt.NDArray[np.uint8], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Returns an image with each patch in the mean colour of the group that it was merged into.

    Source: Bolya et al., "Token Merging: Your ViT but Faster", ICLR 2023, figure 4.

    Args:
        pixels: uint8 [height, width, 3], whole patches.
        groups: int64 [rows, columns] of patches: the group of each.

    Returns:
        uint8 [height, width, 3].
    """
    groups = _to_pixels(groups, pixels)
    painted = pixels.copy()
    for group in set(groups.ravel().tolist()):
        inside = groups == group
        painted[inside] = pixels[inside].mean(axis=0).round()
    return painted


def borders(groups: npt.NDArray[Any]) -> list[Segment]:
    """Returns the lines between adjacent patches of different groups; ``groups`` is [rows, columns] of any dtype."""
    rows, columns = groups.shape
    lines: list[Segment] = []
    for y in range(rows):
        lines += [((x, y), (x, y + 1)) for x in range(1, columns) if groups[y, x] != groups[y, x - 1]]
    for y in range(1, rows):
        lines += [((x, y), (x + 1, y)) for x in range(columns) if groups[y, x] != groups[y - 1, x]]
    return lines


def _to_pixels(values: npt.NDArray[Any], pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Repeats a value per patch, [rows, columns], for each of its pixels."""
    height, width = pixels.shape[0] // values.shape[0], pixels.shape[1] // values.shape[1]
    return values.repeat(height, axis=0).repeat(width, axis=1)


def _show(axes: Axes, view: ImageView, pixels: npt.NDArray[np.uint8], title: str, **looks: Any) -> None:
    """Shows pixels with one unit per patch along both axes."""
    rows, columns = view.grid
    height, width = view.pixels.shape[:2]
    axes.imshow(
        pixels,
        extent=(0, columns, rows, 0),
        aspect=(height / rows) / (width / columns),
        interpolation="nearest",
        **looks,
    )
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_axis_off()


def _draw_site(axes: Axes, view: ImageView, site: SiteView) -> None:
    title = f"after block {site.block}: {site.tokens} of {site.groups.size}"
    if site.merges:
        _show(axes, view, painted_groups(view.pixels, site.groups), title)
        _draw_lines(axes, borders(site.groups), "white", 1.6)
        _draw_lines(axes, borders(site.groups), "black", 0.7)
        return
    kept = site.groups >= 0
    _show(axes, view, darkened(view.pixels, kept), title)
    pruned = [(x, y) for y, row in enumerate(kept.tolist()) for x, stays in enumerate(row) if not stays]
    _draw_lines(axes, [((x, y + 1), (x + 1, y)) for x, y in pruned], "#8c8c8c", 0.5)
    _draw_lines(axes, borders(kept), "white", 0.9)


def _draw_lines(axes: Axes, lines: list[Segment], colour: str, width: float) -> None:
    from matplotlib.collections import LineCollection

    axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="round"), autolim=False)


def _draw_heat(axes: Axes, view: ImageView, shown: HeatView) -> None:
    grey = view.pixels.mean(axis=2, keepdims=True).repeat(3, axis=2).astype("uint8")
    _show(axes, view, grey, shown.title)
    rows, columns = shown.weights.shape
    share = shown.kind != "grad-cam"
    heat = axes.imshow(
        shown.weights * shown.weights.size if share else shown.weights,
        extent=(0, columns, rows, 0),
        aspect=axes.get_aspect(),
        interpolation="bilinear",
        cmap=_HEAT,
        alpha=_HEAT_OPACITY,
    )
    figure = axes.get_figure()
    assert figure is not None, "axes belong to a figure"
    bar = figure.colorbar(heat, cax=axes.inset_axes((0, -0.06, 1, 0.035)), orientation="horizontal")
    assert bar.solids is not None, "a bar for an image is solid"
    bar.solids.set_alpha(1)
    bar.set_label("times the mean patch" if share else "of the largest", fontsize=7, labelpad=1)
    bar.ax.tick_params(labelsize=7, length=2, pad=1)
    bar.outline.set_visible(False)


def _notes(view: ImageView) -> list[str]:
    """Explanations of the panels."""
    heats = [_HEATS[heat.kind] for heat in view.heats]
    if not view.sites:
        return heats
    if view.sites[0].merges:
        return [_MERGED, *heats]
    fused = any((site.groups >= 0).sum() < site.tokens for site in view.sites)
    return [_FUSED if fused else _PRUNED, *heats]


def _write(figure: Figure, path: Path) -> None:
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    write_atomically(path, stream.getvalue())
