"""What the axes of a tensor mean, read off its shape."""

from __future__ import annotations


def guess_layout(shape: tuple[int, ...]) -> str:
    """Returns "NCHW" or "NHWC" for a batch of RGB or grey images, "NC" for rows, "" otherwise.

    A shape such as [1, 3, 64, 3] fits both; it is read as NCHW.
    """
    if len(shape) == 4 and shape[1] in (1, 3):
        return "NCHW"
    if len(shape) == 4 and shape[3] in (1, 3):
        return "NHWC"
    return "NC" if len(shape) == 2 else ""
