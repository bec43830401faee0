"""What the README and CONTRIBUTING say is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import edgevit
from edgevit.backends import all_backends, get_backend
from edgevit.cli.app import COMMANDS
from edgevit.report.table import brief_columns
from edgevit.spec.schemes import SCHEMES
from tests.factories import make_timed_run
from tests.test_layers import MAY_IMPORT

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
SCHEMES_PAGE = (ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")
DEMO_PAGE = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_in_the_readme_uses_what_there_is() -> None:
    (code,) = blocks("python")
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "edgevit"
    }
    assert used == {"BudgetSpec", "Preprocessing", "compress", "load"}
    assert used <= set(edgevit.__all__)


def test_every_command_is_in_the_readme() -> None:
    for name, _ in COMMANDS:
        assert f"`edgevit {name}" in README or f"`{name}`" in README


def test_the_table_of_schemes_is_what_the_backends_have() -> None:
    rows = {
        row[0].strip(" `"): row[1:]
        for row in (line.strip("|").split("|") for line in SCHEMES_PAGE.splitlines() if line.startswith("| `"))
    }
    title = next(line for line in SCHEMES_PAGE.splitlines() if "| ONNX Runtime |" in line)
    order = [cell.strip() for cell in title.strip("|").split("|")][1:]
    for backend in all_backends():
        for scheme in SCHEMES:
            row = next(cells for name, cells in rows.items() if name.split("`")[0] == scheme)
            has = row[order.index(backend.title)].strip().startswith("yes")
            assert has == (scheme in backend.schemes), f"{backend.title} {scheme}"


def test_the_map_in_the_guide_has_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "edgevit").glob("*/__init__.py")}
    rows = re.findall(r"^\| \[([a-z_]+)/\]\(edgevit/([a-z_]+)\) \| \S", GUIDE, re.MULTILINE)
    assert [shown for shown, linked in rows if shown != linked] == []
    assert len(rows) == len(packages)
    assert {name for name, _ in rows} == packages


@pytest.mark.parametrize("name", PAGES)
def test_links_to_files_exist(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_files_named_in_the_guide_exist() -> None:
    named = re.findall(r"`((?:edgevit|tests|devices|profiles|docs|benchmarks)/[\w./-]*)`", GUIDE)
    assert len(set(named)) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_names_in_the_guide_are_in_their_files() -> None:
    pairs = re.findall(r"`(\w+)`(?: of| in) `(edgevit/[\w./]+\.py)`", GUIDE)
    assert len(pairs) > 10
    missing = [
        (name, file)
        for name, file in pairs
        if not re.search(rf"^\s*(def |class )?{name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_the_guide_shows_who_may_import_whom() -> None:
    table = GUIDE[GUIDE.index("| package | may import |\n|---|---|\n") :].partition("\n\n")[0]
    shown: dict[str, set[str]] = {}
    for name, words in re.findall(r"^\| (\w+) \| ([a-z –]+) \|$", table.partition("|---|---|")[2], re.MULTILINE):
        shown[name] = set(shown) if words == "all above" else set(words.split()) - {"–"}
    assert shown == {name: set(below) for name, below in MAY_IMPORT.items() if not name.startswith("__")}


def test_a_page_shows_the_output_of_the_demo() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", DEMO_PAGE, re.DOTALL)
    made = re.search(r"--export (\S+) --device", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert made
    for name in made[1].split(","):
        assert f"{get_backend(name).name}/fp32/dense" in shown
    titles = next(line for line in shown.splitlines() if line.startswith("rank "))
    assert re.split(r" {2,}", titles) == [column.title for column in brief_columns(make_timed_run(), {})]
    assert re.search(r"^chosen: \w+/", shown, re.MULTILINE)
    assert (ROOT / "docs" / "demo.png").stat().st_size > 10_000
