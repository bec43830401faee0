"""``edgevit budget``: writes a budget from a run, and tells what one asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgevit.cli import options
from edgevit.cli.strict_command import StrictCommand

budget = typer.Typer(
    help="""Write a budget from a run, or tell what one asks for.

    \b
    Examples:
      edgevit budget init run
      edgevit budget explain budget.toml run
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@budget.command("init", cls=StrictCommand)
def init(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its run.json.", show_default=False)],
    out: Annotated[
        Path, typer.Option(rich_help_panel=options.OUTPUT, metavar="FILE", help="The budget to write, .toml.")
    ] = Path("budget.toml"),
    candidate: options.Candidate = None,
    as_json: options.Json = False,
) -> None:
    """Write a budget that a run keeps.

    What is exact is the limit; a measured latency has the head-room that its own interval justifies for a second measurement.
    What was unstable stands in a comment.

    \b
    Example:
      edgevit budget init run --out budget.toml
    """
    from dataclasses import asdict

    from edgevit.cli import render_gate
    from edgevit.errors import UsageError
    from edgevit.gate.headroom import budget_toml, propose
    from edgevit.results.run import load_run
    from edgevit.run.files import write_atomically

    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists", "remove it, or choose another --out")
    proposed = propose(load_run(run), candidate)
    write_atomically(out, budget_toml(proposed, str(run)).encode())
    if as_json:
        render_gate.print_json({"budget": str(out), **asdict(proposed)})
    else:
        render_gate.print_line(str(out))
        render_gate.print_message(f"next: edgevit gate {run} --budget {out}")


@budget.command("explain", cls=StrictCommand)
def explain(
    file: Annotated[Path, typer.Argument(metavar="BUDGET", help="A budget, .toml.", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run to hold it against, likewise.", show_default=False),
    ] = None,
    candidate: options.Candidate = None,
    as_json: options.Json = False,
) -> None:
    """Tell in words what a budget asks for, and what it comes to.

    With a run, each limit is held against it.

    \b
    Example:
      edgevit budget explain budget.toml run
    """
    from dataclasses import asdict

    from edgevit.cli import render_gate
    from edgevit.errors import UsageError
    from edgevit.gate.budget import load_budget
    from edgevit.gate.explain import explain_budget
    from edgevit.gate.judge import verdicts
    from edgevit.results.run import load_run

    if candidate is not None and run is None:
        raise UsageError("--candidate needs a run", f"give it after the budget: edgevit budget explain {file} RUN")
    limits = load_budget(file)
    explained = explain_budget(limits, verdicts(load_run(run), limits, candidate) if run else ())
    if as_json:
        render_gate.print_json(
            {"budget": str(file), "run": run and str(run), "limits": [asdict(each) for each in explained]}
        )
        return
    for each in explained:
        render_gate.print_line(f"{each.path}: {each.text}")
        for check in each.found:
            render_gate.print_line(f"  {check.candidate or 'no candidate'}: {check.verdict}: {check.message}")
