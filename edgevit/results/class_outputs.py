"""Which class is which output of a model, in one line."""

from __future__ import annotations

from collections.abc import Mapping

_MOST = 12


def outputs_text(classes: Mapping[str, int]) -> str:
    """Returns the classes in the order of their outputs: "0 daisy, 1 rose"; of many the first, and their number.

    Args:
        classes: Output of each class, by name.
    """
    order = sorted(classes.items(), key=lambda item: item[1])
    more = f" … {len(order)} in all" if len(order) > _MOST else ""
    return ", ".join(f"{index} {name}" for name, index in order[:_MOST]) + more
