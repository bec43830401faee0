"""Reading and checking what is known of a project."""

from __future__ import annotations

import math
import re

from edgevit.errors import UsageError
from edgevit.results.recommendation import Situation

_SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_MS = {"": 1.0, "ms": 1.0, "s": 1e3, "us": 1e-3}
_BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_NUMBER = re.compile(r"\s*([0-9][0-9,_]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-zA-Z]*)\s*")
_MOST_IMAGES = 10**12
_LARGEST_SIDE = 65_536
_NAMED_SIZES = {"4k": (2160, 3840), "8k": (4320, 7680), "1080p": (1080, 1920), "720p": (720, 1280)}


def parse_images(text: str | None) -> int | None:
    """Returns a number of images such as "5000", "50k" or "1.2M".

    Raises:
        UsageError: it is none, or not positive.
    """
    if text is None:
        return None
    value = _quantity(text, _SUFFIXES)
    if value is None or not 1 <= value <= _MOST_IMAGES or value != round(value):
        raise UsageError(f"--images {text!r} is no number of images", "such as 5000, 50k or 1.2M")
    return round(value)


def parse_latency(text: str | None) -> float | None:
    """Returns a latency in ms, such as "10ms", "0.5 s" or "33".

    Raises:
        UsageError: it is none, or not positive.
    """
    if text is None:
        return None
    value = _quantity(text, _MS)
    if value is None or not 0 < value < math.inf:
        raise UsageError(f"--max-latency {text!r} is no latency", "such as 10ms or 0.5s")
    return value


def parse_memory(text: str | None) -> float | None:
    """Returns an amount of memory in bytes, such as "8MB".

    Raises:
        UsageError: it is none, has no unit, or is not positive.
    """
    if text is None:
        return None
    value = _quantity(text, _BYTES)
    if value is None or not 0 < value < math.inf:
        raise UsageError(f"--memory {text!r} is no amount of memory", "a number and its unit, such as 8MB or 512MiB")
    return value


def parse_resolution(text: str | None) -> tuple[int, int] | None:
    """Returns height and width of "4k", "1080p", "640" or "2160x3840".

    Raises:
        UsageError: it is none of these, or a side has no pixels or too many.
    """
    if text is None:
        return None
    named = _NAMED_SIZES.get(text.strip().lower())
    if named:
        return named
    found = re.fullmatch(r"([0-9]{1,6})(?:x([0-9]{1,6}))?", text.strip().lower())
    size = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (0, 0)
    if not all(0 < side <= _LARGEST_SIDE for side in size):
        raise UsageError(
            f"--resolution {text!r} is no size in pixels",
            f"height x width such as 2160x3840, one side such as 640, or {', '.join(_NAMED_SIZES)}",
        )
    return size


def check_situation(situation: Situation) -> None:
    """Refuses what says nothing without something else.

    Raises:
        UsageError: a latency without a device, or fine detail without a resolution.
    """
    if situation.max_latency_ms is not None and situation.device is None:
        raise UsageError(
            "--max-latency is on a device, and none is named", "give --device NAME: `edgevit devices` lists them"
        )
    if situation.fine_detail and situation.resolution is None:
        raise UsageError("--fine-detail is about the size of the images", "give --resolution, such as 2160x3840 or 4k")


def _quantity(text: str, units: dict[str, float]) -> float | None:
    """The number in ``text`` times its unit; None where it is no number with one of the units."""
    found = _NUMBER.fullmatch(text)
    factor = units.get(found.group(2).lower()) if found else None
    if found is None or factor is None:
        return None
    return float(found.group(1).replace(",", "").replace("_", "")) * factor
