"""What was chosen for which device, how sure that is, and what else came into question."""

from __future__ import annotations

from edgevit import units
from edgevit.report import intervals
from edgevit.report.markdown_text import code, escape, table
from edgevit.report.metric import change_interval, change_text, score_text
from edgevit.report.table import interval, reference_of, speed_up
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST
from edgevit.results.ranking import compare_speed, fastest_on
from edgevit.results.run import Run


def choice_lines(run: Run) -> list[str]:
    """Returns in plain text what the line "chosen:" does not say; nothing for a choice for this host without a tie."""
    lines = []
    for device, name in run.choices.items():
        if name is None:
            lines += [] if device == HOST else [f"for {device}: none"]
            continue
        facts = _facts(run, device, run.candidate(name))
        lines += [] if device == HOST else [f"for {device}: {name}, {', '.join(facts)}"]
        lines += [text for text in (tie(run, device), doubt(run, device)) if text]
    return lines


def summary(run: Run, device: str) -> str:
    """Returns the first paragraphs of the report: the choice for this host, a board or a device, with its figures."""
    return _paragraph(run, device, run.choices[device])


def choices_section(run: Run) -> str:
    """Returns for each board and device the candidates that run there, fastest first; "" where the choice is for this host."""
    devices = [
        _of_board(run, device) if run.is_measured_on(device) else _of_device(run, device)
        for device in run.choices
        if device != HOST
    ]
    return "\n\n".join(("## Choice for each device", *devices)) if devices else ""


def tie(run: Run, device: str) -> str:
    """Returns what ties with the choice for a device, and how one of them was chosen; "" where nothing does."""
    tied = run.tied.get(device)
    if not tied:
        return ""
    if run.is_measured_on(device):
        why = "the interval of their paired ratio contains 1"
    elif device in run.order:
        why = f"the odds that {run.order[device].first} is faster on {device} are less than two to one"
    else:
        why = f"predictions for {device} do not tell which is faster"
    return f"tied with {', '.join(tied)}: {why}; of these the most accurate is chosen, then the smallest"


def doubt(run: Run, device: str) -> str:
    """Returns why the latency that the choice for this host or a board rests on cannot be relied on; "" where it can."""
    name = run.choices[device]
    chosen = run.candidate(name) if name else None
    if chosen is None or not run.is_measured_on(device):
        return ""
    board = next((each for each in run.boards if each.name == device), None)
    if board and board.emulated:
        return f"{device} is emulated, and its times say nothing about a board: {board.emulated}"
    latency = chosen.latency_on(device)
    reason = chosen.unstable if device == HOST else latency.unstable if latency else ""
    return f"its latency is unstable: {reason}" if reason else ""


def _paragraph(run: Run, device: str, name: str | None) -> str:
    here = device == HOST
    if name is None:
        if here:
            return "**No candidate was chosen.** The reasons are below the table of candidates."
        return f"**No candidate was chosen for {escape(device)}.** The reason is among the notes."
    chosen = run.candidate(name)
    head = f"**Chosen: {code(name)}**" if here else f"**Chosen for {escape(device)}: {code(name)}**"
    remarks = [text for text in (tie(run, device), doubt(run, device)) if text]
    more = "".join(f" {escape(text[0].upper() + text[1:])}." for text in remarks)
    path = f"\n\nThe artifact is {code(chosen.artifact.path)}." if chosen.artifact else ""
    return f"{head} – {', '.join((*map(escape, _facts(run, device, chosen)), *_figures(run, chosen)))}.{more}{path}"


def _facts(run: Run, device: str, chosen: Candidate) -> list[str]:
    """Its latency: measured on a board or predicted for a device, and measured here."""
    here = f"p50 {units.milliseconds(chosen.p50_ms)} measured on this host"
    if chosen.latency:
        here = f"{here} ({intervals.milliseconds(chosen.latency.interval_ms)})"
    if device == HOST:
        return [here]
    measured = chosen.latency_on(device)
    if measured:
        between = intervals.milliseconds(measured.interval_ms)
        there = f"p50 {units.milliseconds(measured.p50_ms)} measured on {device} ({between})"
        return [there, *([here] if chosen.p50_ms is not None else [])]
    prediction = chosen.prediction(device)
    latency = prediction.latency_ms if prediction else None
    between = f" ({interval(prediction)})" if prediction and latency else ""
    there = f"predicted {units.milliseconds(latency.p50 if latency else None)} there{between}, not measured"
    sure = probability_text(run, device)
    return [there, *([sure] if sure else []), *([here] if chosen.p50_ms is not None else [])]


def _figures(run: Run, chosen: Candidate) -> list[str]:
    facts = []
    faster, reference = speed_up(run, chosen), reference_of(run, chosen)
    if faster and reference:
        between = f" ({intervals.ratio(chosen.speed_up_interval)})" if chosen.speed_up_interval else ""
        facts.append(f"{units.ratio(faster)}{between} the speed of {code(reference.id)} on this host")
    accuracy = chosen.accuracy
    if accuracy and accuracy.metric:
        score = accuracy.metric
        between = f", {change_interval(score)}" if score.drop_interval else ""
        facts.append(
            f"{escape(score.title)} {score_text(score)} on {accuracy.samples} images (change {change_text(score)}{between})"
        )
    elif accuracy and accuracy.top1 is not None:
        between = f", {intervals.accuracy_change(accuracy.drop_interval)}" if accuracy.drop_interval else ""
        facts.append(
            f"top-1 {units.percent(accuracy.top1)} on {accuracy.samples} images"
            f" (change {units.accuracy_change(accuracy.drop_points)}{between})"
        )
    elif chosen.verification:
        agreement = units.percent(chosen.verification.top1_agreement)
        facts.append(f"top-1 agreement with {escape(chosen.verification.reference)} {agreement}")
    return [*facts, units.size(chosen.artifact.size_bytes)] if chosen.artifact else facts


def _of_board(run: Run, board: str) -> str:
    ranked = fastest_on(run.candidates, board)
    if not ranked:
        return f"### {escape(board)}\n\nNo candidate was measured there."
    rows = []
    for candidate in ranked:
        latency, ratio = candidate.latency_on(board), compare_speed(ranked[0], candidate, board)
        assert latency is not None  # it is ranked by it
        assert ratio is not None
        rows.append(
            (
                candidate.id,
                "chosen" if candidate.id == run.choices[board] else _status_on(run, board, candidate),
                units.milliseconds(latency.p50_ms),
                intervals.milliseconds(latency.interval_ms),
                "–" if candidate is ranked[0] else f"{units.ratio(ratio.median)} ({intervals.ratio(ratio.interval)})",
                change_text(candidate.accuracy.judged) if candidate.accuracy else "–",
                units.milliseconds(candidate.p50_ms),
            )
        )
    titles = ("candidate", "status", f"p50 on {board}", "interval", "the first is faster", "change", "host p50")
    record = next(each for each in run.boards if each.name == board)
    about = f"Measured there in interleaved rounds: {record.host.cpu}, {record.host.cores} cores, {record.host.os}."
    failed = [f"- {code(name)} did not run there: {escape(reason)}" for name, reason in record.failures.items()]
    parts = (f"### {escape(board)}", table(titles, rows, range(2, 7)), escape(about), "\n".join(failed))
    return "\n\n".join(part for part in parts if part)


def _of_device(run: Run, device: str) -> str:
    able = [
        (prediction.latency_ms.p50, candidate.id, candidate, prediction)
        for candidate in run.candidates
        if (prediction := candidate.prediction(device)) and prediction.supported and prediction.latency_ms
    ]
    if not able:
        return f"### {escape(device)}\n\nNo candidate runs there."
    rows = [
        (
            candidate.id,
            "chosen" if candidate.id == run.choices[device] else _status_on(run, device, candidate),
            units.milliseconds(ms),
            interval(prediction),
            _fastest(run, device, candidate),
            change_text(candidate.accuracy.judged) if candidate.accuracy else "–",
            units.milliseconds(candidate.p50_ms),
        )
        for ms, _, candidate, prediction in sorted(able)
    ]
    titles = ("candidate", "status", f"predicted on {device}", "interval", "fastest there", "change", "host p50")
    ranked = table(titles, rows, range(2, 7))
    explained = (
        f"The choice for {escape(device)} follows the predicted medians, not the speed of this host. Intervals overlap although"
        ' the order is known better: much of an interval is an error that all predictions for one device share. "Fastest'
        ' there" is the probability that a candidate is the fastest of the usable ones, from the intervals of differences;'
        " measure on the device to be sure."
    )
    return f"### {escape(device)}\n\n{ranked}\n\n{explained}"


def probability_text(run: Run, device: str) -> str:
    """Returns how probable it is that the candidate chosen for a device is the fastest there; "" where it is not known."""
    share = run.probability_fastest(device)
    compared = share is not None and len(run.order[device].fastest) > 1
    return f"the fastest there with a probability of {_probability(share)}" if share is not None and compared else ""


def _fastest(run: Run, device: str, candidate: Candidate) -> str:
    order = run.order.get(device)
    share = order.fastest.get(candidate.id) if order else None
    return "–" if share is None else _probability(share)


def _probability(share: float) -> str:
    """As a percentage that is never 0 or 100: predictions are never certain."""
    return "under 1 %" if share < 0.01 else "over 99 %" if share > 0.99 else units.percent(share, 0)


def _status_on(run: Run, device: str, candidate: Candidate) -> str:
    return "tied" if candidate.id in run.tied.get(device, ()) else candidate.status
