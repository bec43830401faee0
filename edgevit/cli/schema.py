"""``edgevit schema``: prints the JSON Schema of a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from edgevit.cli import options


def schema(
    kind: Annotated[
        Literal["run", "search", "distill", "spec", "budget", "device", "recommendation"],
        typer.Argument(help="Which file.", show_default=False),
    ],
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", rich_help_panel=options.OUTPUT, help="As all commands take it; a schema is JSON without it."
        ),
    ] = False,
) -> None:
    """Print the JSON Schema of a file.

    For run.json, search.json and distill.json, the spec, budget and device files that users write, and `edgevit recommend --json`.

    \b
    Example:
      edgevit schema run > run.schema.json
    """
    from edgevit.cli import terminal

    terminal.print_json(_schema(kind))


def _schema(kind: str) -> dict[str, Any]:
    if kind == "run":
        from edgevit.results.run import run_json_schema

        return run_json_schema()
    if kind == "search":
        from edgevit.results.search import search_json_schema

        return search_json_schema()
    if kind == "distill":
        from edgevit.results.distillation import distill_json_schema

        return distill_json_schema()
    if kind == "spec":
        from edgevit.spec.spec import Spec

        return Spec.model_json_schema()
    if kind == "budget":
        from edgevit.gate.budget import Budget

        return Budget.model_json_schema()
    if kind == "recommendation":
        from edgevit.results.recommendation import recommendation_json_schema

        return recommendation_json_schema()
    from edgevit.devices.device import Device

    return Device.model_json_schema()
