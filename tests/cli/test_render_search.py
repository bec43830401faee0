"""What people read of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.render_search import print_plan, print_search
from edgevit.results.search import AdditivityRecord, Struck
from edgevit.search.dry_run import PlannedModel, PlannedSearch
from tests.factories import make_search


def test_the_front_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(make_search(), Path("s"))
    out = capsys.readouterr().out
    assert out.index("static_wi8_ai8/tome-8-gather") < out.index("openvino/fp32")
    assert "3 on the front; 1 predicted, 1 not run (dominated by prediction)" in out


def test_that_nothing_adds_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    search = make_search()
    record = AdditivityRecord(24, 0.4, 1.6, holds=False, note="divergences of single layers do not add up")
    print_search(replace(search, models=(replace(search.models[0], additivity=record),)), Path("s"))
    assert "digits_vit: divergences of single layers do not add up" in capsys.readouterr().out


def test_a_dry_run_tells_size_minutes_and_disk(capsys: pytest.CaptureFixture[str]) -> None:
    struck = (Struck("litert × bf16", "the runtime has no such scheme", 3),)
    model = PlannedModel("net", 58, 6, struck, 12, 1.5, 30.0, 2e7)
    print_plan(PlannedSearch((model,), 2, 20, 12.0, 8e8))
    out = capsys.readouterr().out
    assert "net: 58 points" in out
    assert "struck out: litert × bf16: the runtime has no such scheme" in out
    assert "about 20 candidates, 12 min with 2 jobs, 800.0 MB on disk" in out
