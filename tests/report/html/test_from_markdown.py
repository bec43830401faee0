"""Markdown of the report as HTML."""

from __future__ import annotations

import pytest

from edgevit.report.markdown_text import escape, table
from tests.report.html.hostile import HOSTILE

pytest.importorskip("jinja2")
from edgevit.report.html.from_markdown import to_html, to_sections


def test_a_section_has_its_title_apart() -> None:
    (section,) = to_sections(("## Stages\n\n- a `b`",))
    assert section.title == "Stages"
    assert str(section.body) == "<ul>\n<li>a <code>b</code></li>\n</ul>\n"


def test_tables_can_be_scrolled_by_keys() -> None:
    body = to_html(table(("a", "b"), (("1 | 2", "3"),), (1,)))
    assert body.startswith('<div class="scroll" tabindex="0" role="region"')
    assert "<td>1 | 2</td>" in body


def test_nothing_from_outside_becomes_markup() -> None:
    for text in (HOSTILE, escape(HOSTILE), table(("x",), ((HOSTILE,),), ())):
        body = to_html(text)
        for markup in ("<script", "<img", "<a "):
            assert markup not in body
