"""The report of a run as a short Markdown page, for terminals and pull requests.

It has the choice, the front, ten candidates, reasons and how to do it again, in at most 120 lines; the HTML report has all.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgevit import units
from edgevit.report import intervals
from edgevit.report.choice import summary
from edgevit.report.contributions import contribution_lines
from edgevit.report.decision import Decision, Exchange, decisions
from edgevit.report.front import Point, devices_of, front, points_on
from edgevit.report.markdown_text import code, escape, section, table
from edgevit.report.metric import judge_unit
from edgevit.report.reproduction import compress_command, load_lines, script_command
from edgevit.report.setting import headline, legend, notes_of, setting_rows
from edgevit.report.table import columns, interval, reasons_of, rows_of, status_of
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Prediction
from edgevit.results.metric import points_per_unit
from edgevit.results.run import Run

MOST_ROWS = 10
"""Candidates and devices in a table; the HTML report has the others."""
_MOST_CHOICES = 2
"""Choices with their reasons; those for further devices are in the table of devices alone."""
_MOST_NOTES = 5
_MOST_REASONS = 8
_MOST_BASES = 5
_MOST_STEPS = 6
_PICTURES = (
    "Accuracy against latency of every candidate",
    "Latency of one block by its number of tokens, with the steps and the plans found",
    "Divergence from the dense model by the number of views",
)


def render_markdown(
    run: Run, picture: str | None, token_picture: str | None = None, finetune_picture: str | None = None
) -> str:
    """Returns the report of a run as Markdown.

    Args:
        run: The run.
        picture: Link to the picture of the candidates, relative to the page; None where there is none.
        token_picture: Likewise of the token searches.
        finetune_picture: Likewise of fine-tuning.

    Returns:
        A page of at most 120 lines that is complete without the pictures.
    """
    pictures = zip(_PICTURES, (picture, token_picture, finetune_picture), strict=True)
    sections = [
        f"# {escape(headline(run))}",
        *_choices(run),
        *(f"![{title}]({link})" for title, link in pictures if link),
        _notes(run),
        table(("", ""), setting_rows(run), numeric=()),
        _front(run),
        _candidates(run),
        _reasons(run),
        _devices(run),
        _steps(run),
        _again(run),
    ]
    return "\n\n".join(each for each in sections if each) + "\n"


def candidates_table(run: Run, shown: Sequence[Candidate]) -> str:
    """Returns some candidates of a run as a table with all columns, those chosen in bold."""
    titles, chosen = columns(run), set(run.choices.values())
    return table(
        [column.title for column in titles],
        [[column.cell(run, candidate) for column in titles] for candidate in shown],
        numeric=[place for place, column in enumerate(titles) if column.numeric],
        bold=[place for place, candidate in enumerate(shown) if candidate.id in chosen],
    )


def _choices(run: Run) -> list[str]:
    devices = list(run.choices)[:_MOST_CHOICES]
    found = {decision.device: _decision(decision) for decision in decisions(run)}
    parts = [part for device in devices for part in (summary(run, device), found.get(device, ""))]
    more = len(run.choices) - len(devices)
    return [*parts, f"The choices for {more} more devices are in the table of devices."] if more else parts


def _decision(decision: Decision) -> str:
    lines = [f"- Why: {escape(decision.why)}"]
    if decision.runner_up:
        exchanged = f" Taking it: {'; '.join(map(_exchange, decision.exchanges))}." if decision.exchanges else ""
        lines.append(f"- Runner-up {code(decision.runner_up.id)}: {escape(decision.why_not)}{exchanged}")
    return "\n".join((*lines, *(f"- {escape(text)}" for text in decision.sure)))


def _exchange(exchange: Exchange) -> str:
    what = f"{exchange.title} {exchange.before} → {exchange.after}"
    return escape(what if exchange.outcome == "same" else f"{what} ({exchange.change}, a {exchange.outcome})")


def _notes(run: Run) -> str:
    notes = notes_of(run)
    lines = [f"- Note: {escape(note)}" for note in notes[:_MOST_NOTES]]
    return "\n".join((*lines, *_rest(len(notes) - _MOST_NOTES, "notes")))


def _rest(count: int, what: str) -> list[str]:
    return [f"- {count} more {what}: `edgevit report` writes all of them to report.html"] if count > 0 else []


def _front(run: Run) -> str:
    lines = []
    for device in dict.fromkeys((HOST, *(board.name for board in run.boards), *devices_of(run))):
        best = front(points_on(run, device))
        if best:
            where = "measured here" if device == HOST else f"measured on {device}"
            what = where if run.is_measured_on(device) else f"predicted for {device}"
            lines.append(f"- Front, {escape(what)}, fastest first: {_points(run, best)}")
    return "\n".join((*lines[:_MOST_CHOICES], *_rest(len(lines) - _MOST_CHOICES, "fronts")))


def _points(run: Run, points: Sequence[Point]) -> str:
    unit = judge_unit(run)
    shown = [
        f"{point.number} ({units.milliseconds(point.ms)}, {units.metric(point.value / points_per_unit(unit), unit)})"
        for point in points[:MOST_ROWS]
    ]
    return escape(", ".join((*shown, "…") if len(points) > MOST_ROWS else shown))


def _candidates(run: Run) -> str:
    ranked = rows_of(run)
    shown = _most_telling(run, ranked)
    left_out = len(ranked) - len(shown)
    rest = f" {left_out} more candidates are in report.html, which `edgevit report` writes." if left_out else ""
    return f"## Candidates\n\n{candidates_table(run, shown)}\n\n{legend(run)}{rest}"


def _most_telling(run: Run, ranked: Sequence[Candidate]) -> list[Candidate]:
    """At most ten in their order: those chosen, then the front, those that tie, the dense float ones, then the fastest."""
    tied = {name for names in run.tied.values() for name in names}
    on_front = {point.candidate.id for device in (HOST, *run.choices) for point in front(points_on(run, device))}
    chosen = set(run.choices.values())

    def urgency(candidate: Candidate) -> int:
        is_dense = candidate.parent is None and candidate.scheme == "fp32"
        groups = (
            candidate.id in chosen,
            candidate.id in on_front,
            candidate.id in tied,
            is_dense,
            candidate.status == "ok",
        )
        return groups.index(True) if True in groups else len(groups)

    taken = {candidate.id for candidate in sorted(ranked, key=urgency)[:MOST_ROWS]}
    return [candidate for candidate in ranked if candidate.id in taken]


def _reasons(run: Run) -> str:
    lines = [
        f"- {code(candidate.id)} {escape(status_of(run, candidate))}: {escape('; '.join(reasons))}"
        for candidate in rows_of(run)
        if (reasons := reasons_of(candidate))
    ]
    shown = [*lines[:_MOST_REASONS], *_rest(len(lines) - _MOST_REASONS, "reasons")]
    return "### Reasons\n\n" + "\n".join(shown) if lines else ""


def _devices(run: Run) -> str:
    """A row for each device, then, once for all that share it, what predictions rest on."""
    rows, bases = [], dict[str, None]()
    for device, name in run.choices.items():
        if run.is_measured_on(device):
            continue
        prediction = run.candidate(name).prediction(device) if name else None
        rows.append((device, name or "none runs there", *_predicted(prediction)))
        if prediction:
            bases[prediction.basis] = None
    titles = ("device", "chosen", "predicted", "interval", "tensor memory", "process memory")
    shown = section("Devices, predicted and not measured", titles, rows[:MOST_ROWS], numeric=range(2, 6))
    lines = [f"- {escape(basis)}" for basis in list(bases)[:_MOST_BASES]]
    return "\n\n".join(each for each in (shown, "\n".join((*lines, *_rest(len(rows) - MOST_ROWS, "devices")))) if each)


def _predicted(prediction: Prediction | None) -> tuple[str, str, str, str]:
    if prediction is None:
        return ("–", "–", "–", "–")
    latency = prediction.latency_ms
    return (
        units.milliseconds(latency.p50 if latency else None),
        interval(prediction),
        units.size(prediction.peak_tensor_bytes),
        intervals.size(prediction.peak_rss_bytes),
    )


def _steps(run: Run) -> str:
    lines = contribution_lines(run, run.chosen) if run.chosen else []
    if not lines:
        return ""
    shown = lines[: _MOST_STEPS + 1]
    return "## What each step contributed\n\n" + "\n".join(f"- {escape(line)}" for line in shown)


def _again(run: Run) -> str:
    chosen = run.chosen
    commands = [compress_command(run), *([script_command(chosen)] if chosen and chosen.artifact else [])]
    parts = [_block("sh", "\n".join(map(_one_line, commands)))]
    if chosen and load_lines(chosen):
        parts.append(_block("python", load_lines(chosen).rstrip("\n")))
    return "\n\n".join(("## Do it again, and use it", *parts))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _block(language: str, text: str) -> str:
    shown = units.visible(text).replace("```", "` ` `")
    return f"```{language}\n{shown}\n```"
