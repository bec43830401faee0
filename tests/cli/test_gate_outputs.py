"""``edgevit gate`` writes what CI systems read, and tells GitHub Actions where it runs there."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgevit.cli.app import run
from edgevit.results.run import run_to_json
from tests.factories import make_candidate, make_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "run.json").write_bytes(run_to_json(make_run(make_candidate(size_bytes=9_000_000))))
    (tmp_path / "budget.toml").write_text('macs = "9 G"\nsize_bytes = "8 MB"\n')
    return tmp_path


def test_every_output_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = ["--junit", "a/j.xml", "--sarif", "s.sarif", "--gitlab", "g.json", "--markdown", "m.md"]
    assert run(["gate", "run.json", "--budget", "budget.toml", *outputs]) == 1
    assert ElementTree.parse("a/j.xml").getroot().attrib["failures"] == "1"
    (found,) = json.loads(Path("s.sarif").read_text())["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert json.loads(Path("g.json").read_text())[0]["severity"] == "critical"
    assert Path("m.md").read_text().startswith("## edgevit gate: ❌ fail")
    assert capsys.readouterr().err == ""


def test_github_gets_a_summary_and_annotations(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert run(["gate", "run.json", "--budget", "budget.toml", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "fail"
    assert said.err.startswith("::error file=budget.toml,line=2,title=edgevit%3A size::")
    assert (here / "summary.md").read_text().startswith("before\n## edgevit gate: ❌ fail")


def test_two_outputs_are_two_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gate", "run.json", "--budget", "budget.toml", "--junit", "a", "--sarif", "a"]) == 2
    assert "a is given for two outputs" in capsys.readouterr().err
    assert not (here / "a").exists()
