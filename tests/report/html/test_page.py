"""The page: one file with everything, in which every name from outside is text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgevit.report import write_report
from edgevit.report.evidence import Evidence, Picture
from edgevit.results.run import Run
from tests.factories import make_candidate, make_realistic_run, make_run, make_timed_run, make_wide_run
from tests.report.html.hostile import HOSTILE, hostile_run
from tests.results.test_shift import record

pytest.importorskip("bokeh")
pytest.importorskip("jinja2")
from edgevit.report.html.page import render_page

PI = "raspberry-pi-5"


class Elements(HTMLParser):
    """Collects elements with their attributes, and what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def visible(page: str) -> str:
    """The page without its scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(make_timed_run(PI), Evidence())


def test_it_is_one_small_file_that_needs_nothing_else(page: str) -> None:
    assert len(render_page(make_wide_run(), Evidence()).encode()) < 3_000_000
    elements = Elements(page)
    assert elements.open == []
    for tag, attributes in elements.found:
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    policy = next(a["content"] for t, a in elements.found if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(a.get("href") or "")[1:] for t, a in elements.found if t == "a"} <= set(ids)


@pytest.mark.parametrize(
    "run",
    [
        make_run(),
        make_realistic_run(labels=False),
        make_timed_run(),
        make_run(make_candidate(p50_ms=None)),
        make_run(selected=None),
        make_run(spec={}),
    ],
    ids=["one", "no labels", "timed", "not measured", "nothing chosen", "bare"],
)
def test_every_run_has_a_page(run: Run) -> None:
    assert Elements(render_page(run, Evidence())).open == []


def test_the_first_section_is_what_one_decides_from(page: str) -> None:
    first = visible(page).partition('<section id="front"')[0]
    for words in (
        "litert/dynamic_wi8_afp32", "Why not the runner-up", "Taking it instead", "How sure", "Does it run on the devices",
        "edgevit.load(", "edgevit compress vit_tiny_patch16_224 --out again", "predicted, not measured",
    ):  # fmt: skip
        assert words in first, words


def test_every_candidate_has_a_row_with_what_it_is_sorted_by(page: str) -> None:
    rows = re.findall(r'<tr data-number="(\d+)" data-runtime="(\w+)"', page)
    assert [number for number, _ in rows] == ["1", "2", "3", "4"]
    assert 'data-sort="12.6"' in page
    assert "accuracy drop" not in page
    assert "slower than litert/fp32: 43.5 ms" in visible(page)


def test_sections_are_folded_away(page: str) -> None:
    titles = re.findall(r"<details><summary>(.*?)</summary>", page)
    assert {"Stages", "Versions", "Spec", "Verification", "Predicted, not measured"} <= set(titles)
    assert "ab" * 32 in page
    assert "ef" * 32 in page


def test_pictures_are_within_the_page() -> None:
    found = render_page(make_run(), Evidence(pictures=(Picture("digits-0010", b"\x89PNG"),), left_out=2))
    assert '<img src="data:image/png;base64,iVBORw==" alt="digits-0010 as the model sees it' in found
    assert "2 more pictures were left out" in found


def test_the_same_run_gives_the_same_page(page: str) -> None:
    assert render_page(make_timed_run(PI), Evidence()) == page


def test_names_from_outside_are_text() -> None:
    page = render_page(hostile_run(), Evidence(pictures=(Picture("<b onclick=x>", b"\x89PNG"),)))
    elements = Elements(page)
    assert elements.open == []
    assert [attributes.get("src", "")[:5] for tag, attributes in elements.found if tag == "img"] == ["data:"]  # type: ignore[index]
    assert sum(tag == "script" for tag, _ in elements.found) == 3
    assert not [a for _, a in elements.found if any(name.startswith("on") for name in a)]
    assert "49" not in re.findall(r"\{\{ .*? \}\}", page)
    for character in ("\x1b", "\u202e"):
        assert character not in page
    assert "&lt;/script&gt;" in page


def test_it_is_written_beside_the_markdown_and_only_when_asked_for(tmp_path: Path) -> None:
    write_report(make_run(), tmp_path, Evidence())
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    write_report(make_run(), tmp_path / "other")
    assert not (tmp_path / "other" / "report.html").exists()


def test_the_loss_under_shift_is_shown_where_it_was_scored(page: str) -> None:
    assert "Loss under shift" not in page
    run = make_timed_run(PI)
    scored = replace(run.candidates[-1], shift=replace(record(noise=(1, 2, 3)), source=HOSTILE, reference=HOSTILE))
    shown = render_page(replace(run, candidates=(*run.candidates[:-1], scored)), Evidence())
    assert Elements(shown).open == []
    section = shown.partition('<section id="shift"')[2].partition("</section>")[0]
    assert "largest drop under shift: 2.0 pt (noise)" in section and f": {scored.id}</h3>" in section
    assert "<script>alert" not in section
