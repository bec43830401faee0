"""``edgevit gate``: tests a run against a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options


def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its run.json.", show_default=False)],
    budget: Annotated[
        Path, typer.Option(rich_help_panel=options.CHOICE, help="The limits, in TOML.", show_default=False)
    ],
    candidate: Annotated[
        str | None,
        typer.Option(
            metavar="RANK|ID",
            rich_help_panel=options.CHOICE,
            help="Which candidate, by its rank in the run's table or its id; the chosen one when not given.",
        ),
    ] = None,
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
    """Test a run against a budget.

    Exit 0 if every limit is met, 1 otherwise. A limit whose value is not known fails; a prediction passes only if its
    whole interval is within the limit. peak_rss_bytes limits the memory of the
    process, peak_tensor_bytes what a prediction knows of it: weights and
    activations. Where the artifact's files are beside run.json,
    they have to be those of the run.

    \b
    Example of a budget.toml:
      size_bytes = 8_000_000
      accuracy_drop_points = 1.0
      [devices.host]
      latency_p50_ms = 15.0
      peak_rss_bytes = 200_000_000
      [devices.raspberry-pi-5]
      latency_p50_ms = 40.0

    \b
    Example:
      edgevit gate run --budget budget.toml
    """
    from dataclasses import asdict

    from edgevit.cli import render, terminal
    from edgevit.errors import ExitCode
    from edgevit.gate.budget import load_budget
    from edgevit.gate.files import judge_files
    from edgevit.gate.judge import decide
    from edgevit.results.run import load_run

    limits = load_budget(budget)
    loaded = load_run(run)
    folder = run if run.is_dir() else run.parent
    verdict = judge_files(decide(loaded, limits, candidate), loaded, folder, required=require_artifacts)
    if as_json:
        terminal.print_json(
            {
                "run": str(run),
                "quick": loaded.is_quick,
                "budget": str(budget),
                "verdict": verdict.outcome,
                **asdict(verdict),
            }
        )
    else:
        render.print_verdict(verdict)
        if loaded.is_quick:
            terminal.print_line("note: a quick run, on few images")
    judged = next((each for each in loaded.candidates if each.id == verdict.candidate), None)
    if require_stable and judged and judged.unstable:
        terminal.print_message(f"unstable: {judged.id}: {judged.unstable}; repeat the run on a quiet machine")
        raise typer.Exit(ExitCode.CHECK_FAILED)
    raise typer.Exit(verdict.exit_code)
