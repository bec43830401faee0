"""``edgevit worker``: lets this machine carry out the tasks of a cluster."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def worker(
    scheduler: Annotated[
        str, typer.Argument(metavar="URL", help="Of the scheduler, such as tls://desk:8786.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(rich_help_panel=options.RUN, help="Of this machine in the cluster; its host name when not given."),
    ] = None,
    jobs: options.Jobs = None,
    board: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=options.RUN,
            help="Address of a board that belongs to this machine, as for --on; may be repeated.",
        ),
    ] = None,
    tls: options.Tls = None,
    scratch: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=options.RUN, help="Folder for the files of tasks; in the user's cache when not given."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Let this machine carry out tasks of a cluster.

    One worker serves a whole machine, with as many tasks side by side as it has processors. It ends with the scheduler; what it has
    done is in the store.

    \b
    Examples:
      edgevit worker tcp://127.0.0.1:8786
      edgevit worker tls://desk:8786 --tls certificate --board pi@raspberrypi.local
    """
    from edgevit.cli.cluster import tell_ready
    from edgevit.cluster.worker import WorkerSettings, run_worker
    from edgevit.measure.boards.address import parse_address
    from edgevit.measure.host import host_fingerprint

    boards = tuple(str(parse_address(each)) for each in board or ())
    settings = WorkerSettings(scheduler, host_fingerprint(1), name, jobs, boards, tls, scratch)
    run_worker(settings, partial(tell_ready, as_json=as_json))
