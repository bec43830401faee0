"""Who may import whom: one table of packages, read from the source of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "edgevit"

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    name: frozenset(below.split())
    for name, below in {
        "errors": "",
        "units": "",
        "version": "",
        "spec": "errors",
        "results": "errors spec",
        "run": "errors results spec units",
        "store": "errors results run spec",
        "cluster": "errors version store results run spec",
        "data": "errors results run spec",
        "model": "errors data results run spec",
        "tokens": "errors model data results run spec",
        "pruning": "errors tokens model data results run spec",
        "quantization": "errors tokens model data results run spec",
        "distillation": "errors quantization tokens model data results run spec",
        "backends": "errors quantization tokens data run results spec",
        "measure": "errors backends run results spec",
        "devices": "errors measure backends model run results spec",
        "artifacts": "errors backends measure quantization tokens model data results run spec",
        "gate": "errors measure results run spec units",
        "report": "errors gate results run spec units",
        "pipeline": "errors units version spec results run store cluster data model tokens pruning quantization distillation backends"
        " measure devices artifacts gate report",
        "search": "errors units version spec results run store cluster data model tokens pruning quantization distillation backends"
        " measure devices artifacts gate report pipeline",
        "commands": "errors units version spec results run store cluster data model tokens pruning quantization distillation backends"
        " measure devices artifacts gate report pipeline",
        "cli": "errors units version spec results run store cluster data model tokens pruning quantization distillation backends"
        " measure devices artifacts gate report pipeline search commands",
        "api": "errors units version spec results run store cluster data model tokens pruning quantization distillation backends"
        " measure devices artifacts gate report pipeline commands",
        "__main__": "cli",
        "__init__": "version errors spec results gate pipeline api",
    }.items()
}
"""What each package, and each file at the top, may import of edgevit besides itself."""

PURE = (
    "spec", "results", "gate", "report", "edgevit.tokens.selection_ops", "edgevit.quantization.ladder",
    "edgevit.quantization.policy", "edgevit.pipeline.choose", "errors", "units", "version",
)  # fmt: skip
"""Packages and modules of values and judgements: they load no torch, no numerical library and no runtime."""
HEAVY = frozenset(
    [
        "torch",
        "distributed",
        "fsspec",
        "numpy",
        "onnx",
        "onnxruntime",
        "openvino",
        "nncf",
        "ai_edge_litert",
        "tflite_runtime",
        "timm",
        "PIL",
        "safetensors",
        "sklearn",
    ]
)
MOST_ENTRIES = 27
"""Packages and files at the top of edgevit."""


@dataclass(frozen=True)
class Import:
    """One imported name."""

    name: str
    """In full, such as "edgevit.spec.recipe.Recipe"."""
    typing_only: bool
    """Whether it stands under ``TYPE_CHECKING``."""
    deferred: bool
    """Whether it stands in a function."""


def imports(source: str) -> Iterator[Import]:
    """Yields every import of a file, those under TYPE_CHECKING and in functions too."""
    yield from _imports(ast.parse(source), typing_only=False, deferred=False)


def _imports(node: ast.AST, typing_only: bool, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        typing = typing_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        later = deferred or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, typing_only, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative import"
            yield from (Import(f"{child.module}.{alias.name}", typing_only, deferred) for alias in child.names)
        yield from _imports(child, typing, later)


def module_name(path: Path) -> str:
    """Full name of a file: "edgevit.spec" for its ``__init__``."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def package(name: str) -> str:
    """The package, or file at the top, that a full name lies in: "spec" for "edgevit.spec.recipe.Recipe"."""
    parts = name.split(".")
    is_inside = len(parts) > 2  # of a package, or of a file, whether listed or not
    return parts[1] if is_inside or (len(parts) == 2 and parts[1] in TOP) else "__init__"


TOP = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def forbidden(modules: Mapping[str, str], allowed: Mapping[str, frozenset[str]]) -> list[str]:
    """Arrows that the table does not have, and packages that it does not list."""
    found = []
    for name, source in modules.items():
        own = package(name)
        if own not in allowed:
            found.append(f"{name}: the table does not list {own}")
            continue
        names = (each.name for each in imports(source) if each.name.split(".")[0] == "edgevit")
        found += [f"{name} imports {other}" for other in names if package(other) not in allowed[own] | {own}]
    return found


def outside(name: str, *, at_module_level: bool = False) -> set[str]:
    """Packages beside edgevit that a file loads: not what stands under TYPE_CHECKING."""
    loaded = (
        each for each in imports(MODULES[name]) if not each.typing_only and not (at_module_level and each.deferred)
    )
    return {each.name.split(".")[0] for each in loaded} - {"edgevit"}


def within(names: Iterable[str]) -> list[str]:
    """The modules in packages or of full names."""
    wanted = set(names)
    return [name for name in MODULES if package(name) in wanted or name in wanted]


def test_packages_import_one_way() -> None:
    assert forbidden(MODULES, MAY_IMPORT) == []


def test_the_table_lists_what_there_is_and_nothing_else() -> None:
    assert set(MAY_IMPORT) == TOP
    assert len(TOP) <= MOST_ENTRIES


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(MAY_IMPORT):
        free = {name for name, below in MAY_IMPORT.items() if name not in done and below <= done}
        assert free, f"a circle among {sorted(set(MAY_IMPORT) - done)}"
        done |= free


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("edgevit.spec.spec", "from edgevit.results.run import Run"),
        ("edgevit.spec.spec", "def f():\n    import edgevit.pipeline.compress"),
        ("edgevit.results.run", "if TYPE_CHECKING:\n    from edgevit.backends import Session"),
        ("edgevit.measure.bench", "from edgevit import commands"),
        ("edgevit.gate.judge", "import edgevit"),
    ],
)
def test_the_check_can_fail(name: str, source: str) -> None:
    assert len(forbidden({name: source}, MAY_IMPORT)) == 1


def test_the_check_fails_for_a_package_that_is_not_listed() -> None:
    known = {name: below for name, below in MAY_IMPORT.items() if name != "gate"}
    assert forbidden({"edgevit.gate.judge": ""}, known) == ["edgevit.gate.judge: the table does not list gate"]
    assert forbidden({"edgevit.new.file": ""}, MAY_IMPORT) == ["edgevit.new.file: the table does not list new"]


@pytest.mark.parametrize("name", within(PURE))
def test_values_and_judgements_need_no_numbers(name: str) -> None:
    assert not outside(name) & HEAVY
    assert not outside(name, at_module_level=True) & {"matplotlib"}


@pytest.mark.parametrize("name", within(("gate",)))
def test_the_gate_looks_at_nothing_but_the_run(name: str) -> None:
    assert not outside(name) & {"os", "subprocess", "time", "random"}


@pytest.mark.parametrize("name", [name for name in MODULES if package(name) != "cli"])
def test_only_the_command_line_knows_typer_and_rich(name: str) -> None:
    assert not outside(name) & {"typer", "rich", "click"}


@pytest.mark.parametrize("name", within(("cli",)))
def test_commands_are_light_until_they_run(name: str) -> None:
    assert not outside(name, at_module_level=True) & (HEAVY | {"pydantic", "pydantic_core", "tomli", "tomllib"})
    at_top = {
        package(each.name)
        for each in imports(MODULES[name])
        if each.name.startswith("edgevit") and not each.deferred and not each.typing_only
    }
    assert at_top <= {"cli", "errors", "units", "version"}


@pytest.mark.parametrize("name", [name for name in within(("cli",)) if name != "edgevit.cli.terminal"])
def test_rich_is_known_to_the_terminal_alone(name: str) -> None:
    assert "rich" not in outside(name)


@pytest.mark.parametrize("name", [name for name in within(("backends",)) if name.count(".") >= 2])
def test_backends_do_not_know_each_other(name: str) -> None:
    backends = {path.parent.name for path in (PACKAGE / "backends").glob("*/__init__.py")}
    known = {each.name.split(".")[2] for each in imports(MODULES[name]) if each.name.startswith("edgevit.backends.")}
    assert not known & (backends - {name.split(".")[2]})


def test_tomllib_is_read_in_one_place() -> None:
    assert [name for name in MODULES if outside(name) & {"tomllib", "tomli"}] == ["edgevit.spec.toml_files"]


@pytest.mark.parametrize(
    ("packages", "module"), [({"distributed", "dask"}, "edgevit.cluster.engine"), ({"fsspec"}, "edgevit.store.place")]
)
def test_engines_are_known_to_one_file_each(packages: set[str], module: str) -> None:
    assert [name for name in MODULES if outside(name) & packages] == [module]
