"""The pictures show what the sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("torch")

import numpy as np
from PIL import Image

from edgevit.report.plots.explain import borders, darkened, draw_distances, draw_image, painted_groups
from edgevit.results.explanation import AttentionDistance, HeatView, ImageView, SiteView

GROUPS = np.array([[0, 0, 1], [2, 1, 1]])


def pixels(rows: int = 2, columns: int = 3, height: int = 4, width: int = 5) -> np.ndarray:
    """Whole patches of noise."""
    return np.random.default_rng(0).integers(0, 256, (rows * height, columns * width, 3), dtype=np.uint8)


def patch(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    return picture[4 * row : 4 * row + 4, 5 * column : 5 * column + 5]


def view(*sites: SiteView, title: str = "cat.jpg in a_vit, evit:0.5") -> ImageView:
    rollout = np.array([[0.1, 0.2, 0.3], [0.1, 0.1, 0.2]], dtype=np.float32)
    return ImageView(title, pixels(), sites, (HeatView("attention rollout", "rollout", rollout),))


def pruned(block: int, groups: np.ndarray = GROUPS, tokens: int | None = None) -> SiteView:
    groups = np.where(groups == 1, -1, groups)
    return SiteView(block, tokens or int((groups >= 0).sum()), False, groups)


def test_what_left_is_dark_and_grey_and_the_rest_is_as_it_was() -> None:
    kept = np.array([[True, False, False], [False, True, False]])
    before = pixels()
    original = before.copy()
    after = darkened(before, kept)
    assert np.array_equal(before, original)
    for row in range(2):
        for column in range(3):
            painted, was = patch(after, row, column), patch(before, row, column)
            if kept[row, column]:
                assert np.array_equal(painted, was)
            else:
                assert (painted.max(axis=2) == painted.min(axis=2)).all()
                assert painted.mean() < 0.3 * was.mean()


def test_all_or_none_may_be_kept() -> None:
    assert np.array_equal(darkened(pixels(), np.ones((2, 3), dtype=bool)), pixels())
    assert darkened(pixels(), np.zeros((2, 3), dtype=bool)).max() <= 64


def test_a_group_has_its_mean_colour() -> None:
    before = pixels()
    after = painted_groups(before, GROUPS)
    for group in range(3):
        members = [(row, column) for row in range(2) for column in range(3) if GROUPS[row, column] == group]
        colours = np.concatenate([patch(after, *member).reshape(-1, 3) for member in members])
        expected = np.concatenate([patch(before, *member).reshape(-1, 3) for member in members]).mean(axis=0)
        assert (colours == colours[0]).all()
        assert np.abs(colours[0] - expected).max() <= 0.5


def test_borders_part_groups() -> None:
    assert set(borders(GROUPS)) == {
        ((2, 0), (2, 1)),  # 0 | 1
        ((1, 1), (1, 2)),  # 2 | 1
        ((0, 1), (1, 1)),  # 0 over 2
        ((1, 1), (2, 1)),  # 0 over 1
    }
    assert borders(np.zeros((3, 3))) == []


@pytest.mark.parametrize(
    ("sites", "panels"),
    [
        ((), (1, 2)),
        ((pruned(4),), (1, 3)),
        ((pruned(4), pruned(7, tokens=4)), (1, 4)),
        (tuple(SiteView(block, 3, True, GROUPS) for block in range(1, 13)), (2, 7)),
    ],
    ids=["dense", "pruned", "fused", "merged at every block"],
)
def test_it_draws(sites: tuple[SiteView, ...], panels: tuple[int, int], tmp_path: Path) -> None:
    draw_image(view(*sites, title="a rather long name of a file " * 5), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
    assert width == pytest.approx(panels[1] * 345, abs=1)
    assert height > panels[0] * 200
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_picture_shows_where_the_source_says(tmp_path: Path) -> None:
    draw_image(view(pruned(4)), tmp_path / "a.png")
    draw_image(view(pruned(4)), tmp_path / "b.png")
    draw_image(view(pruned(4, GROUPS[::-1])), tmp_path / "c.png")
    one, same, other = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert one == same
    assert one != other


@pytest.mark.parametrize("heads", [((3.0,),), ((0.0, 0.0), (0.0, 0.0)), tuple((1.0 * b, 9.0) for b in range(24))])
def test_distances_are_drawn(heads: tuple[tuple[float, ...], ...], tmp_path: Path) -> None:
    draw_distances(AttentionDistance("", heads, 5.0), "a_vit, mean over 2 images", tmp_path / "d.png")
    with Image.open(tmp_path / "d.png") as image:
        assert image.size == (1125, 690)


@pytest.mark.filterwarnings("error")
def test_names_from_outside_are_drawn_as_text(tmp_path: Path) -> None:
    draw_image(view(title="a\x1b[31m $\\x$.png in a_vit\ndense: <b>\u202e 99 %"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 0
