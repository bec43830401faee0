"""Who may import whom, read from the source: errors, units → spec, results, gate, report → leaves → pipeline → cli."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "edgevit"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

GROUND = {"errors", "units", "files"}
FACTS = {
    "graph",
    "selection",
    "choose",
    "progress",
    "schemes",
    "recipe",
    "policy",
    "token_plan",
    "shipped",
    "validation",
    "spec",
    "results",
    "gate",
    "report",
}
"""Values and judgements: no torch, no numpy, no runtime, and none of the leaves."""
LEAVES = {
    "model",
    "float_weights",
    "calibration",
    "data",
    "images",
    "capture",
    "fold",
    "architecture",
    "passes",
    "quantization",
    "rewrites",
    "backends",
    "verify",
    "evaluate",
    "measure",
    "devices",
    "preprocess",
    "host",
    "isolate",
}
ABOVE = {
    "pipeline",
    "candidates",
    "repair",
    "job",
    "model_passes",
    "token_passes",
    "snapshot",
    "reduction",
    "workshop",
    "prediction",
    "sensitivity",
    "explain",
    "token_search",
    "cli",
    "doctor",
    "__main__",
}
"""What calls the leaves."""
PURE = {"pydantic", "pydantic_core", "tomli", "tomllib", "typing_extensions"}
"""Third-party packages that the ground and the facts may use."""
HEAVY = {"torch", "numpy", "onnx", "onnxruntime", "openvino", "nncf", "ai_edge_litert", "tflite_runtime", "timm", "PIL"}


def imports(path: Path, *, at_module_level: bool = False) -> Iterator[str]:
    """Yields the full names that a file imports; those under TYPE_CHECKING do not count."""
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), at_module_level):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _nodes(node: ast.AST, at_module_level: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if at_module_level and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from _nodes(child, at_module_level)


def part(name: str) -> str:
    """The part of edgevit that a full name lies in: "edgevit.report.plots.front" is in "report"."""
    return name.split(".")[1] if "." in name else ""


def inner(path: Path) -> set[str]:
    """The parts of edgevit that a file imports."""
    return {part(name) for name in imports(path) if name.split(".")[0] == "edgevit"}


def outer(path: Path, *, at_module_level: bool = False) -> set[str]:
    """The third-party and standard packages that a file imports."""
    names = {name.split(".")[0] for name in imports(path, at_module_level=at_module_level)}
    return names - {"edgevit"}


def of(parts: set[str]) -> list[str]:
    return [name for name in MODULES if part(name) in parts]


@pytest.mark.parametrize("name", of(GROUND))
def test_the_ground_stands_on_nothing(name: str) -> None:
    assert inner(MODULES[name]) == set()
    assert not outer(MODULES[name]) & (HEAVY | {"pydantic"})


@pytest.mark.parametrize("name", of(FACTS))
def test_facts_need_neither_leaves_nor_numbers(name: str) -> None:
    assert not inner(MODULES[name]) & (LEAVES | ABOVE)
    assert not outer(MODULES[name]) & HEAVY
    assert not outer(MODULES[name], at_module_level=True) & {"matplotlib"}


@pytest.mark.parametrize("name", of({"gate"}))
def test_the_gate_is_pure(name: str) -> None:
    assert inner(MODULES[name]) <= {"units", "errors", "results", "shipped", "validation"}
    assert not outer(MODULES[name]) & {"os", "subprocess", "time", "random"}


@pytest.mark.parametrize("name", of(LEAVES))
def test_leaves_know_nobody_above(name: str) -> None:
    assert not inner(MODULES[name]) & ABOVE


@pytest.mark.parametrize("name", [name for name in MODULES if part(name) != "cli"])
def test_only_the_command_line_knows_typer_and_rich(name: str) -> None:
    assert not outer(MODULES[name]) & {"typer", "rich", "click"}
    if part(name) != "__main__":
        assert "cli" not in inner(MODULES[name])


@pytest.mark.parametrize("name", of({"cli"}))
def test_commands_are_light_until_they_run(name: str) -> None:
    assert not outer(MODULES[name], at_module_level=True) & (HEAVY | PURE)
    heavy = {"spec", "results", "gate", "report", "pipeline", *LEAVES}
    at_top = {part(full) for full in imports(MODULES[name], at_module_level=True) if full.startswith("edgevit.")}
    assert not at_top & heavy


@pytest.mark.parametrize("name", [name for name in of({"cli"}) if name != "edgevit.cli.render"])
def test_rich_is_known_to_render_alone(name: str) -> None:
    assert "rich" not in outer(MODULES[name])


@pytest.mark.parametrize("name", [name for name in of({"backends"}) if name.count(".") >= 2])
def test_backends_do_not_know_each_other(name: str) -> None:
    backends = {path.parent.name for path in (PACKAGE / "backends").glob("*/__init__.py")}
    own = name.split(".")[2]
    known = {full.split(".")[2] for full in imports(MODULES[name]) if full.startswith("edgevit.backends.")}
    assert not known & (backends - {own})


def test_tomllib_is_read_in_one_place() -> None:
    assert [name for name, path in MODULES.items() if outer(path) & {"tomllib", "tomli"}] == ["edgevit.spec.toml_files"]


def test_every_module_is_found() -> None:
    assert {"edgevit", "edgevit.gate.judge", "edgevit.report", "edgevit.cli.app"} <= set(MODULES)
