"""How a recommendation is printed."""

from __future__ import annotations

import pytest

from edgevit.cli.render_recommendation import print_recommendation
from edgevit.commands.recommend.recommend import recommend
from edgevit.results.recommendation import Situation


def printed(situation: Situation, capsys: pytest.CaptureFixture[str]) -> str:
    print_recommendation(recommend(situation))
    return capsys.readouterr().out


def test_everything_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    situation = Situation(images=500, device="jetson-orin-nano", max_latency_ms=5.0, explanations=True)
    text = printed(situation, capsys)
    assert text.startswith("start from: CNN\ndecided by: ")
    assert "profile: jetson-orin-nano (it is for jetson-orin-nano)" in text
    for title in ("published top-1", "predicted p50", "80 % interval", "otherwise", "to try first"):
        assert title in text
    assert "[published: arXiv 2406.05612]" in text and "[predicted: " in text
    assert "contradictions among them:\n" in text
    assert "  explanations: CNN by " in text
    assert "what would change the answer:\n" in text
    assert "5.00 ms: " in text and "note: " in text


def test_numbers_of_contradictions_are_those_of_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(Situation(shift=True), capsys).splitlines()
    (line,) = [line for line in lines if line.startswith("  shift: ")]
    number = line.partition("CNN by ")[2].partition(":")[0].partition(";")[0]
    (reason,) = [each for each in lines if each.strip().startswith(f"{number} ")]
    assert "robust" in reason and "for CNN" in reason


def test_without_a_device_there_are_no_columns_of_latency(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(Situation(images=20_000), capsys)
    assert "predicted p50" not in text and "published top-1" in text


def test_where_nothing_is_possible(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(Situation(device="raspberry-pi-zero-2-w", max_latency_ms=0.5), capsys)
    assert text.startswith("start from: none is possible\n")
    assert "to try first" not in text
