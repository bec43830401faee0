"""``edgevit compare``: JSON, and names from outside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.results.run import run_to_json
from tests.factories import make_realistic_run

ESCAPE = "\x1b]0;owned\x07\x1b[31m"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    first = make_realistic_run()
    hostile = {**first.spec, "model": {"name": f"vit{ESCAPE}"}}
    for name, each in (("a", first), ("b", replace(first, spec=hostile, tool_versions={f"x{ESCAPE}": "1\n2"}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_bytes(run_to_json(each))
    return str(tmp_path / "a"), str(tmp_path / "b")


def test_names_from_outside_are_text(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *folders]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\x07" not in said
    assert "vit\\x1b]0;owned" in said and "not compared: accuracy" in said


def test_json_is_one_document(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *folders, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert {each["part"] for each in document["not_compared"]} >= {"accuracy", "ops"}
