"""What is light stays light: no command that only reads files loads a numerical library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgevit
from edgevit.results.run import run_to_json
from tests.factories import make_run

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "ai_edge_litert",
    "tflite_runtime",
    "timm",
    "matplotlib",
    "distributed",
    "fsspec",
)
_PROGRAM = """
import sys
from edgevit.cli.app import run
code = run(sys.argv[2:])
loaded = sorted(set(sys.argv[1].split(",")) & set(sys.modules))
sys.exit(f"exit code {code}, loaded {loaded}")
"""


def after(*arguments: str, unwanted: tuple[str, ...] = HEAVY) -> str:
    """Runs a command in a fresh interpreter and tells its exit code and which unwanted modules it loaded."""
    child = subprocess.run(
        [sys.executable, "-c", _PROGRAM, ",".join(unwanted), *arguments], capture_output=True, text=True, check=False
    )
    return child.stderr.strip()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("gate", "--help"), ("compress", "--help")])
def test_help_loads_neither_runtimes_nor_pydantic_models(arguments: tuple[str, ...]) -> None:
    assert after(*arguments, unwanted=(*HEAVY, "edgevit.results.run", "edgevit.spec.spec")) == "exit code 0, loaded []"


def test_gate_loads_no_tables_and_no_report(tmp_path: Path) -> None:
    """A gate is run often, and most of its time is imports."""
    (tmp_path / "run.json").write_bytes(run_to_json(make_run()))
    (tmp_path / "budget.toml").write_text("size_bytes = 8_000_000\n")
    unwanted = (*HEAVY, "rich.console", "edgevit.report", "edgevit.cli.compress", "PIL")
    assert after("gate", str(tmp_path), "--budget", str(tmp_path / "budget.toml"), unwanted=unwanted) == (
        "exit code 0, loaded []"
    )


def test_gate_loads_no_numerical_library(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(run_to_json(make_run()))
    (tmp_path / "budget.toml").write_text("size_bytes = 8_000_000\n[devices.host]\nlatency_p50_ms = 99\n")
    budget = str(tmp_path / "budget.toml")
    assert after("gate", str(tmp_path), "--budget", budget) == "exit code 0, loaded []"
    assert after("gate", str(tmp_path), "--budget", budget, "--json") == "exit code 0, loaded []"


@pytest.mark.parametrize(
    "module", ["edgevit", "edgevit.backends", "edgevit.report", "edgevit.spec.spec", "edgevit.measure.host"]
)
def test_modules_that_must_work_without_a_runtime(module: str) -> None:
    code = f"import sys, {module}; sys.exit(str(sorted(set({HEAVY!r}) & set(sys.modules)) or ''))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.stderr.strip() == ""


def test_public_names_are_imported_when_they_are_used() -> None:
    pytest.importorskip("torch")
    for name in edgevit.__all__:
        assert getattr(edgevit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'comprss'"):
        _ = edgevit.comprss


LATER_THAN_3_10 = {
    "contextlib": {"chdir"},
    "datetime": {"UTC"},
    "enum": {"EnumCheck", "ReprEnum", "StrEnum", "member", "nonmember", "verify"},
    "hashlib": {"file_digest"},
    "itertools": {"batched"},
    "tomllib": {"load", "loads"},
    "typing": {
        "LiteralString", "Never", "NotRequired", "Required", "Self", "TypeAliasType", "TypeVarTuple", "Unpack", "assert_never",
        "assert_type", "dataclass_transform", "override", "reveal_type",
    },
}  # fmt: skip
"""Names of the standard library that Python 3.10 does not have, by their module."""


def test_no_module_needs_more_than_python_3_10() -> None:
    found = []
    for path in (ROOT / "edgevit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                later = {alias.name for alias in node.names} & LATER_THAN_3_10.get(node.module or "", set())
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                later = {node.attr} & LATER_THAN_3_10.get(node.value.id, set())
            else:
                continue
            found += [
                f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
                for name in later
                if "tomllib" not in ast.unparse(node)
            ]
    assert found == []
