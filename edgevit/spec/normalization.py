"""Mean and standard deviation of each channel; those of another convention are refused with the right value."""

from __future__ import annotations

from collections.abc import Sequence

_LEVELS = 255.0


def normalization_problem(mean: Sequence[float] | None, std: Sequence[float] | None) -> str | None:
    """Returns what is wrong with a normalization ``(pixel / 255 - mean) / std``, and the right values; None if nothing.

    Args:
        mean: Per channel; None where it is not given.
        std: Per channel; None where it is not given.
    """
    wrong = [
        f"{name} {_shown(values)}"
        for name, values, fits in (
            ("mean", mean, mean is None or all(0 <= value <= 1 for value in mean)),
            ("std", std, std is None or all(0 < value <= 1 for value in std)),
        )
        if values is not None and not fits
    ]
    if not wrong:
        return None
    return f"{' and '.join(wrong)} is not of pixels in 0..1: edgevit computes (pixel / 255 - mean) / std; {_advice(mean, std)}"


def per_channel(values: Sequence[float], channels: int, name: str) -> tuple[float, ...]:
    """Returns a value for each channel.

    Args:
        values: One for each channel, or a single one for all.
        channels: How many there are.
        name: Of the values, for the message: "mean".

    Raises:
        ValueError: they are neither.
    """
    if len(values) not in (1, channels):
        raise ValueError(f"{name} has {len(values)} values, and the input {channels} channel{'s'[: channels > 1]}")
    return tuple(values) * channels if len(values) == 1 else tuple(values)


def _advice(mean: Sequence[float] | None, std: Sequence[float] | None) -> str:
    scaled = [
        f"--{name} {_shown([value / _LEVELS for value in values])}"
        for name, values in (("mean", mean), ("std", std))
        if values is not None and all(0 <= value <= _LEVELS for value in values)
    ]
    if len(scaled) < sum(values is not None for values in (mean, std)):
        return "give a mean from 0 to 1 and a std above 0 and at most 1"
    return (
        f"for values meant for pixels in 0..255, divided by 255, that is {' '.join(scaled)}"
        " (a model that takes pixels in 0..255 as they are: --mean 0 --std 0.00392157)"
    )


def _shown(values: Sequence[float]) -> str:
    numbers = [f"{value:.6g}" for value in values]
    return numbers[0] if len(set(numbers)) == 1 else ",".join(numbers)
