"""``edgevit budget``: a budget from a run, and what one asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cli import budget as command
from edgevit.cli.app import run
from edgevit.results.run import run_to_json
from tests.factories import make_candidate, make_latency, make_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    candidate = make_candidate(latency=make_latency(11.9, 12.0, 12.1, 12.0, 12.0, 11.95, 12.05))
    (tmp_path / "run.json").write_bytes(run_to_json(make_run(candidate)))
    return tmp_path


def test_a_run_keeps_the_budget_that_is_written_from_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["budget", "init", "run.json", "--out", "limits.toml"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("limits.toml\n", "next: edgevit gate run.json --budget limits.toml\n")
    assert run(["gate", "run.json", "--budget", "limits.toml"]) == 0
    assert run(["budget", "explain", "limits.toml", "run.json"]) == 0
    told = capsys.readouterr().out
    assert "devices.host.latency_p50_ms: the median latency of one image of the chosen artifact on host" in told
    assert "  litert/dynamic_wi8_afp32: pass: measured 12.0 ms" in told


def test_a_budget_that_is_there_is_not_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "budget.toml").write_text("size_bytes = 1\n")
    assert run(["budget", "init", "run.json"]) == 2
    assert "budget.toml exists" in capsys.readouterr().err
    assert (here / "budget.toml").read_text() == "size_bytes = 1\n"


def test_a_candidate_is_of_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "budget.toml").write_text("size_bytes = 1\n")
    assert run(["budget", "explain", "budget.toml", "--candidate", "1"]) == 2
    assert "--candidate needs a run" in capsys.readouterr().err


def test_both_commands_are_in_the_group() -> None:
    assert {each.name for each in command.budget.registered_commands} == {"init", "explain"}
