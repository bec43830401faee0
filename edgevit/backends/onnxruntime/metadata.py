"""Text in the metadata of an ONNX file. Reading needs no package, so that a board can do it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_METADATA_FIELD = 14
"""``metadata_props`` of ``ModelProto``, in the order of its declaration."""
_KEY_FIELD, _VALUE_FIELD = 1, 2
"""Of ``StringStringEntryProto``."""
_FIXED = {1: 8, 5: 4}
"""Bytes of a value, by wire type."""


def read_metadata(path: Path, key: str) -> str | None:
    """Returns the text under a key; None where there is none, or the file cannot be parsed.

    Args:
        path: Of the file, whose weights are stepped over.
        key: Of ``metadata_props``.
    """
    content = memoryview(path.read_bytes())
    try:
        entries = [dict(_fields(entry)) for number, entry in _fields(content) if number == _METADATA_FIELD]
        found = [entry[_VALUE_FIELD] for entry in entries if bytes(entry[_KEY_FIELD]) == key.encode()]
        return bytes(found[-1]).decode() if found else None
    except (IndexError, KeyError, ValueError):
        return None


def write_metadata(path: Path, key: str, text: str) -> None:
    """Puts a text into the metadata of a file, in place of what is there under the key; weights stay where they are."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    kept = [entry for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=key, value=text)
    path.write_bytes(model.SerializeToString())


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields number and content of each field of a message that has a length; others are stepped over.

    Raises:
        IndexError: the message is cut off.
        ValueError: it is none.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, place = _varint(message, place)
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
