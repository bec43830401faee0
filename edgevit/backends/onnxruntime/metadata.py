"""Text in the metadata of an ONNX file. Reading needs no package, so that a board can do it."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends.onnxruntime.wire import parts

_METADATA_FIELD = 14
"""``metadata_props`` of ``ModelProto``, in the order of its declaration."""
_KEY_FIELD, _VALUE_FIELD = 1, 2
"""Of ``StringStringEntryProto``."""


def read_metadata(path: Path, key: str) -> str | None:
    """Returns the text under a key; None where there is none, or the file cannot be parsed.

    Args:
        path: Of the file, whose weights are stepped over.
        key: Of ``metadata_props``.
    """
    content = memoryview(path.read_bytes())
    try:
        entries = [dict(parts(entry)) for number, entry in parts(content) if number == _METADATA_FIELD]
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
