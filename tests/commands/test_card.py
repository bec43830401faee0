"""Where a card is written, and what it is not written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.commands import card as module
from edgevit.commands.card import make_card, write_card
from edgevit.errors import UsageError
from edgevit.results.run import run_to_json
from tests.factories import make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(run_to_json(make_run()))
    return tmp_path / "run"


def test_a_card_is_written_where_nothing_is(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    made = make_card(run, None, "mit")
    assert made.candidate == "litert/dynamic_wi8_afp32" and made.metadata["license"] == "mit"
    write_card(made, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text().startswith("---\n")
    with pytest.raises(UsageError, match="exists"):
        write_card(made, tmp_path / "README.md")
    with pytest.raises(UsageError, match="there is no folder"):
        write_card(made, tmp_path / "nowhere" / "README.md")


@pytest.mark.parametrize("licence", ["", " ", "a\nb", "x\x1b", "x" * 201])
def test_a_licence_is_one_line_of_text(run: Path, licence: str) -> None:
    with pytest.raises(UsageError, match="--license is not a line"):
        make_card(run, None, licence)


def test_without_the_library_the_extra_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    with pytest.raises(UsageError) as error:
        make_card(run, None, None)
    assert error.value.hint == "pip install 'edgevit[card]'"


def test_a_file_of_no_run_has_no_card(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="a file of no run"):
        make_card(tmp_path / "a.onnx", None, None)


def test_the_command_prints_the_card_and_writes_no_escapes(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("huggingface_hub")
    from edgevit.cli import app

    assert app.run(["card", str(run), "--license", "mit"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("---\n") and "license: mit" in said and "## Provenance" in said
