"""The fields of a message in the wire format of protocol buffers, which ONNX files are in, read without a package."""

from __future__ import annotations

from collections.abc import Iterator

_FIXED = {1: 8, 5: 4}
"""Bytes of a value, by wire type."""


def fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yields number and content of each field that has a length, or is an integer; others are stepped over.

    Args:
        message: Its bytes.

    Raises:
        IndexError: the message is cut off.
        ValueError: it is none.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire_type = tag >> 3, tag & 7
        if not number:
            raise ValueError("no field has the number 0")
        if wire_type == 0:
            value, place = _varint(message, place)
            yield number, value
        elif wire_type == 2:
            length, place = _varint(message, place)
            if length > len(message) - place:
                raise IndexError("a field reaches beyond its message")
            yield number, message[place : place + length]
            place += length
        elif wire_type in _FIXED:
            place += _FIXED[wire_type]
        else:
            raise ValueError(f"no wire type {wire_type}")


def parts(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields number and content of each field that has a length, as :func:`fields` does.

    Args:
        message: Its bytes.

    Raises:
        IndexError: the message is cut off.
        ValueError: it is none.
    """
    for number, content in fields(message):
        if isinstance(content, memoryview):
            yield number, content


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Returns an integer and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise ValueError("an integer of more than 64 bits")
