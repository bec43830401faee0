"""``edgevit store``: what a store of tasks holds, what of it may go, and what is damaged."""

from __future__ import annotations

from typing import Annotated

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

Url = Annotated[
    str, typer.Argument(metavar="URL", help="A folder, or a bucket such as s3://bucket/folder.", show_default=False)
]

store = typer.Typer(
    help="""List, clean up or check what runs store.

    \b
    Examples:
      edgevit store ls store
      edgevit store gc store --keep-runs 5
      edgevit store verify s3://bucket/store
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@store.command("ls", cls=StrictCommand)
def list_runs(url: Url, as_json: options.Json = False) -> None:
    """List the runs that use a store, and what it holds.

    \b
    Example:
      edgevit store ls store
    """
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.results.document import to_document
    from edgevit.store.store import open_existing_store
    from edgevit.store.upkeep import contents

    found = contents(open_existing_store(url))
    if as_json:
        terminal.print_json(to_document(found))
        return
    for use in found.runs:
        terminal.print_line(f"{use.run.created_at}  {use.tasks} tasks, {units.size(use.size_bytes)}  {use.run.name}")
    total = f"{len(found.runs)} runs, {found.records} tasks, {found.blobs} files, {units.size(found.size_bytes)}"
    terminal.print_line(f"{found.url}: {total}")


@store.command("gc", cls=StrictCommand)
def collect(
    url: Url,
    keep_runs: Annotated[
        int, typer.Option(min=0, rich_help_panel=options.RUN, help="Keep what so many of the newest runs use.")
    ],
    min_age_hours: Annotated[
        float,
        typer.Option(
            min=0, rich_help_panel=options.RUN, help="Keep what is younger, for a run that goes on may need it."
        ),
    ] = 24.0,
    as_json: options.Json = False,
) -> None:
    """Remove what older runs alone use.

    \b
    Example:
      edgevit store gc store --keep-runs 5
    """
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.results.document import to_document
    from edgevit.store.store import open_existing_store
    from edgevit.store.upkeep import collect_garbage

    done = collect_garbage(open_existing_store(url), keep_runs, min_age_hours)
    if as_json:
        terminal.print_json(to_document(done))
        return
    removed = f"{done.runs} runs, {done.records} tasks and {done.blobs} files removed"
    terminal.print_line(f"{removed}: {units.size(done.freed_bytes)} freed, {units.size(done.kept_bytes)} left")


@store.command("verify", cls=StrictCommand)
def verify(url: Url, as_json: options.Json = False) -> None:
    """Compare all of a store with its checksums.

    Changes nothing. What is damaged counts as absent, and is made anew when a run needs it. Exit 1 if anything is.

    \b
    Example:
      edgevit store verify store
    """
    from edgevit.cli import terminal
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document
    from edgevit.store.store import open_existing_store
    from edgevit.store.upkeep import verify_store

    found = verify_store(open_existing_store(url))
    if as_json:
        terminal.print_json(to_document(found))
    else:
        for name in found.damaged:
            terminal.print_line(f"damaged: {name}")
        for key in found.incomplete:
            terminal.print_line(f"incomplete: task {key}")
        state = "all whole" if found.is_whole else "what is damaged is made anew when it is needed"
        terminal.print_line(f"{found.blobs} files, {found.records} tasks: {state}")
    raise typer.Exit(ExitCode.DONE if found.is_whole else ExitCode.CHECK_FAILED)
