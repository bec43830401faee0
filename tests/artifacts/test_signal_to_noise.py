"""The signal-to-noise ratio."""

from __future__ import annotations

import pytest

from edgevit.artifacts.signal_to_noise import snr_db


@pytest.mark.parametrize(("signal", "noise", "expected"), [(100, 1, 20), (1, 1, 0), (1, 1000, -30), (1, 0, None)])
def test_known_answers(signal: float, noise: float, expected: float | None) -> None:
    found = snr_db(signal, noise)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_a_silent_reference_has_no_signal() -> None:
    found = snr_db(0.0, 1.0)
    assert found is not None
    assert found < -1000
