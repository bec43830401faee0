"""Messages of protocol buffers, field by field."""

from __future__ import annotations

import pytest

from edgevit.backends.onnxruntime.wire import fields, parts


def test_texts_and_integers_come_and_other_numbers_are_stepped_over() -> None:
    message = b"\x08\x96\x01" + b"\x15\x00\x00\x80\x3f" + b"\x12\x02ab" + b"\x19" + bytes(8) + b"\x22\x00"
    found = [
        (number, bytes(value) if isinstance(value, memoryview) else value)
        for number, value in fields(memoryview(message))
    ]
    assert found == [(1, 150), (2, b"ab"), (4, b"")]
    assert [number for number, _ in parts(memoryview(message))] == [2, 4]


@pytest.mark.parametrize("message", [b"\x12\x05ab", b"\x08", b"\x0b", b"\x00", b"\x08" + b"\xff" * 11])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises((IndexError, ValueError)):
        list(fields(memoryview(message)))
