"""Rules for docstrings and signatures, read from the source of every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "edgevit"
SOURCES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Text of each file by its dotted path; ``__init__`` files end in ".__init__"."""

ERRORS = {"UsageError", "CandidateFailed", "CheckFailed", "DiskFull", "ValueError"}
"""Classes that a ``Raises:`` section has to name."""
FACTORIES = {"unknown_name": "UsageError"}
"""Functions that make an error to raise, with its class."""
MOST_PARAMETERS = 6
KEYWORDS = {
    ("edgevit.api.compress", "compress"),
    ("edgevit.api.export", "export"),
    ("edgevit.api.quantize", "quantize"),
    ("edgevit.api.steps", "evaluate"),
    ("edgevit.api.verify", "verify"),
}
"""Functions whose settings are keywords, as those of a command are options."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def definitions(tree: ast.AST) -> Iterator[tuple[str, Definition]]:
    """Yields every function and class with its dotted name inside the file, nested ones too."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, Definition):
            yield from definitions(child)
            continue
        yield child.name, child
        yield from ((f"{child.name}.{name}", inner) for name, inner in definitions(child))


def public(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yields public functions and classes of a module, and public methods of public classes."""
    for name, node in _members(tree):
        yield name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{name}.{inner}", method) for inner, method in _members(node) if isinstance(method, Function))


def _members(node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, Definition]]:
    """Yields public definitions directly in a body, or in an ``if`` or ``try`` there."""
    for name, child in definitions(node):
        if "." not in name and not name.startswith("_"):
            yield name, child


def registered_commands() -> set[tuple[str, str]]:
    """Module and name of every function that ``edgevit.cli.app`` registers as a command."""
    for node in ast.walk(ast.parse(SOURCES["edgevit.cli.app"])):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS":
            listed = ast.literal_eval(node.value)
            return {(f"edgevit.cli.{command.replace('-', '_')}", function) for command, function in listed}
    raise AssertionError("edgevit.cli.app has no COMMANDS")


COMMANDS = registered_commands()


def is_command(module: str, name: str, node: Definition) -> bool:
    """Whether a function is a Typer command or callback: its parameters are options, its docstring is help text."""
    if not module.startswith("edgevit.cli.") or not isinstance(node, Function):
        return False
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return (module, name) in COMMANDS or any(re.search(r"\.(command|callback)\b", each) for each in decorators)


def undocumented(module: str, source: str) -> list[str]:
    """Public functions, classes and methods without a docstring."""
    return [
        f"{module}.{name} has no docstring"
        for name, node in public(ast.parse(source))
        if ast.get_docstring(node) is None and not is_command(module, name, node)
    ]


def raised(function: Function) -> set[str]:
    """Names of what a function's own body raises by class, or through a factory; not in functions inside it."""
    found = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(made).rpartition(".")[2]
            found.add(FACTORIES.get(name, name))
        waiting += ast.iter_child_nodes(node)
    return found & ERRORS


def unnamed_errors(module: str, source: str) -> list[str]:
    """Errors that public functions raise without naming them in a ``Raises:`` section."""
    found = []
    for name, node in public(ast.parse(source)):
        if isinstance(node, Function) and not is_command(module, name, node):
            section = (ast.get_docstring(node) or "").partition("Raises:\n")[2]
            missing = [error for error in sorted(raised(node)) if not re.search(rf"\b{error}: ", section)]
            found += [f"{module}.{name} does not name {error} under Raises" for error in missing]
    return found


def long_signatures(module: str, source: str) -> list[str]:
    """Functions and methods, private ones too, with more parameters than allowed."""
    found = []
    for name, node in definitions(ast.parse(source)):
        if not isinstance(node, Function) or is_command(module, name, node) or (module, name) in KEYWORDS:
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([argument for argument in arguments if argument.arg not in ("self", "cls")])
        if count > MOST_PARAMETERS:
            found.append(f"{module}.{name} has {count} parameters, more than {MOST_PARAMETERS}")
    return found


def single_backticks(module: str, source: str) -> list[str]:
    """Docstrings, those below attributes too, with code in single backticks; roles such as :func:`x` are allowed."""
    tree = ast.parse(source)
    help_texts = {
        id(node.body[0])
        for name, node in definitions(tree)
        if is_command(module, name, node) and isinstance(node.body[0], ast.Expr)
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr) or id(node) in help_texts:
            continue
        text = node.value.value if isinstance(node.value, ast.Constant) else None
        if isinstance(text, str):
            marked = re.findall(r"(?<![`:\w])`[^`\n]+`(?!`)", text)
            found += [f"{module} line {node.lineno}: {code} needs double backticks" for code in marked]
    return found


def missing_shapes(module: str, source: str) -> list[str]:
    """Public functions that take or return arrays or tensors without a word about a shape."""
    uses_torch = re.search(r"^ *(import|from) torch\b", source, re.M)  # elsewhere a Tensor is one of results.graph
    arrays = r"\b(ndarray|NDArray|Tensor)\b" if uses_torch else r"\b(ndarray|NDArray)\b"
    found = []
    for name, node in public(ast.parse(source)):
        if not isinstance(node, Function):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        types = [argument.annotation for argument in arguments] + [node.returns]
        if any(kind is not None and re.search(arrays, ast.unparse(kind)) for kind in types):
            shape = re.search(r"\[[\w*. /,+-]+\]|\bshapes?\b", ast.get_docstring(node) or "")
            found += [] if shape else [f"{module}.{name} states no shape"]
    return found


Rule = Callable[[str, str], list[str]]
RULES: tuple[Rule, ...] = (undocumented, unnamed_errors, long_signatures, single_backticks, missing_shapes)


@pytest.mark.parametrize("package", sorted({module.split(".")[1] for module in SOURCES}))
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_package_keeps_the_rule(rule: Rule, package: str) -> None:
    modules = [module for module in SOURCES if module.split(".")[1] == package]
    assert [found for module in modules for found in rule(module, SOURCES[module])] == []


@pytest.mark.parametrize(
    ("rule", "source", "complaint"),
    [
        (undocumented, "def f(): ...", "made.up.f has no docstring"),
        (undocumented, "class A: ...", "made.up.A has no docstring"),
        (undocumented, "class A:\n    '''A.'''\n    def f(self): ...", "made.up.A.f has no docstring"),
        (undocumented, "if True:\n    def f(): ...", "made.up.f has no docstring"),
        (
            unnamed_errors,
            "def f():\n    '''Does.'''\n    if True:\n        raise UsageError('no')",
            "made.up.f does not name UsageError under Raises",
        ),
        (
            unnamed_errors,
            "def f():\n    '''Does.\n\n    Raises:\n        UsageError: no.\n    '''\n    raise errors.CheckFailed",
            "made.up.f does not name CheckFailed under Raises",
        ),
        (
            unnamed_errors,
            "class A:\n    def f(self):\n        raise unknown_name('a', 'b', [])",
            "made.up.A.f does not name UsageError under Raises",
        ),
        (long_signatures, "def _f(a, b, c, d, /, e, *, f, g): ...", "made.up._f has 7 parameters, more than 6"),
        (
            long_signatures,
            "class A:\n    def __init__(self, a, b, c, d, e, f, g): ...",
            "made.up.A.__init__ has 7 parameters, more than 6",
        ),
        (single_backticks, "'''Takes `x`.'''", "made.up line 1: `x` needs double backticks"),
        (single_backticks, "a = 1\n'''Is `x`.'''", "made.up line 2: `x` needs double backticks"),
        (missing_shapes, "def f(a: np.ndarray):\n    '''Counts.'''", "made.up.f states no shape"),
        (
            missing_shapes,
            "from torch import Tensor\nclass A:\n    def f(self) -> dict[str, Tensor | None]: ...",
            "made.up.A.f states no shape",
        ),
    ],
)
def test_a_rule_can_fail(rule: Rule, source: str, complaint: str) -> None:
    assert rule("made.up", source) == [complaint]


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (undocumented, "def _f(): ...\nclass _A:\n    def f(self): ...\nclass B:\n    '''B.'''\n    def _f(self): ..."),
        (undocumented, "def f():\n    '''Does.'''\n    def inner(): ..."),
        (unnamed_errors, "def _f():\n    raise UsageError('no')"),
        (unnamed_errors, "def f():\n    def inner():\n        raise UsageError('no')\n    raise KeyError"),
        (
            unnamed_errors,
            "def f():\n    '''Does.\n\n    Raises:\n        UsageError: no.\n    '''\n    raise UsageError",
        ),
        (long_signatures, "class A:\n    def f(self, a, b, c, d, e, f, *more, **named): ..."),
        (single_backticks, "'''Calls ``f``, see :func:`f` and :class:`a.B`.'''\nprint('`x`')"),
        (missing_shapes, "def f(a: np.ndarray):\n    '''Counts float32 [n, 3].'''"),
        (missing_shapes, "def f(a: np.ndarray):\n    '''Counts an array of any shape.'''"),
        (missing_shapes, "def f(a: Tensor):\n    '''Reads a tensor of :mod:`edgevit.results.graph`.'''"),
        (missing_shapes, "def _f(a: np.ndarray): ..."),
    ],
)
def test_what_a_rule_does_not_forbid(rule: Rule, source: str) -> None:
    assert rule("made.up", source) == []


def test_commands_are_left_to_typer() -> None:
    source = "@group.command('list')\ndef show(a, b, c, d, e, f, g):\n    '''Takes `x`.'''\n    raise UsageError('no')"
    assert [rule("edgevit.cli.devices", source) for rule in RULES] == [[]] * len(RULES)
    assert [len(rule("edgevit.devices.cost", source)) for rule in RULES] == [0, 1, 1, 1, 0]
    assert ("edgevit.cli.reduce_tokens", "reduce_tokens") in COMMANDS
