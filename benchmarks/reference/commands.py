"""The reference of commands, from the Typer application."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from benchmarks.reference.docstrings import one_line, table
from edgevit.cli.app import make_app


def commands_page() -> str:
    """Returns the page: each command with its help, arguments and options."""
    root = typer.main.get_command(make_app())
    context = root.make_context("edgevit", [], resilient_parsing=True)
    parts = ["# Commands", "Made from `edgevit --help` and the help of each command.", *_sections(root, context)]
    return "\n\n".join(parts) + "\n"


def _sections(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"{'#' * (2 + bool(context.parent))} {inner.command_path}"
        yield f"```text\n{' '.join([inner.command_path, *command.collect_usage_pieces(inner)])}\n```"
        yield from _help(command.help)
        yield from _parameters(command, inner)
        if hasattr(command, "list_commands"):
            yield from _sections(command, inner)


def _help(text: str) -> Iterator[str]:
    """Paragraphs; what Typer is asked not to fold is an example, and becomes code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            title, _, code = paragraph.removeprefix("\b\n").partition("\n")
            language = "sh" if code.lstrip().startswith("edgevit") else "toml"
            yield f"{title}\n\n```{language}\n{inspect.cleandoc(code)}\n```"
        else:
            yield " ".join(paragraph.split())


def _parameters(command: Any, context: Any) -> Iterator[str]:
    panels: dict[str, list[tuple[str, ...]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in record[0]:
            title = "Arguments" if parameter.param_type_name == "argument" else parameter.rich_help_panel or "Options"
            panels.setdefault(title, []).append((f"`{record[0].strip()}`", one_line(record[1])))
    others = panels.pop("Options", [])
    for title, rows in {**panels, "Options": others}.items():
        if rows:
            yield table((title, ""), rows)
