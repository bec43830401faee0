"""Sections of Markdown as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markupsafe import Markup


@dataclass(frozen=True)
class HtmlSection:
    """A section with its title apart."""

    title: str
    """As Markdown has it, without markup of its own."""
    body: Markup


def to_sections(sections: tuple[str, ...]) -> tuple[HtmlSection, ...]:
    """Returns sections of Markdown as HTML; names in them were escaped when the Markdown was made.

    Args:
        sections: Each a heading of the second level, an empty line, and what is below it.
    """
    parts = (section.partition("\n\n") for section in sections)
    return tuple(HtmlSection(heading.removeprefix("## "), to_html(body)) for heading, _, body in parts)


def to_html(text: str) -> Markup:
    """Returns Markdown as HTML: raw HTML in it is text, and a wide table can be scrolled, also with keys."""
    from markupsafe import Markup

    return Markup(_parser().render(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _table_open(*_: Any) -> str:
    return '<div class="scroll" tabindex="0" role="region" aria-label="table"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"
