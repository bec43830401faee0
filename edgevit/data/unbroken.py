"""Makes something of each image; once one is broken, the rest is only looked through for others, so that all are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from edgevit.data.images import ImageSet
from edgevit.data.in_order import map_in_order
from edgevit.data.sampling import refuse_broken
from edgevit.errors import UsageError
from edgevit.run.child_process import report_progress


def each_unbroken(images: ImageSet, make: Callable[[str], np.ndarray]) -> Iterator[np.ndarray]:
    """Yields what is made of each image, in order, a few computed ahead; reports progress.

    Args:
        images: Of one source.
        make: Given the id of an image, called from several threads at a time; raises ``UsageError`` for a broken one.

    Yields:
        Arrays of the shape that ``make`` gives, such as [h, w, channels].

    Raises:
        UsageError: images are broken; all are named.
    """

    def made(image_id: str) -> np.ndarray | UsageError:
        try:
            return make(image_id)
        except UsageError as error:
            return error

    broken: list[str] = []
    for done, found in enumerate(map_in_order(made, images.ids)):
        report_progress(done, len(images))
        if isinstance(found, UsageError):
            broken.append(found.message.removeprefix(f"{images.source}: "))
        elif not broken:
            yield found
    refuse_broken(images.source, broken)
