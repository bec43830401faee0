"""The channels that a module takes, read from itself."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.model.captured import load_captured, save_captured  # noqa: E402
from edgevit.model.input_channels import input_channels  # noqa: E402


def test_those_of_the_first_convolution_or_of_a_captured_program(tmp_path: Path) -> None:
    grouped = nn.Sequential(nn.Identity(), nn.Conv2d(6, 6, 3, groups=3), nn.Conv2d(6, 2, 1), nn.Flatten())
    assert input_channels(grouped) == 6
    linear = nn.Sequential(nn.Flatten(), nn.Linear(5 * 4 * 4, 2)).eval()
    assert input_channels(linear) == 3  # it does not say so
    save_captured(linear, (4, 4), tmp_path / "linear.pt2", channels=5)
    assert input_channels(load_captured(tmp_path / "linear.pt2")) == 5
