"""Predictions of one target, or of several in one table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.cli.profile import parse_sizes
from edgevit.cli.render_profiles import print_profiles, profiles_document
from edgevit.errors import UsageError
from edgevit.results.profiled import Profiled
from tests.factories import make_prediction

CNN = Profiled("resnet18", "captured", (160, 160), 930_000_000, (make_prediction(10, 30),))
VIT = replace(
    CNN,
    target="vit.tflite",
    graph="file",
    input_size=None,
    macs=None,
    predictions=(make_prediction(1, 2, latency_ms=None, unsupported_ops=("GELU (12 x)",)),),
)


def test_one_target_is_told_at_length(capsys: pytest.CaptureFixture[str]) -> None:
    print_profiles((CNN,))
    said = capsys.readouterr().out
    assert "resnet18 at 160 × 160" in said
    assert "20.0 ms (10.0 ms to 30.0 ms)" in said
    assert "930.00 M MACs" in said


def test_several_are_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_profiles((CNN, VIT))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["target", "input", "MACs", "device", "predicted", "p50", "memory"]
    assert any(line.startswith("resnet18") and "160 × 160" in line and "20.0 ms" in line for line in lines)
    assert any(line.startswith("vit.tflite") and "unsupported: GELU (12 x)" in line for line in lines)
    assert "what falls off which unit, and what to change, is told of one target alone" in lines
    assert lines.count("raspberry-pi-5: data sheet only") == 1


def test_the_document() -> None:
    assert profiles_document((CNN,))["target"] == "resnet18"
    assert [each["macs"] for each in profiles_document((CNN, VIT))["profiles"]] == [930_000_000, None]


def test_sizes() -> None:
    assert parse_sizes(None) == ()
    assert parse_sizes("160, 224x320") == ((160, 160), (224, 320))


@pytest.mark.parametrize("text", ["", "0", "160,", "160x", "a", "99999", "160,160", "-1", "1.5"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--input-size"):
        parse_sizes(text)
