"""The hook of MkDocs that adds the reference to the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.reference.commands import commands_page
from benchmarks.reference.python_api import python_page
from benchmarks.reference.run_document import run_page
from benchmarks.reference.sections import budget_page, spec_page

PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands_page,
    "reference/spec.md": spec_page,
    "reference/budget.md": budget_page,
    "reference/run.md": run_page,
    "reference/python.md": python_page,
}
"""Every page that is made, by its place below docs/."""


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages to those of docs/."""
    from mkdocs.structure.files import File

    for place, page in PAGES.items():
        files.append(File.generated(config, place, content=page()))
    return files
