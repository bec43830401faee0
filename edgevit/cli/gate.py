"""``edgevit gate``: tests runs against a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgevit.cli import options
from edgevit.errors import UsageError


def gate(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Run folders, or their run.json.", show_default=False),
    ] = None,
    budget: Annotated[
        Path | None, typer.Option(rich_help_panel=options.CHOICE, help="The limits, in TOML.", show_default=False)
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            rich_help_panel=options.CHOICE,
            help="The run that max_increase and max_decrease are held against.",
            show_default=False,
        ),
    ] = None,
    candidate: options.Candidate = None,
    inconclusive: Annotated[
        Literal["fail", "pass"],
        typer.Option(rich_help_panel=options.CHOICE, help="What a limit that cannot be decided counts as."),
    ] = "fail",
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="NEW",
            rich_help_panel=options.MEASUREMENT,
            help="In place of RUN: an artifact to time beside another one, on this machine.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD",
            rich_help_panel=options.MEASUREMENT,
            help="With --measure: the artifact that it is held against.",
            show_default=False,
        ),
    ] = None,
    max_regression: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            rich_help_panel=options.MEASUREMENT,
            help="With --measure: how much longer NEW may take; 5% when not given.",
        ),
    ] = None,
    max_speed_up: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            rich_help_panel=options.MEASUREMENT,
            help="With --measure: how much less time NEW may take and not be suspected to lack layers; 20% when not given.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=options.MEASUREMENT,
            help="With --measure: the most to measure; it ends as soon as the verdict is known. 2 when not given.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, rich_help_panel=options.MEASUREMENT, help="With --measure: CPU threads; 1 when not given."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=options.MEASUREMENT,
            help="With --measure: f32, bf16, or fastest, which holds when not given: the runtime chooses.",
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
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=options.OUTPUT, help="Write JUnit XML.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=options.OUTPUT, help="Write SARIF 2.1.0.")
    ] = None,
    gitlab: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=options.OUTPUT, help="Write a code-quality report of GitLab."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", rich_help_panel=options.OUTPUT, help="Write Markdown.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Test runs against a budget, or an artifact against another.

    Exit 0 if every limit is met, 1 otherwise. A limit whose value is not known fails; one within the 95 % interval of its value
    is inconclusive, and so is an unstable latency; a prediction passes only if its
    whole interval is within the limit. Where the artifact's files are beside run.json,
    they have to be those of the run. On GitHub Actions it adds to the summary of the job and annotates the budget.

    \b
    Example of a budget.toml:
      size_bytes = "8 MB"
      accuracy_drop_points = "1 pt"
      [devices.host]
      latency_p50_ms = { max = "15 ms", max_increase = "5 %" }
      peak_rss_bytes = { max = "200 MB", level = "warn" }
      [devices.raspberry-pi-5]
      latency_p50_ms = "40 ms"

    With --measure NEW --against OLD two artifacts are timed beside each other until it is known whether NEW is slower
    by more than --max-regression: an interval of the ratio that holds at whatever moment it ends.

    \b
    Examples:
      edgevit gate run --budget budget.toml
      edgevit gate --measure new.onnx --against old.onnx --max-regression 5% --minutes 2
    """
    from edgevit.cli.gate_outputs import GateOutputs

    how = {
        "--max-regression": max_regression,
        "--max-speed-up": max_speed_up,
        "--minutes": minutes is not None,
        "--threads": threads,
        "--precision": precision,
    }
    if measure is not None or against is not None:
        from edgevit.cli import gate_measure

        judging = {
            "RUN": runs,
            "--budget": budget,
            "--baseline": baseline,
            "--candidate": candidate,
            "--require-artifacts": require_artifacts,
        }
        options.refuse_with("--measure", judging, "it times two files, and reads no run")
        in_budget = {"--sarif": sarif, "--gitlab": gitlab}
        options.refuse_with("--measure", in_budget, "it shows lines of a budget; --junit and --markdown need none")
        outputs = GateOutputs(junit=junit, markdown=markdown)
        outputs.check()
        given = gate_measure.GivenOptions(max_regression, max_speed_up, minutes, threads, precision)
        found = gate_measure.compare(measure, against, given)
        gate_measure.write(found, outputs, inconclusive)
        gate_measure.show(found, as_json=as_json)
        raise typer.Exit(gate_measure.exit_code(found, inconclusive, require_stable=require_stable))
    if any(how.values()):
        given_names = " and ".join(name for name, value in how.items() if value)
        raise UsageError(f"{given_names} without --measure", "add --measure NEW --against OLD, or leave it out")
    if not runs:
        raise UsageError("missing argument 'RUN'", "see `edgevit gate --help`; or give --measure NEW --against OLD")
    if budget is None:
        raise UsageError("missing option --budget", "give the limits, such as --budget budget.toml")
    from edgevit.cli import render_gate
    from edgevit.cli.gate_outputs import tell_github, write_outputs
    from edgevit.errors import ExitCode
    from edgevit.gate.gate_runs import GateRequest, gate_runs

    outputs = GateOutputs(junit, sarif, gitlab, markdown)
    outputs.check()
    result = gate_runs(GateRequest(tuple(runs), budget, baseline, candidate, require_artifacts))
    write_outputs(result, outputs, inconclusive_fails=inconclusive == "fail")
    for line in tell_github(result):
        render_gate.print_message(line)
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
