"""What the README says is so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgevit
from benchmarks.readme import families_table, replaced
from edgevit.backends import all_backends
from edgevit.cli.app import COMMANDS
from edgevit.gate.budget import load_budget
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.toml_files import tomllib

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
    assert used == {"Spec", "compress"}
    assert used <= set(edgevit.__all__)


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


def test_the_tree_in_the_readme_is_there() -> None:
    house = README[README.index("## The house") :]
    named = set(re.findall(r"\b([a-z_]+\.py)\b", house))
    assert len(named) > 15
    for name in named:
        assert (ROOT / "edgevit" / name).is_file(), name


def test_the_table_of_families_is_the_measured_one() -> None:
    assert replaced(README, "families", families_table()) == README


def test_the_readme_shows_the_output_of_the_demo() -> None:
    (shown,) = blocks("text")
    assert "digits" in (ROOT / "Makefile").read_text(encoding="utf-8")
    for backend in all_backends():
        assert f"{backend.name}/fp32/dense" in shown
    assert re.search(r"^chosen: \w+/", shown, re.MULTILINE)
    assert (ROOT / "docs" / "demo.png").stat().st_size > 10_000
