"""Names from outside are drawn as they are, also where they look like formulas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

Arguments = ParamSpec("Arguments")


def draws_plain_text(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    r"""Makes a function that draws take ``$`` in a text for a dollar sign, not for the begin of a formula.

    Args:
        draw: Makes all its texts itself; a text such as ``$\x$`` would otherwise end it with an error.
    """

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):
            draw(*args, **kwargs)

    return drawn
