"""The reference of the Python API, from the source of what ``edgevit`` exports; nothing of it is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import edgevit
from benchmarks.reference.docstrings import as_markdown, one_line, table
from benchmarks.reference.source import attributes_of

_ROOT = Path(edgevit.__file__).parents[1]
_HEAD = """# Python

`import edgevit` is light; each name below is loaded when it is first used. Errors are `edgevit.EdgevitError`, with `message` and
`hint`. Names that are not on this page may change."""


def python_page() -> str:
    """Returns the page: functions first, then types that have another name, then classes."""
    found = {name: _definition(name) for name in edgevit.__all__ if name != "__version__"}
    functions = {name: node for name, node in found.items() if isinstance(node, ast.FunctionDef)}
    aliases = {name: node for name, node in found.items() if isinstance(node, ast.Assign)}
    classes = {name: node for name, node in found.items() if isinstance(node, ast.ClassDef)}
    parts = [_HEAD]
    for name, function in functions.items():
        parts += [f"## {name}", _signature(f"edgevit.{name}", function), as_markdown(ast.get_docstring(function) or "")]
    for name, alias in aliases.items():
        parts += [f"## {name}", f"```text\n{ast.unparse(alias)}\n```", as_markdown(_alias_docstring(name))]
    for name, kind in classes.items():
        parts += [f"## {name}", as_markdown(ast.get_docstring(kind) or ""), *_members(kind)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _definition(name: str, home: str | None = None) -> ast.stmt:
    """Finds a name in the module that defines it, also where its public home only imports it."""
    module = home or edgevit._HOMES[name]
    tree = ast.parse((_ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _definition(name, node.module)
    raise LookupError(f"{module} has no {name}")


def _alias_docstring(name: str) -> str:
    """The text that follows the assignment of a name."""
    tree = ast.parse((_ROOT / f"{edgevit._HOMES[name].replace('.', '/')}.py").read_text(encoding="utf-8"))
    return next(
        after.value.value
        for before, after in pairwise(tree.body)
        if isinstance(before, ast.Assign)
        and ast.unparse(before.targets[0]) == name
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    )


def _signature(name: str, function: ast.FunctionDef) -> str:
    arguments, plain = function.args, ast.unparse
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [(argument, default) for argument, default in zip(positional, defaults, strict=True)]
    lines = [_argument(argument, default) for argument, default in pairs if argument.arg != "self"]
    if arguments.vararg:
        lines.append(f"*{plain(arguments.vararg)}")
    elif arguments.kwonlyargs:
        lines.append("*")
    lines += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    result = f" -> {plain(function.returns)}" if function.returns else ""
    short = f"{name}({', '.join(lines)}){result}"
    if len(short) > 100:
        short = f"{name}(\n" + "".join(f"    {line},\n" for line in lines) + f"){result}"
    return f"```text\n{short}\n```"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default is not None else "")


def _without_notes(annotation: ast.expr) -> ast.expr:
    """The type in an ``Annotated``, whose notes are for reading and writing documents."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        return annotation.slice.elts[0]
    return annotation


def _members(kind: ast.ClassDef) -> Iterator[str]:
    """Attributes as a table, public methods and properties with their docstrings."""
    told = attributes_of(kind)
    rows = [
        (
            f"`{node.target.id}`",
            f"`{ast.unparse(_without_notes(node.annotation))}`",
            one_line(told.get(node.target.id, "")),
        )
        for node in kind.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_")
    ]
    if rows:
        yield table(("attribute", "type", "meaning"), rows)
    for node in kind.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and ast.get_docstring(node):
            if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
                yield f"### {kind.name}.{node.name}"
            else:
                yield f"### {kind.name}.{node.name}()\n\n{_signature(node.name, node)}"
            yield as_markdown(ast.get_docstring(node) or "")
