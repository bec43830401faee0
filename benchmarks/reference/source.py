"""What stands in the source of a class: the docstrings of its attributes, which Python does not keep."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path


def attribute_docstrings(kind: type) -> dict[str, str]:
    """Returns the docstring of each attribute that has one, also of inherited ones."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("edgevit"):
            found |= attributes_of(_classes(each.__module__)[each.__name__])
    return found


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    source = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def attributes_of(tree: ast.ClassDef) -> dict[str, str]:
    """Returns the docstrings of attributes: texts that follow an annotated assignment."""
    return {
        before.target.id: after.value.value
        for before, after in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }
