"""Messages of a board among what its shell prints."""

from __future__ import annotations

import pytest

from edgevit.measure.boards.messages import heard, say


def test_a_message_is_heard_after_anything_that_was_printed_before(capfd: pytest.CaptureFixture[str]) -> None:
    print("Welcome", end="", flush=True)
    say({"held": True, "note": "line\nbreak ü"})
    line = capfd.readouterr().out
    assert heard(line) == {"held": True, "note": "line\nbreak ü"}


@pytest.mark.parametrize(
    "line", ["", "Welcome\n", "\x1eedgevit is here\n", "\x1eedgevit 5\n", "\x1eedgevit", '\x1eedgevit {"held": tr']
)
def test_anything_else_is_none(line: str) -> None:
    assert heard(line) is None
