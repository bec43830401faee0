"""What docs/ says is so: its commands parse and run, its files are valid, and its reference is made from the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

import edgevit
from benchmarks.reference.docstrings import as_markdown, one_line
from benchmarks.reference.hook import PAGES as MADE
from benchmarks.reference.sections import keys
from edgevit.cli.app import COMMANDS, make_app
from edgevit.errors import UsageError
from edgevit.gate.budget import Budget, load_budget
from edgevit.measure.boards.fleet import read_fleet
from edgevit.spec.spec import Spec
from edgevit.spec.toml_files import tomllib

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
PAGES["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
GENERATED = (
    "docs/families.md",
    "docs/latency-protocol.md",
    "docs/regression-gate-trials.md",
    "docs/where-time-goes.md",
    "docs/demo.md",
)
"""Output of commands of this repository."""


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    title: str | None
    """Name of the file that it is."""
    code: str


def blocks(page: str) -> list[Block]:
    found = re.findall(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', PAGES[page], re.DOTALL | re.MULTILINE)
    return [Block(language, title or None, code) for language, title, code in found]


def command_lines(page: str) -> Iterator[str]:
    """Every command line of edgevit in a block, fenced or indented."""
    indented = "\n".join(line[4:] for line in PAGES[page].splitlines() if line.startswith("    "))
    texts = [block.code for block in blocks(page) if block.language in ("sh", "bash")]
    for text in (indented, *texts):
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("edgevit "):
                yield " ".join(line.split())


LINES = [(page, line) for page in PAGES if page not in GENERATED for line in command_lines(page)]
RUNNABLE = [page for page in PAGES if any(block.language in ("bash", "python") for block in blocks(page))]


@cache
def root() -> Any:
    return typer.main.get_command(make_app())


def parse(line: str) -> None:
    """Parses a command line as edgevit does, without running it."""
    _, *words = shlex.split(line, comments=True)
    command = root()
    context = command.make_context("edgevit", [], resilient_parsing=True)
    while hasattr(command, "list_commands") and words and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
    command.make_context(line, words, parent=context)


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_every_command_line_parses(page: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["edgevit eval m.onnx", "edgevit compress m --tokns auto", "edgevit devices shw x"])
def test_a_wrong_command_line_does_not_parse(line: str) -> None:
    with pytest.raises((TyperException, UsageError, AssertionError)):
        parse(line)


def test_most_pages_have_commands_and_they_are_found() -> None:
    assert len(LINES) > 40
    assert {words.split()[1] for _, words in LINES} >= {"compress", "gate", "bench", "eval", "quantize", "profile"}


@pytest.mark.parametrize("page", RUNNABLE)
@pytest.mark.slow
def test_what_is_headed_bash_or_python_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "edgevit.sh").write_text(f'edgevit() {{ {shlex.quote(sys.executable)} -m edgevit "$@"; }}\n')
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
            continue
        if block.language not in ("bash", "python"):
            continue
        ways = {"bash": ["bash", "-ec", f". ./edgevit.sh\n{block.code}"], "python": [sys.executable, "-c", block.code]}
        done = subprocess.run(ways[block.language], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"


def test_specs_and_budgets_on_the_pages_are_valid(tmp_path: Path) -> None:
    files = [block for page in PAGES for block in blocks(page) if block.language == "toml"]
    assert {block.title for block in files} == {"spec.toml", "budget.toml", "fleet.toml"}
    for block in files:
        if block.title == "spec.toml":
            Spec.model_validate(tomllib.loads(block.code))
        elif block.title == "fleet.toml":
            (tmp_path / "fleet.toml").write_text(block.code, encoding="utf-8")
            assert read_fleet(tmp_path / "fleet.toml", 60.0)
        else:
            (tmp_path / "budget.toml").write_text(block.code, encoding="utf-8")
            assert load_budget(tmp_path / "budget.toml").devices


def test_messages_that_are_explained_are_in_the_code() -> None:
    told = re.findall(r"^### `(.+)`$", PAGES["docs/troubleshooting.md"], re.MULTILINE)
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "edgevit").rglob("*.py"))
    assert len(told) > 25
    assert [message for message in told if message not in code] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", PAGES[page]) if "://" not in link]
    made = {(DOCS / place).resolve() for place in MADE}
    targets = {link: (folder / link).resolve() for link in links}
    assert [link for link, target in targets.items() if target not in made and not target.exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted([*(page[5:] for page in PAGES if page.startswith("docs/")), *MADE])


@pytest.mark.parametrize("place", MADE)
def test_a_page_that_is_made_is_the_same_each_time(place: str) -> None:
    assert MADE[place]() == MADE[place]()


def test_the_reference_has_every_command_key_and_name() -> None:
    commands = MADE["reference/commands.md"]()
    assert all(f"\n## edgevit {name}\n" in commands for name, _ in COMMANDS)
    assert "\n| `--max-drop " in commands
    for place, model in (("reference/spec.md", Spec), ("reference/budget.md", Budget)):
        page = MADE[place]()
        assert all(f"| `{key.rpartition('.')[2]}` |" in page for key, _ in keys(model))
    python = MADE["reference/python.md"]()
    assert [name for name in edgevit.__all__ if name != "__version__" and f"\n## {name}\n" not in python] == []
    assert "\n### Run.to_rows()\n" in python
    assert "\n## Candidate\n" in MADE["reference/run.md"]()


def test_every_key_of_the_spec_and_of_a_budget_is_described() -> None:
    told = dict(keys(Spec))
    assert len(told) > 50
    assert [key for key, field in [*told.items(), *keys(Budget)] if not field.description] == []


def test_a_docstring_becomes_markdown() -> None:
    text = "Does it, see :class:`a.B`.\n\n    Args:\n        x: One\n            of ``y``.\n\n    Raises:\n        UsageError: no.\n"
    assert as_markdown(text) == (
        "Does it, see `a.B`.\n\n**Args**\n\n- `x`: One\n  of `y`.\n\n**Raises**\n\n- `UsageError`: no."
    )


def test_a_bar_in_code_stays_as_it_is_in_a_cell() -> None:
    assert one_line("``A|B`` or a|b") == r"`A|B` or a\|b"


def test_the_site_is_built_without_a_warning_and_needs_no_other_site(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(MADE) + 10
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]+src="?https?:', html) == []
        assert re.findall(r'<link[^>]+(?:stylesheet|icon|preconnect)[^>]+href="?https?:', html) == []
