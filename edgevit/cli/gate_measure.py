"""``edgevit gate --measure NEW --against OLD``: what it prints, and how its options are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from edgevit.cli.gate_outputs import GateOutputs
    from edgevit.results.regression import Regression

MOST_REGRESSION, MOST_SPEED_UP, MINUTES = "5%", "20%", 2.0
"""What holds where nothing is given."""
_LONGEST_MINUTES = 1440.0


@dataclass(frozen=True)
class GivenOptions:
    """What was given beside the two files; None for what was not."""

    max_regression: str | None = None
    max_speed_up: str | None = None
    minutes: float | None = None
    threads: int | None = None
    precision: str | None = None


def parse_percent(option: str, text: str, below: float) -> float:
    """Returns the fraction in "5%" or "2.5 %".

    Args:
        option: Its name, for the message.
        text: As it was given.
        below: Percentages from here on are refused.

    Raises:
        UsageError: it is no percentage, or not below the limit.
    """
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?%", text.strip())
    if not found:
        raise UsageError(f"{option} {text!r} is not a percentage of 0 % or more", "such as 5% or 2.5%")
    percent = float(found[1])
    if percent >= below:
        raise UsageError(f"{option} {text!r} is not below {below:g} %", "such as 5% or 20%")
    return percent / 100


def parse_minutes(minutes: float) -> float:
    """Returns minutes as seconds.

    Raises:
        UsageError: they are not above 0, or more than a day.
    """
    if not 0 < minutes <= _LONGEST_MINUTES:
        raise UsageError(f"--minutes {minutes:g} is not above 0 and at most a day", "such as 2, or 0.5")
    return 60 * minutes


def print_regression(found: Regression) -> None:
    """Prints the two files, what was found, and the verdict in words."""
    from edgevit import units
    from edgevit.cli.terminal import print_line, print_table
    from edgevit.gate.regression import verdict_of

    rows = [
        (
            name,
            str(file.path),
            units.milliseconds(file.latency_ms),
            units.size(file.size_bytes),
            file.runtime,
            file.precision,
        )
        for name, file in (("new", found.new), ("old", found.old))
    ]
    print_table(("", "file", "latency", "size", "runtime", "precision"), rows, numeric=(2, 3))
    print_line()
    checks = verdict_of(found).checks
    print_table(("verdict", "metric", "reason"), [(check.verdict, check.metric, check.message) for check in checks])
    print_line()
    blocks = len(found.log_ratios)
    print_line(f"{blocks} block{'s'[: blocks != 1]} in {units.seconds(found.seconds)}; threads: {found.threads}")
    for note in found.notes:
        print_line(f"note: {note}")
    for each in found.contention:
        print_line(f"contention: {each}")
    print_line(f"{found.outcome}: {found.reason}")


def document(found: Regression) -> dict[str, Any]:
    """Returns what ``--json`` prints: the verdict, its checks, and the whole comparison."""
    from dataclasses import asdict

    from edgevit.gate.regression import verdict_of
    from edgevit.results.document import to_document

    checks = [asdict(check) for check in verdict_of(found).checks]
    return {"verdict": found.outcome, "reason": found.reason, "checks": checks, "comparison": to_document(found)}


def show(found: Regression, *, as_json: bool) -> None:
    """Prints a comparison for people, or as one JSON document."""
    from edgevit.cli.terminal import print_json

    if as_json:
        print_json(document(found))
    else:
        print_regression(found)


def write(found: Regression, outputs: GateOutputs, inconclusive: str) -> None:
    """Writes the files that are asked for, and the summary of a job on GitHub Actions.

    Args:
        found: The comparison.
        outputs: Where to write.
        inconclusive: See :func:`exit_code`.

    Raises:
        DiskFull: there is no space left.
    """
    from edgevit.cli.gate_outputs import tell_github, write_outputs
    from edgevit.gate.regression import verdict_of
    from edgevit.gate.verdict import GateResult

    result = GateResult((verdict_of(found),), baseline=str(found.old.path))
    write_outputs(result, outputs, inconclusive_fails=inconclusive == "fail")
    tell_github(result)


def exit_code(found: Regression, inconclusive: str, *, require_stable: bool) -> ExitCode:
    """Returns the exit code of a verdict.

    Args:
        found: The comparison.
        inconclusive: "fail" or "pass": what a comparison without an answer counts as.
        require_stable: Whether contention fails.
    """
    passed = found.outcome == "pass" or (found.outcome == "inconclusive" and inconclusive == "pass")
    return ExitCode.DONE if passed and not (require_stable and found.contention) else ExitCode.CHECK_FAILED


def compare(new: Path | None, old: Path | None, given: GivenOptions) -> Regression:
    """Compares two files, with progress on the terminal.

    Args:
        new: The new artifact.
        old: The one that it is held against.
        given: The other options.

    Raises:
        UsageError: one of the files is not given, an option is out of range, or a file cannot be compared.
    """
    from edgevit.cli import options, terminal
    from edgevit.commands.regression import RegressionRequest, measure_regression
    from edgevit.results.regression import RegressionLimits

    if new is None:
        raise UsageError("--against without --measure", "give the new artifact: --measure NEW --against OLD")
    if old is None:
        raise UsageError(
            "--measure without --against", "give the artifact to hold it against: --measure NEW --against OLD"
        )
    precision = given.precision or "fastest"
    options.check_choice("precision", precision, options.PRECISIONS)
    most_speed_up = parse_percent("--max-speed-up", given.max_speed_up or MOST_SPEED_UP, 100)
    if most_speed_up == 0:
        raise UsageError(
            "--max-speed-up 0% would make a speed-up of any noise", "give a percentage above 0, such as 20%"
        )
    request = RegressionRequest(
        new=new,
        old=old,
        limits=RegressionLimits(
            parse_percent("--max-regression", given.max_regression or MOST_REGRESSION, 1000), most_speed_up
        ),
        most_seconds=parse_minutes(MINUTES if given.minutes is None else given.minutes),
        threads=given.threads or 1,
        precision=precision,
    )
    with terminal.make_progress() as progress:
        return measure_regression(request, progress)
