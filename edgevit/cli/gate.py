"""``edgevit gate``: tests runs against a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgevit.cli import options


def gate(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run folders, or their run.json.", show_default=False),
    ],
    budget: Annotated[
        Path, typer.Option(rich_help_panel=options.CHOICE, help="The limits, in TOML.", show_default=False)
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            rich_help_panel=options.CHOICE,
            help="The run that max_increase and max_decrease are held against.",
            show_default=False,
        ),
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(
            metavar="RANK|ID",
            rich_help_panel=options.CHOICE,
            help="Which candidate, by its rank in the run's table or its id; the chosen one when not given.",
        ),
    ] = None,
    inconclusive: Annotated[
        Literal["fail", "pass"],
        typer.Option(rich_help_panel=options.CHOICE, help="What a limit that cannot be decided counts as."),
    ] = "fail",
    require_stable: options.RequireStable = False,
    require_artifacts: Annotated[
        bool,
        typer.Option(
            "--require-artifacts",
            rich_help_panel=options.CHOICE,
            help="Fail where the artifact's files are not beside run.json.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Test runs against a budget.

    Exit 0 if every limit is met, 1 otherwise. A limit whose value is not known fails; one within the 95 % interval of its value
    is inconclusive, and so is an unstable latency; a prediction passes only if its
    whole interval is within the limit. Where the artifact's files are beside run.json,
    they have to be those of the run.

    \b
    Example of a budget.toml:
      size_bytes = "8 MB"
      accuracy_drop_points = "1 pt"
      [devices.host]
      latency_p50_ms = { max = "15 ms", max_increase = "5 %" }
      peak_rss_bytes = { max = "200 MB", level = "warn" }
      [devices.raspberry-pi-5]
      latency_p50_ms = "40 ms"

    \b
    Example:
      edgevit gate run --budget budget.toml
    """
    from edgevit.cli import render_gate
    from edgevit.errors import ExitCode
    from edgevit.gate.gate_runs import GateRequest, gate_runs

    result = gate_runs(GateRequest(tuple(runs), budget, baseline, candidate, require_artifacts))
    if as_json:
        render_gate.print_document(result)
    else:
        render_gate.print_result(result)
    noisy = [verdict for verdict in result.verdicts if require_stable and verdict.unstable]
    for verdict in noisy:
        render_gate.print_message(
            f"unstable: {verdict.candidate}: {verdict.unstable}; repeat the run on a quiet machine"
        )
    passes = result.outcome == "pass" or (inconclusive == "pass" and result.outcome == "inconclusive")
    raise typer.Exit(ExitCode.DONE if passes and not noisy else ExitCode.CHECK_FAILED)
