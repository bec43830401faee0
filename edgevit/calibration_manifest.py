"""Writes calibration manifests: which images calibrated a model, without the images."""

from __future__ import annotations

import json

from edgevit.images import ImageSet, set_sha256


def manifest(images: ImageSet, about: str) -> str:
    """Returns the TOML document that :func:`edgevit.images.open_images` reads back.

    Args:
        images: The calibration set.
        about: One line for people.
    """
    ids = "".join(f"    {json.dumps(image_id)},\n" for image_id in images.ids)
    return (
        f"about = {json.dumps(about)}\n"
        f"source = {json.dumps(images.source)}\n"
        f'# sha256 of the sorted sha256 digests of the images, one a line\nsha256 = "{set_sha256(images)}"\n'
        f"ids = [\n{ids}]\n"
    )
