"""Text in the metadata of a TFLite file: a named buffer of its flatbuffer. Needs no package, so that a board can read it.

A text is written without packing the file anew: a new root table, with longer vectors of buffers and of metadata, is put before
all that is there. Offsets in a flatbuffer are relative and point forward, so what is there stays as it is, with its alignment; only
the places of buffers that lie behind the flatbuffer are counted from the beginning of the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_IDENTIFIER = b"TFL3"
_HEAD = 8
"""Bytes before the tables: the offset of the root, and the identifier."""
_ALIGNMENT = 64
"""At least that of any buffer, so that what is moved by a multiple of it stays aligned."""
_BUFFERS, _METADATA, _MODEL_FIELDS = 4, 6, 10
"""Fields of ``Model``: ``buffers``, ``metadata``, and how many there are; ``version``, the first, is its only number."""
_NAME, _BUFFER = 0, 1
"""Fields of ``Metadata``: its name, and the index of the buffer that holds its value."""
_DATA, _FAR_OFFSET = 0, 1
"""Fields of ``Buffer``: its bytes, or where in the file they are, counted from its beginning."""
_OUTSIDE = 1
"""Values of the latter that are greater mean bytes outside the flatbuffer."""


def read_metadata(path: Path, key: str) -> str | None:
    """Returns the text under a key; None where there is none, or the file cannot be parsed.

    Args:
        path: Of the file.
        key: Name of the metadata.
    """
    content = path.read_bytes()
    if content[4:_HEAD] != _IDENTIFIER:
        return None
    model = _Model(content)
    try:
        found = [entry for entry in model.metadata() if model.name(entry) == key.encode()]
        if not found:
            return None
        start, length = model.data(model.buffers()[model.buffer_index(found[-1])])
        return content[start : start + length].decode() if start + length <= len(content) else None
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def write_metadata(path: Path, key: str, text: str) -> None:
    """Puts a text into the metadata of a file, in place of what is there under the key; all else stays as it is.

    Raises:
        ValueError: the file is no TFLite file.
    """
    content = bytearray(path.read_bytes())
    if content[4:_HEAD] != _IDENTIFIER:
        raise ValueError(f"{path} is no TFLite file")
    model = _Model(content)
    buffers = model.buffers()
    kept = []
    for entry in model.metadata():
        if model.name(entry) != key.encode():
            kept.append(entry)
            continue
        start, length = model.data(buffers[model.buffer_index(entry)])
        content[start : start + length] = bytes(length)
    front = _front(model, kept, key.encode(), text.encode())
    for place in filter(None, map(model.far_offset, buffers)):
        (offset,) = struct.unpack_from("<Q", content, place)
        if offset > _OUTSIDE:
            struct.pack_into("<Q", content, place, offset + len(front) - _HEAD)
    path.write_bytes(front + content[_HEAD:])


@dataclass(frozen=True)
class _Model:
    """The root table of a file; its methods raise struct.error or IndexError where the file is damaged."""

    content: bytes | bytearray

    def fields(self) -> list[int | None]:
        """What each field of the root holds: a number, or the place that it points to; None where it is left out."""
        root = self._target(0)
        places = [self._field(root, index) for index in range(_MODEL_FIELDS)]
        return [
            None if place is None else self._number("<I", place) if index == 0 else self._target(place)
            for index, place in enumerate(places)
        ]

    def buffers(self) -> list[int]:
        """The place of each ``Buffer``."""
        return self._vector(_BUFFERS)

    def metadata(self) -> list[int]:
        """The place of each ``Metadata``."""
        return self._vector(_METADATA)

    def name(self, metadata: int) -> bytes:
        """The name of a ``Metadata``."""
        start, length = self._bytes(self._field(metadata, _NAME))
        return bytes(self.content[start : start + length])

    def buffer_index(self, metadata: int) -> int:
        """Which buffer holds the value of a ``Metadata``."""
        place = self._field(metadata, _BUFFER)
        return 0 if place is None else self._number("<I", place)

    def data(self, buffer: int) -> tuple[int, int]:
        """Start and length of the bytes of a ``Buffer``."""
        return self._bytes(self._field(buffer, _DATA))

    def far_offset(self, buffer: int) -> int | None:
        """The place of the number that says where in the file the bytes of a ``Buffer`` are; None without one."""
        return self._field(buffer, _FAR_OFFSET)

    def _vector(self, field: int) -> list[int]:
        start = self.fields()[field]
        if start is None:
            return []
        return [self._target(start + 4 + 4 * index) for index in range(self._number("<I", start))]

    def _bytes(self, place: int | None) -> tuple[int, int]:
        if place is None:
            return 0, 0
        start = self._target(place)
        return start + 4, self._number("<I", start)

    def _field(self, table: int, index: int) -> int | None:
        """The place of a field of a table; None where it is left out."""
        layout = table - self._number("<i", table)
        slot = 4 + 2 * index
        offset = self._number("<H", layout + slot) if slot < self._number("<H", layout) else 0
        return table + offset if offset else None

    def _target(self, place: int) -> int:
        return place + self._number("<I", place)

    def _number(self, form: str, place: int) -> int:
        if place < 0:
            raise IndexError(place)
        return int(struct.unpack_from(form, self.content, place)[0])


def _front(model: _Model, kept: list[int], key: bytes, text: bytes) -> bytes:
    """Returns what stands before the tables that were there, in place of the first ``_HEAD`` bytes: a new root, and the text.

    Args:
        model: As it was.
        kept: The places of the ``Metadata`` that stay.
        key: Name of the new one.
        text: Its value.
    """
    buffers, fields = model.buffers(), model.fields()
    front = _Writer()
    root = front.pointer()
    front.content += _IDENTIFIER
    used = {_BUFFERS, _METADATA} | {index for index, value in enumerate(fields) if value is not None}
    layout = front.layout([4 + 4 * index if index in used else 0 for index in range(_MODEL_FIELDS)])
    front.begin_table(root, layout)
    front.number(fields[0] or 0)
    places = {index: front.pointer(fields[index]) for index in range(1, _MODEL_FIELDS)}
    new_buffer = front.vector(places[_BUFFERS], buffers)
    new_metadata = front.vector(places[_METADATA], kept)
    front.begin_table(new_buffer, front.layout([4]))
    data = front.pointer()
    front.begin_table(new_metadata, front.layout([4, 8]))
    name = front.pointer()
    front.number(len(buffers))
    front.text(name, key)
    front.align(_ALIGNMENT, before=4)
    front.text(data, text)
    return front.before_what_was_there()


class _Writer:
    """Appends parts of a flatbuffer, each at a multiple of 4 bytes."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._old_targets: dict[int, int] = {}
        """Where the pointers at these places point to in the file as it was."""

    def number(self, value: int) -> None:
        """Appends an unsigned number of 4 bytes."""
        self.content += struct.pack("<I", value)

    def pointer(self, old_target: int | None = None) -> int:
        """Appends an offset to a place in the file as it was, or to one that is not known yet; returns its own place."""
        self.number(0)
        place = len(self.content) - 4
        if old_target is not None:
            self._old_targets[place] = old_target
        return place

    def layout(self, offsets: list[int]) -> int:
        """Appends where in a table of 4-byte fields each is, 0 for one that is left out; returns its own place."""
        place, size = len(self.content), 4 + 4 * len(offsets)
        self.content += struct.pack(f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), size, *offsets)
        self.align(4)
        return place

    def begin_table(self, pointer: int, layout: int) -> None:
        """Begins a table, whose fields are appended next."""
        self._point(pointer)
        self.content += struct.pack("<i", len(self.content) - layout)

    def vector(self, pointer: int, old_targets: list[int]) -> int:
        """Appends pointers to places in the file as it was, and a last one; returns the place of that."""
        self._point(pointer)
        self.number(len(old_targets) + 1)
        for target in old_targets:
            self.pointer(target)
        return self.pointer()

    def text(self, pointer: int, content: bytes) -> None:
        """Appends bytes with their number before and a zero after them."""
        self._point(pointer)
        self.number(len(content))
        self.content += content + b"\0"
        self.align(4)

    def align(self, step: int, before: int = 0) -> None:
        """Fills up so that what follows, ``before`` bytes later, is at a multiple of ``step``."""
        self.content += bytes(-(len(self.content) + before) % step)

    def before_what_was_there(self) -> bytes:
        """Returns all of it, with the pointers to what follows it: the file as it was without its first bytes."""
        self.align(_ALIGNMENT, before=-_HEAD)
        shift = len(self.content) - _HEAD
        for place, target in self._old_targets.items():
            struct.pack_into("<I", self.content, place, target + shift - place)
        return bytes(self.content)

    def _point(self, pointer: int) -> None:
        """Lets a pointer point to what is appended next."""
        self._old_targets.pop(pointer, None)
        struct.pack_into("<I", self.content, pointer, len(self.content) - pointer)
