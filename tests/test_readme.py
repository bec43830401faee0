"""What the README and CONTRIBUTING say is so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgevit
from benchmarks.readme import families_table, replaced
from edgevit.backends import all_backends, get_backend
from edgevit.cli.app import COMMANDS
from edgevit.gate.budget import load_budget
from edgevit.report.table import columns
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.toml_files import tomllib
from tests.factories import make_timed_run
from tests.test_layers import MAY_IMPORT

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/families.md")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    """Every edgevit command line in an indented block, words apart."""
    text = "\n".join(line[4:] for line in README.splitlines() if line.startswith("    "))
    joined = text.replace("\\\n", " ")
    return [line.split("#")[0].split() for line in joined.splitlines() if line.startswith("edgevit ")]


def test_the_spec_in_the_readme_is_valid() -> None:
    spec_text, budget_text = blocks("toml")
    Spec.model_validate(tomllib.loads(spec_text))
    assert "latency_p50_ms" in budget_text


def test_the_budget_in_the_readme_is_valid(tmp_path: Path) -> None:
    (tmp_path / "budget.toml").write_text(blocks("toml")[1], encoding="utf-8")
    assert load_budget(tmp_path / "budget.toml").devices


def test_the_python_in_the_readme_uses_what_there_is() -> None:
    (code,) = blocks("python")
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "edgevit"
    }
    assert used == {"BudgetSpec", "bench", "compress", "load"}
    assert used <= set(edgevit.__all__)


@pytest.mark.slow
def test_the_python_in_the_readme_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    chosen, p50 = done.stdout.splitlines()
    assert Path(chosen.split()[0]).is_relative_to(tmp_path / "run")
    assert float(p50) > 0


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_in_the_readme_have_their_options(words: list[str]) -> None:
    assert words[1] in {name for name, _ in COMMANDS}
    shown = subprocess.run(
        [sys.executable, "-m", "edgevit", words[1], "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in shown


def test_every_command_is_in_the_readme() -> None:
    for name, _ in COMMANDS:
        assert f"`edgevit {name}" in README or f"`{name}`" in README


def test_the_table_of_schemes_is_what_the_backends_have() -> None:
    rows = {
        row[0].strip(" `"): row[1:]
        for row in (line.strip("|").split("|") for line in README.splitlines() if line.startswith("| `"))
    }
    title = next(line for line in README.splitlines() if "| ONNX Runtime |" in line)
    order = [cell.strip() for cell in title.strip("|").split("|")][1:]
    for backend in all_backends():
        for scheme in SCHEMES:
            row = next(cells for name, cells in rows.items() if name.split("`")[0] == scheme)
            has = row[order.index(backend.title)].strip().startswith("yes")
            assert has == (scheme in backend.schemes), f"{backend.title} {scheme}"


def test_the_map_in_the_readme_has_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "edgevit").glob("*/__init__.py")}
    rows = re.findall(r"^\| \[([a-z_]+)/\]\(edgevit/([a-z_]+)\) \| \S", README, re.MULTILINE)
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


def test_the_table_of_families_is_the_measured_one() -> None:
    assert replaced(README, "families", families_table()) == README


def test_the_readme_shows_the_output_of_the_demo() -> None:
    (shown,) = blocks("text")
    made = re.search(r"--export (\S+) --device", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert made
    for name in made[1].split(","):
        assert f"{get_backend(name).name}/fp32/dense" in shown
    titles = next(line for line in shown.splitlines() if line.startswith("candidate "))
    assert re.split(r" {2,}", titles) == [column.title for column in columns(make_timed_run())]
    assert re.search(r"^chosen: \w+/", shown, re.MULTILINE)
    assert (ROOT / "docs" / "demo.png").stat().st_size > 10_000
