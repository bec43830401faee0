"""Text in the ``rt_info`` of an OpenVINO IR, in its XML. Needs no package, so that a board can read it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


def read_metadata(path: Path, key: str) -> str | None:
    """Returns the text under a key; None where there is none, or the file cannot be parsed.

    Args:
        path: Of the ``.xml`` file.
        key: Of the model's ``rt_info``.
    """
    try:
        found = ElementTree.parse(path).getroot().find(f"rt_info/{key}")
    except (ElementTree.ParseError, ValueError):
        return None
    return None if found is None else found.get("value")


def write_metadata(path: Path, key: str, text: str) -> None:
    """Puts a text into the ``rt_info`` of a model, in place of what is there under the key; nothing else changes."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    place = root.find("rt_info")
    if place is None:
        place = ElementTree.SubElement(root, "rt_info")
    for old in place.findall(key):
        place.remove(old)
    ElementTree.SubElement(place, key, {"value": text})
    tree.write(path, encoding="utf-8", xml_declaration=True)
