"""``edgevit cluster``: starts the scheduler of a cluster, and shows its machines."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

if TYPE_CHECKING:
    from edgevit.cluster.engine import Serving

cluster = typer.Typer(
    help="""Start a cluster, and see what its machines do.

    \b
    Examples:
      edgevit cluster certificate certificate
      edgevit cluster start --host desk --tls certificate
      edgevit cluster status tls://desk:8786 --tls certificate
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cluster.command("start", cls=StrictCommand)
def start(
    host: Annotated[
        str,
        typer.Option(rich_help_panel=options.RUN, help="Name or address by which the other machines know this one."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, rich_help_panel=options.RUN, help="0: any that is free.")
    ] = 8786,
    tls: options.Tls = None,
    as_json: options.Json = False,
) -> None:
    """Start the scheduler, Dask's, on this machine.

    Without --tls it listens to this machine alone: whoever reaches a scheduler without TLS can run anything on its workers.

    \b
    Examples:
      edgevit cluster start
      edgevit cluster start --host desk --tls certificate
    """
    from edgevit.cluster.engine import serve_scheduler

    serve_scheduler(host, port, tls, partial(tell_ready, as_json=as_json))


def tell_ready(serving: Serving, as_json: bool) -> None:
    """Says that a scheduler or worker is ready: as a JSON document, which a script waits for, or in a line for people."""
    from edgevit.cli import terminal
    from edgevit.results.document import to_document

    if as_json:
        terminal.print_json(to_document(serving))
        sys.stdout.flush()
    else:
        terminal.print_message(f"{serving.name}: ready at {serving.address}")


@cluster.command("certificate", cls=StrictCommand)
def certificate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; is made.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """Make a certificate and key for --tls.

    Whoever has them may join the cluster: copy the folder to its machines, and to nobody else. They are valid for a year.

    \b
    Example:
      edgevit cluster certificate certificate
    """
    from edgevit.cli import terminal
    from edgevit.cluster.engine import write_certificate

    write_certificate(folder)
    if as_json:
        terminal.print_json({"folder": str(folder)})
    else:
        terminal.print_line(f"{folder}: copy it to every machine of the cluster, and to nobody else")


@cluster.command("status", cls=StrictCommand)
def status(
    scheduler: Annotated[
        str, typer.Argument(metavar="URL", help="Of the scheduler, such as tls://desk:8786.", show_default=False)
    ],
    tls: options.Tls = None,
    as_json: options.Json = False,
) -> None:
    """Show machines, versions and boards, and who holds what.

    Exit 1 if a machine has other versions than this one, so that runs refuse the cluster.

    \b
    Example:
      edgevit cluster status tcp://127.0.0.1:8786
    """
    from edgevit.cli import terminal
    from edgevit.cluster.status import cluster_status, status_lines
    from edgevit.errors import ExitCode
    from edgevit.results.document import to_document

    found = cluster_status(scheduler, tls)
    if as_json:
        terminal.print_json(to_document(found))
    else:
        for line in status_lines(found):
            terminal.print_line(line)
    raise typer.Exit(ExitCode.DONE if found.is_usable else ExitCode.CHECK_FAILED)
