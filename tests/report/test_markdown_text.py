"""Tables and code in Markdown, whatever text they hold."""

from __future__ import annotations

import pytest

from edgevit.report.markdown_text import code, escape, section, table


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(("name", "ms"), [("a", "1.0"), ("b", "2.0")], (1,)).splitlines() == [
        "| name | ms |",
        "|---|--:|",
        "| a | 1.0 |",
        "| b | 2.0 |",
    ]


def test_a_section_without_rows_is_left_out() -> None:
    assert section("Runs", ("name",), [], ()) == ""
    assert section("Runs", ("name",), [("a",)], ()) == "## Runs\n\n| name |\n|---|\n| a |"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a | b", "a \\| b"),
        ("a \\| b", "a \\\\\\| b"),
        ("<script>", "&lt;script&gt;"),
        ("&lt;", "&amp;lt;"),
        ("![x](http://example.org/y.png)", "!\\[x\\](http\\://example.org/y.png)"),
        ("www.example.org", "www\\.example.org"),
        ("*a* _b_ __c__ ~d~ `e` $f$", "\\*a\\* \\_b\\_ \\_\\_c\\_\\_ \\~d\\~ \\`e\\` \\$f\\$"),
        ("digits_vit: top-1, 5.0 %", "digits_vit: top-1, 5.0 %"),
        ("\x1b[31mred\u202e", "\\\\x1b\\[31mred\\\\u202e"),
        ("two\nlines\t and  spaces", "two lines and spaces"),
        ("", ""),
    ],
)
def test_untrusted_text_cannot_leave_its_cell(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert table(("name",), [(text,)], ()).splitlines()[2:] == [f"| {escaped} |"]


def test_code_cannot_end_early() -> None:
    assert code("a`b\nc") == "`a'b c`"
