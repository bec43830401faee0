"""Random images, for verifying a model that came without data."""

from __future__ import annotations

import re

import numpy as np

from edgevit.data.array_form import ArrayForm
from edgevit.data.image_files import FoundImages
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

NOISE = "noise"
_FORM = re.compile(r"noise:(\d+)(?::(\d+)x(\d+)x(\d+)(:float32)?)?", re.ASCII)
_SIDE = 256
_MOST = 100_000


def noise_source(count: int, contract: Preprocessing) -> str:
    """Returns the source of random images for a model.

    Args:
        count: How many.
        contract: Of the model.
    """
    if contract.input == "array":
        height, width = contract.input_size
        return f"{NOISE}:{count}:{height}x{width}x{contract.channels}:float32"
    rgb = contract.channels in (1, 3)
    return f"{NOISE}:{count}" if rgb else f"{NOISE}:{count}:{_SIDE}x{_SIDE}x{contract.channels}"


def open_noise(source: str) -> FoundImages:
    """Opens random images, the same ones for one source.

    Args:
        source: "noise:N" for images of 8 bits, 256 x 256 RGB; "noise:N:HxWxC" for those of another size and number of channels;
            "noise:N:HxWxC:float32" for floats, normally distributed.

    Raises:
        UsageError: it is none of these.
    """
    found = _FORM.fullmatch(source)
    if found is None or not 0 < int(found[1]) <= _MOST or "0" in found.groups()[1:4]:
        raise UsageError(f"{source}: {source.partition(':')[2]!r} is not a number of images", "such as noise:16")
    shape = (_SIDE, _SIDE, 3) if found[2] is None else (int(found[2]), int(found[3]), int(found[4]))
    is_float = found[5] is not None

    def values(image_id: str) -> np.ndarray:
        generator = np.random.default_rng(int(image_id))
        if is_float:
            return generator.standard_normal(shape, np.float32)
        return generator.integers(0, 256, shape, dtype=np.uint8)

    described = f"{'float32' if is_float else 'uint8'} {[int(found[1]), *shape]}"
    form = ArrayForm(described, is_float, shape[2], shape[:2])
    return FoundImages(source, tuple(map(str, range(int(found[1])))), None, values, form=form)
