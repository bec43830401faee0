"""Texts with dollar signs are drawn as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edgevit.report.plots.front import draw_front
from edgevit.report.plots.plain_text import draws_plain_text
from tests.factories import make_candidate, make_run


@pytest.mark.parametrize("name", ["$", "$x$", r"$\nonsense$", "a $ b $ c", r"\$", "$^$"])
def test_a_name_with_dollar_signs_is_drawn(name: str, tmp_path: Path) -> None:
    candidates = [replace(make_candidate(p50_ms=p50), id=f"litert/{name}{p50}") for p50 in (10.0, 12.0)]
    draw_front(make_run(*candidates), tmp_path / "picture.png")
    assert Image.open(tmp_path / "picture.png").size[0] > 100


def test_a_formula_stays_text_and_is_one_again_afterwards() -> None:
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    seen = []
    draws_plain_text(lambda: seen.append(Figure().suptitle("$x$").get_parse_math()))()
    assert seen == [False]
    assert rcParams["text.parse_math"] is True
