"""The page in a headless Chromium: what it draws, says, filters, sorts and prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevit.report.evidence import Evidence
from edgevit.report.front import measured_points, predicted_points
from tests.browser import Browser, open_browser
from tests.factories import make_layer, make_sensitivity_report, make_wide_run
from tests.report.html.hostile import HOSTILE, hostile_run

pytest.importorskip("bokeh")
pytest.importorskip("jinja2")
pytestmark = pytest.mark.slow

RUN = make_wide_run()
PI = "raspberry-pi-5"
POINTS = """[...Bokeh.index].filter((view) => view.renderer_views).map((view) => {
  const mark = [...view.renderer_views.values()].find((each) => each.model.name === "points");
  const box = view.canvas_view.el.getBoundingClientRect();
  if (!mark) return {name: view.model.name, points: []};
  const numbers = mark.model.data_source.data.number, shown = [...mark.all_indices];
  return {name: view.model.name, points: shown.map((at, i) => ({
    number: numbers[at], id: mark.model.data_source.data.id[at],
    x: box.x + mark.glyph.sx[i], y: box.y + mark.glyph.sy[i]}))};
})"""
"""Name of each plot, with the points that it shows and where they are in the window."""
TEXTS = """(() => { const found = [];
  const walk = (root) => { for (const each of root.querySelectorAll("*")) {
    if (each.shadowRoot) walk(each.shadowRoot);
    if (each.children.length === 0 && each.tagName !== "STYLE" && each.textContent) found.push(each.textContent); } };
  for (const each of document.querySelectorAll(".drawn")) walk(each.shadowRoot ?? each);
  for (const each of document.querySelectorAll(".bk-Tooltip, body > *")) if (each.shadowRoot) walk(each.shadowRoot);
  return found; })()"""
"""All texts within the plots, in shadow trees too."""


FILLS = """(() => { const found = new Set();
  const walk = (root) => { for (const each of root.querySelectorAll("*")) {
    if (each.shadowRoot) walk(each.shadowRoot);
    if (each.tagName === "text" && each.textContent.trim()) found.add(each.getAttribute("fill")); } };
  for (const each of document.querySelectorAll(".drawn")) walk(each);
  return [...found]; })()"""
"""Colours of the texts that are drawn in plots."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgevit.report.html.page import render_page

    evidence = Evidence(sensitivities=(make_sensitivity_report(make_layer(1, 12.0), make_layer(0, 30.0)),))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(RUN, evidence), encoding="utf-8")
    return path


def points(browser: Browser) -> dict[str, list[dict[str, float]]]:
    return {plot["name"]: plot["points"] for plot in browser.run(POINTS)}


def test_it_draws_every_point_and_asks_for_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    drawn = points(browser)
    assert [each["number"] for each in drawn["front-host"]] == [each.number for each in measured_points(RUN)]
    assert len(drawn["front-host"]) == 50
    assert len(drawn["front-device-0"]) == len(predicted_points(RUN, PI)) == 50
    assert sum(len(drawn[f"front-runtime-{number}"]) for number in range(3)) == 50
    assert "sensitivity-0" in drawn
    assert browser.messages == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


def test_the_pointer_shows_the_candidate_that_it_is_at(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.getElementById('front-host').scrollIntoView()")
    drawn = points(browser)["front-host"]
    alone = next(p for p in drawn if all(q is p or abs(q["x"] - p["x"]) + abs(q["y"] - p["y"]) > 20 for q in drawn))
    browser.move_to(alone["x"] - 60, alone["y"] - 60)
    browser.move_to(alone["x"], alone["y"])
    browser.wait_for(f"{TEXTS}.includes({alone['id']!r})")
    others = [p["id"] for p in drawn if p is not alone]
    assert not set(others) & set(browser.run(TEXTS))


def test_a_click_on_a_point_selects_it_everywhere(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.getElementById('front-host').scrollIntoView()")
    drawn = points(browser)["front-host"]
    alone = next(p for p in drawn if all(q is p or abs(q["x"] - p["x"]) + abs(q["y"] - p["y"]) > 20 for q in drawn))
    browser.click(alone["x"], alone["y"])
    browser.wait_for(f"document.getElementById('selected').textContent.includes({alone['id']!r})")
    assert browser.run("[...document.querySelectorAll('.picked')].map((row) => Number(row.dataset.number))") == [
        alone["number"]
    ]


def test_filters_take_points_and_rows_away_and_bring_them_back(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('[data-filter=runtime] input').click()")
    gone = browser.run("document.querySelector('[data-filter=runtime] input').value")
    left = [each.number for each in measured_points(RUN) if each.candidate.backend != gone]
    browser.wait_for(f"{POINTS}[0].points.length === {len(left)}")
    assert [each["number"] for each in points(browser)["front-host"]] == left
    assert browser.run("[...document.querySelectorAll('#candidates tbody tr:not([hidden])')].length") == len(left)
    browser.run("document.querySelector('.filters [type=reset]').click()")
    browser.wait_for(f"{POINTS}[0].points.length === 50")


def test_the_table_is_sorted_by_keys(browser: Browser, page: Path) -> None:
    browser.open(page)
    values = (
        "[...document.querySelectorAll('#candidates tbody tr')].map((row) => row.cells[3].dataset.sort).map(Number)"
    )
    browser.run("document.querySelectorAll('.sortable th button')[3].focus()")
    browser.press("Enter")
    assert browser.run(values) == sorted(browser.run(values))
    browser.press("Enter")
    assert browser.run(values) == sorted(browser.run(values), reverse=True)
    sorts = browser.run("[...document.querySelectorAll('.sortable th')].map((th) => th.getAttribute('aria-sort'))")
    assert sorts[3] == "descending"
    assert {each for at, each in enumerate(sorts) if at != 3} == {None}


def test_the_tab_key_reaches_everything(browser: Browser, page: Path) -> None:
    """Links, filters, tools of plots, titles and numbers of the table, code, and what is folded away."""
    browser.open(page)
    deepest = "(() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; return at; })()"
    wanted = browser.run("document.querySelectorAll('a, button, input, summary, pre[tabindex], .scroll').length")
    browser.run("window.reached = new Set(); document.body.focus()")
    for _ in range(wanted + 200):
        browser.press("Tab")
        if not browser.run(
            f"(() => {{ const at = {deepest}; const is_new = !reached.has(at); reached.add(at); return is_new; }})()"
        ):
            break
    left = browser.run(
        "[...document.querySelectorAll('a, button, input, summary, pre[tabindex], .scroll')]"
        ".filter((each) => !reached.has(each) && each.checkVisibility()).map((each) => each.outerHTML.slice(0, 90))"
    )
    assert left == []
    tools = browser.run(
        "[...reached].filter((each) => each.getRootNode() !== document && each.role).map((each) => [each.getAttribute('role'), each.ariaLabel])"
    )
    assert {"Reset", "Box Zoom"} <= {label for _, label in tools}
    assert {role for role, _ in tools} == {"button", "group"}
    assert all(label for _, label in tools)


def test_a_number_of_the_table_is_pressed_by_keys(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('.pick').focus()")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.pick').ariaPressed === 'true'")
    browser.wait_for(
        f"document.getElementById('selected').textContent.startsWith('Number 1, {RUN.candidates and measured_points(RUN)[0].candidate.id}')"
    )
    browser.press("Enter")
    browser.wait_for("document.querySelector('.pick').ariaPressed === 'false'")


def test_all_of_it_is_printed_light_and_unfolded(browser: Browser, page: Path) -> None:
    browser.emulate("dark")
    browser.open(page)
    browser.run("document.querySelector('[data-filter=runtime] input').click()")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.emulate("dark", "print")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    assert browser.run("document.querySelectorAll('tbody tr[hidden]').length") == 0
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert set(browser.run(FILLS)) - {"none"} == {
        "#1b1f24",
        "rgb(27,31,36)",
        "#59636e",
    }  # ink and quiet on a light page
    browser.run("dispatchEvent(new Event('afterprint'))")
    browser.emulate("light")
    assert browser.run("document.querySelectorAll('details[open]').length") == 0
    assert browser.run("document.querySelectorAll('#candidates tbody tr[hidden]').length") > 0
    assert browser.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(browser: Browser, page: Path, scheme: str) -> None:
    """At least 4.5 to 1 against what is behind them, as WCAG 2.2 AA asks for."""
    browser.emulate(scheme)
    browser.open(page)
    worst = browser.run("""(() => {
      const parse = (text) => text.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
      const behind = (each) => { for (let at = each; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor); if (colour.length === 3 || colour[3] === 1) return colour; } return [255, 255, 255]; };
      let least = [99, ""];
      for (const each of document.querySelectorAll("body *")) {
        const has_text = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!has_text || each.closest("script, noscript, style") || !each.getClientRects().length) continue;
        const [a, b] = [light(parse(getComputedStyle(each).color)), light(behind(each))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least[0]) least = [ratio, each.outerHTML.slice(0, 120)];
      }
      return least; })()""")
    browser.emulate("light")
    assert worst[0] >= 4.5, worst


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, page: Path) -> None:
    browser.open(page, width=390, height=844)
    assert browser.run("document.documentElement.scrollWidth") <= 390


def test_everything_that_is_seen_has_a_name(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("[...document.images].every((image) => image.alt)")
    assert browser.run(
        "[...document.querySelectorAll('figure.plot')].every((each) => document.getElementById(each.getAttribute('aria-describedby')).textContent)"
    )
    assert browser.run(
        "[...document.querySelectorAll('button, a, summary, input')].every((each) => each.labels?.length || each.textContent.trim() || each.ariaLabel)"
    )
    assert browser.run("document.documentElement.lang") == "en"


def test_hostile_names_are_text_in_page_and_plots(browser: Browser, tmp_path: Path) -> None:
    from edgevit.report.html.page import render_page

    path = tmp_path / "report.html"
    path.write_text(render_page(hostile_run(), Evidence()), encoding="utf-8")
    browser.open(path)
    browser.run("document.getElementById('front-host').scrollIntoView()")
    (point, *_) = points(browser)["front-host"]
    browser.move_to(point["x"] - 50, point["y"] - 50)
    browser.move_to(point["x"], point["y"])
    browser.wait_for(f"{TEXTS}.some((text) => text.includes('onerror'))")
    browser.run("document.querySelector('.pick').click()")
    assert browser.run("window.owned") is None
    assert browser.run("document.images.length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 3
    assert browser.messages == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []
    assert browser.run(f"document.querySelector('h1').textContent.includes({HOSTILE[:20]!r})")
