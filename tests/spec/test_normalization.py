"""Mean and standard deviation of pixels in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edgevit.spec.normalization import normalization_problem


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ((0, 0, 0), (1, 1, 1)),
        ((0, 0, 0), (1 / 255, 1 / 255, 1 / 255)),
        ((1, 1, 1), None),
        (None, (0.2, 0.2, 0.2)),
        (None, None),
    ],
)
def test_values_of_pixels_in_0_to_1_are_fine(mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
    assert normalization_problem(mean, std) is None


@pytest.mark.parametrize(
    ("mean", "std", "right"),
    [
        ((127.5,) * 3, (127.5,) * 3, "--mean 0.5 --std 0.5"),
        ((127.5,) * 3, (1,) * 3, "--mean 0.5 --std 0.00392157"),
        ((0,) * 3, (255,) * 3, "--mean 0 --std 1"),
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"),
        ((127.5,) * 3, None, "--mean 0.5"),
        (None, (127.5,) * 3, "--std 0.5"),
    ],
)
def test_values_of_pixels_in_0_to_255_get_the_right_ones(
    mean: Sequence[float] | None, std: Sequence[float] | None, right: str
) -> None:
    problem = normalization_problem(mean, std)
    assert problem and f"divided by 255, that is {right} (" in problem


@pytest.mark.parametrize(("mean", "std"), [((-1,) * 3, (0.5,) * 3), ((300,) * 3, (1,) * 3), ((0,) * 3, (-1,) * 3)])
def test_values_of_no_convention_are_refused(mean: Sequence[float], std: Sequence[float]) -> None:
    problem = normalization_problem(mean, std)
    assert problem and "give a mean from 0 to 1" in problem
