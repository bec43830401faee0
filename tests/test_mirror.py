"""Tests mirror the package: every module has a test file at the same place, or is listed here with the one that covers it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

COVERED_BY: Mapping[str, str] = {
    "edgevit/__init__.py": "tests/test_imports.py",
    "edgevit/backends/__init__.py": "tests/contract/test_backends.py",
    "edgevit/cli/bench.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/compress.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/devices.py": "tests/cli/test_app.py",
    "edgevit/cli/doctor.py": "tests/cli/test_app.py",
    "edgevit/cli/eval.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/export.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/gate.py": "tests/cli/test_app.py",
    "edgevit/cli/inspect.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/models.py": "tests/cli/test_app.py",
    "edgevit/cli/profile.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/profiles.py": "tests/cli/test_app.py",
    "edgevit/cli/report.py": "tests/cli/test_app.py",
    "edgevit/cli/schema.py": "tests/cli/test_app.py",
    "edgevit/commands/probes/__init__.py": "tests/commands/test_inspect.py",
    "edgevit/model/bundled/__init__.py": "tests/model/test_load.py",
    "edgevit/pipeline/compress.py": "tests/end_to_end/test_compress.py",
    "edgevit/quantization/rewrites/__init__.py": "tests/quantization/rewrites/test_rewrite.py",
    "edgevit/report/__init__.py": "tests/report/plots/test_front.py",
    "edgevit/report/plots/staircase.py": "tests/report/test_token_searches.py",
    "edgevit/results/artifact.py": "tests/artifacts/test_verify.py",
    "edgevit/results/candidate.py": "tests/gate/test_judge.py",
    "edgevit/results/measurement.py": "tests/gate/test_judge.py",
    "edgevit/results/reduction.py": "tests/commands/test_reduce_tokens.py",
    "edgevit/results/sensitivity.py": "tests/commands/test_sensitivity.py",
    "edgevit/results/token_search.py": "tests/report/test_token_searches.py",
    "edgevit/run/progress.py": "tests/commands/test_eval.py",
}
"""Modules without a test file of their own, each with a test file that names the module or runs the command."""


def has_code(source: str) -> bool:
    """Whether a module defines a function or a class."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(source).body)


def own_test(module: str) -> str:
    """Returns where the test file of a module belongs; that of a package stands beside the tests of its modules."""
    *folders, file = module.split("/")[1:]
    name = folders.pop() if file == "__init__.py" and folders else file.removesuffix(".py").strip("_")
    return "/".join(("tests", *folders, f"test_{name}.py"))


def mentions(text: str, module: str) -> bool:
    """Whether a test names a module by its dotted path, or the command that a module of the command line runs."""
    dotted = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package, _, name = dotted.rpartition(".")
    itself = rf"\b{re.escape(dotted)}\b" + (r"(?!\.)" if module.endswith("/__init__.py") else "")
    patterns = [itself, rf"from {re.escape(package)} import ([\w, ]+, )?{name}\b"]
    if package == "edgevit.cli":
        patterns.append(f'"{name.replace("_", "-")}"')
    return any(re.search(pattern, text) for pattern in patterns)


def complaints(modules: Mapping[str, str], tests: Mapping[str, str], covered_by: Mapping[str, str]) -> list[str]:
    """Compares modules with tests, both given as paths with their text, and a table such as ``COVERED_BY``."""
    found = []
    for module, source in modules.items():
        listed = module in covered_by
        if not listed and own_test(module) not in tests and (has_code(source) or not module.endswith("/__init__.py")):
            found.append(f"{module} has neither {own_test(module)} nor an entry in COVERED_BY")
        if listed and own_test(module) in tests:
            found.append(f"{module} has {own_test(module)}: its entry in COVERED_BY is out of date")
    for module, test in covered_by.items():
        if module not in modules:
            found.append(f"{module}, listed in COVERED_BY, does not exist")
        elif test not in tests:
            found.append(f"{test}, listed for {module}, does not exist")
        elif not mentions(tests[test], module):
            found.append(f"{test}, listed for {module}, does not mention it")
    return found


def files(folder: str) -> dict[str, str]:
    """Returns the text of every Python file below a folder, by its path from the root of the repository."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")
    }


def test_every_module_has_a_test_or_is_listed() -> None:
    assert complaints(files("edgevit"), files("tests"), COVERED_BY) == []


CODE = "def f(): ..."


@pytest.mark.parametrize(
    ("modules", "tests", "covered_by", "found"),
    [
        (["edgevit/a/b.py"], {"tests/a/test_b.py": ""}, {}, []),
        (["edgevit/b.py"], {"tests/test_b.py": ""}, {}, []),
        (["edgevit/a/b/__init__.py"], {"tests/a/test_b.py": ""}, {}, []),
        (["edgevit/a/b.py"], {"tests/test_c.py": "import edgevit.a.b"}, {"edgevit/a/b.py": "tests/test_c.py"}, []),
        (["edgevit/a/b.py"], {"tests/c.py": "from edgevit.a import b"}, {"edgevit/a/b.py": "tests/c.py"}, []),
        (["edgevit/a/b.py"], {"tests/c.py": "from edgevit.a import a, b"}, {"edgevit/a/b.py": "tests/c.py"}, []),
        (["edgevit/a/__init__.py"], {"tests/c.py": "import edgevit.a"}, {"edgevit/a/__init__.py": "tests/c.py"}, []),
        (["edgevit/cli/a_b.py"], {"tests/c.py": 'run(["a-b"])'}, {"edgevit/cli/a_b.py": "tests/c.py"}, []),
        (["edgevit/a/b.py"], {}, {}, ["edgevit/a/b.py has neither tests/a/test_b.py nor an entry in COVERED_BY"]),
        (["edgevit/b.py"], {}, {}, ["edgevit/b.py has neither tests/test_b.py nor an entry in COVERED_BY"]),
        (["edgevit/a/__init__.py"], {}, {}, ["edgevit/a/__init__.py has neither tests/test_a.py nor an entry in COVERED_BY"]),
        (
            ["edgevit/a/b.py"],
            {"tests/a/test_b.py": "edgevit.a.b"},
            {"edgevit/a/b.py": "tests/a/test_b.py"},
            ["edgevit/a/b.py has tests/a/test_b.py: its entry in COVERED_BY is out of date"],
        ),
        ([], {"tests/c.py": ""}, {"edgevit/b.py": "tests/c.py"}, ["edgevit/b.py, listed in COVERED_BY, does not exist"]),
        (["edgevit/b.py"], {}, {"edgevit/b.py": "tests/c.py"}, ["tests/c.py, listed for edgevit/b.py, does not exist"]),
        (
            ["edgevit/a/b.py"],
            {"tests/c.py": "edgevit.a"},
            {"edgevit/a/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/b.py, does not mention it"],
        ),
        (
            ["edgevit/a/b.py"],
            {"tests/c.py": "edgevit.a.bb"},
            {"edgevit/a/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/b.py, does not mention it"],
        ),
        (
            ["edgevit/a/__init__.py"],
            {"tests/c.py": "edgevit.a.b"},
            {"edgevit/a/__init__.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/__init__.py, does not mention it"],
        ),
        (
            ["edgevit/cli/b.py"],
            {"tests/c.py": 'run(["bb"])'},
            {"edgevit/cli/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/cli/b.py, does not mention it"],
        ),
    ],
)  # fmt: skip
def test_on_a_made_up_tree(
    modules: list[str], tests: dict[str, str], covered_by: dict[str, str], found: list[str]
) -> None:
    assert complaints(dict.fromkeys(modules, CODE), tests, covered_by) == found


def test_an_init_file_without_code_needs_no_test_and_any_other_file_does() -> None:
    assert complaints({"edgevit/a/__init__.py": '"""A."""\nNAME = 1'}, {}, {}) == []
    assert len(complaints({"edgevit/a/b.py": "NAME = 1", "edgevit/__init__.py": CODE}, {}, {})) == 2
