"""What a person decides from: the choice, why, what the runner-up would cost or gain, and how sure all of it is.

Plain text in values; the Markdown and the HTML report escape it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit import units
from edgevit.report import intervals
from edgevit.report.choice import doubt, probability_text, tie
from edgevit.report.front import max_drop
from edgevit.report.metric import change_interval, change_text, judge_title, judge_unit, score_text
from edgevit.report.table import reference_of, rows_of, speed_up
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval, Prediction
from edgevit.results.metric import MetricScore, points_per_unit
from edgevit.results.ranking import compare_speed, fastest_on
from edgevit.results.run import Run


@dataclass(frozen=True)
class Fact:
    """A figure with its name, and its interval or other remark."""

    title: str
    text: str
    remark: str = ""


@dataclass(frozen=True)
class Exchange:
    """What one figure would change to with the runner-up."""

    title: str
    before: str
    after: str
    change: str
    """With its sign; "" where it cannot be told."""
    outcome: str
    """"gain", "cost" or "same"."""


@dataclass(frozen=True)
class Decision:
    """The choice for this host, a board or a device."""

    device: str
    """"host", or its name."""
    number: int
    """Rank of the chosen candidate in the table."""
    chosen: Candidate
    facts: tuple[Fact, ...]
    why: str
    runner_up: Candidate | None
    """None where no other usable candidate runs there."""
    runner_up_number: int
    """0 where there is none."""
    why_not: str
    exchanges: tuple[Exchange, ...]
    sure: tuple[str, ...]
    """Sentences about intervals, ties and images."""


@dataclass(frozen=True)
class DeviceAnswer:
    """Whether the candidate chosen for a device runs there."""

    device: str
    answer: str
    """"yes, as measured", "yes, as predicted", "partly" or "no"."""
    chosen: str
    """Id; "" where none was chosen."""
    remarks: tuple[str, ...]


def decisions(run: Run) -> tuple[Decision, ...]:
    """Returns the choice for each device of a run, or for this host; those where nothing was chosen are left out."""
    return tuple(_decision(run, device, run.candidate(name)) for device, name in run.choices.items() if name)


def device_answers(run: Run) -> tuple[DeviceAnswer, ...]:
    """Returns whether something runs on each device that was asked for; none where none was."""
    return tuple(_answer(run, device, name) for device, name in run.choices.items() if device != HOST)


def why_none(run: Run, device: str) -> str:
    """Returns what to say where nothing was chosen for this host or a device."""
    where = "" if device == HOST else f" for {device}"
    return f"No candidate was chosen{where}: {_counts(run)}. The reasons are below the table of candidates."


def _decision(run: Run, device: str, chosen: Candidate) -> Decision:
    numbers = {candidate.id: number for number, candidate in enumerate(rows_of(run), 1)}
    others = [candidate for candidate in _fastest_first(run, device) if candidate.id != chosen.id]
    tied = run.tied.get(device, ())
    runner_up = next((each for each in others if each.id in tied), next(iter(others), None))
    return Decision(
        device=device,
        number=numbers[chosen.id],
        chosen=chosen,
        facts=_facts(run, device, chosen),
        why=_why(run, device, len(others) + 1),
        runner_up=runner_up,
        runner_up_number=numbers[runner_up.id] if runner_up else 0,
        why_not=_why_not(run, device, chosen, runner_up),
        exchanges=_exchanges(run, device, chosen, runner_up) if runner_up else (),
        sure=tuple(
            text
            for text in (*_latency_sure(run, device, chosen), *_accuracy_sure(run, chosen), _tie(run, device))
            if text
        ),
    )


def _fastest_first(run: Run, device: str) -> list[Candidate]:
    """The usable candidates that run on this host, a board or a device."""
    usable = [candidate for candidate in rows_of(run) if candidate.status == "ok"]
    if device == HOST:
        return [candidate for candidate in usable if candidate.p50_ms is not None]
    if run.is_measured_on(device):
        return list(fastest_on(usable, device))
    able = [(ms, candidate.id, candidate) for candidate in usable if (ms := _ms(device, candidate)) is not None]
    return [candidate for *_, candidate in sorted(able, key=lambda each: each[:2])]


def _ms(device: str, candidate: Candidate) -> float | None:
    """Measured here or on a board, or predicted for a device that can run it."""
    if device == HOST:
        return candidate.p50_ms
    measured = candidate.latency_on(device)
    if measured:
        return measured.p50_ms
    prediction = candidate.prediction(device)
    return prediction.latency_ms.p50 if prediction and prediction.supported and prediction.latency_ms else None


def _facts(run: Run, device: str, chosen: Candidate) -> tuple[Fact, ...]:
    facts = []
    there = None if device == HOST else chosen.latency_on(device)
    if there:
        reach_text = intervals.milliseconds(there.interval_ms)
        facts.append(Fact(f"latency measured on {device}, p50", units.milliseconds(there.p50_ms), reach_text))
    prediction = None if run.is_measured_on(device) else chosen.prediction(device)
    if prediction and prediction.latency_ms:
        reach = Interval(prediction.latency_ms.low, prediction.latency_ms.high)
        facts.append(
            Fact(
                f"latency predicted for {device}",
                units.milliseconds(prediction.latency_ms.p50),
                intervals.milliseconds(reach),
            )
        )
    if chosen.p50_ms is not None:
        remark = intervals.milliseconds(chosen.latency.interval_ms) if chosen.latency else "a single measurement"
        facts.append(Fact("latency measured here, p50", units.milliseconds(chosen.p50_ms), remark))
    faster, reference = speed_up(run, chosen), reference_of(run, chosen)
    if faster and reference:
        reach_text = intervals.ratio(chosen.speed_up_interval)
        remark = f"{'' if reach_text == '–' else f'{reach_text}, '}against {reference.id}"
        facts.append(Fact("speed on this host", units.ratio(faster), remark))
    score = chosen.accuracy.judged if chosen.accuracy else None
    if score and chosen.accuracy:
        facts.append(Fact(score.title, score_text(score), f"{chosen.accuracy.samples} images"))
        facts.append(Fact("change", change_text(score), _or_nothing(change_interval(score))))
    elif chosen.verification and chosen.verification.top1_agreement is not None:
        verification = chosen.verification
        facts.append(
            Fact(
                f"agreement with {verification.reference}",
                units.percent(verification.top1_agreement),
                f"{verification.samples} images",
            )
        )
    if chosen.artifact:
        facts.append(Fact("size", units.size(chosen.artifact.size_bytes), chosen.artifact.numerics))
    return tuple(facts)


def _or_nothing(text: str) -> str:
    return "" if text == "–" else text


def _counts(run: Run) -> str:
    """How many candidates there are, and of what status."""
    count = {status: sum(each.status == status for each in run.candidates) for status in ("ok", "rejected", "failed")}
    words = [f"{count['ok']} usable", f"{count['rejected']} rejected", f"{count['failed']} failed"]
    total = len(run.candidates)
    return f"{total} {'candidate' if total == 1 else 'candidates'} ({', '.join(words)})"


def _why(run: Run, device: str, able: int) -> str:
    where = "on this host" if device == HOST else f"on {device}"
    limit = max_drop(run)
    unit = judge_unit(run)
    kept = "" if limit is None else f", with at most {_limit(limit, unit)} of {judge_title(run)} lost"
    here = "here" if device == HOST else "there"
    can = f"{'was' if able == 1 else 'were'} measured {here}" if run.is_measured_on(device) else "can run there"
    usable = f"Of {_counts(run)}, {able} usable {can}{kept}."
    if able == 1:
        return f"{usable} It is the only one."
    if run.tied.get(device):
        return f"{usable} It is one of the {len(run.tied[device]) + 1} fastest {where}, which cannot be told apart in speed; of these it is the most accurate, then the smallest."
    how = "measured" if run.is_measured_on(device) else "predicted"
    return f"{usable} It is the fastest of them {where}, {how}."


def _limit(limit: float, unit: str) -> str:
    return units.points(limit) if unit == "%" else units.metric(limit, unit)


def _why_not(run: Run, device: str, chosen: Candidate, other: Candidate | None) -> str:
    if other is None:
        return "There is no other usable candidate."
    if other.id not in run.tied.get(device, ()):
        before, after = _ms(device, chosen), _ms(device, other)
        ratio = compare_speed(chosen, other, device)
        if ratio:
            return f"It is slower: the chosen one has {units.ratio(ratio.median)} its speed ({intervals.ratio(ratio.interval)}, timed in the same rounds)."
        how = "" if run.is_measured_on(device) else "predicted "
        return f"It is slower: {how}{units.milliseconds(after)} against {units.milliseconds(before)}."
    own, its = _judged(chosen), _judged(other)
    if own and its and own.value > its.value:
        return f"It is as fast, as far as can be told, but less accurate: {score_text(its)} against {score_text(own)}."
    if chosen.artifact and other.artifact and chosen.artifact.size_bytes < other.artifact.size_bytes:
        return "It is as fast and as accurate, as far as can be told, but the larger file."
    return "It is as fast, as accurate and as small; the first by name was taken."


def _judged(candidate: Candidate) -> MetricScore | None:
    return candidate.accuracy.judged if candidate.accuracy else None


def _exchanges(run: Run, device: str, chosen: Candidate, other: Candidate) -> tuple[Exchange, ...]:
    measured = "latency measured here" if device == HOST else f"latency measured on {device}"
    where = measured if run.is_measured_on(device) else f"latency predicted for {device}"
    found = [_amounts(where, _ms(device, chosen), _ms(device, other), units.milliseconds)]
    own, its = _judged(chosen), _judged(other)
    if own and its:
        points = points_per_unit(own.unit) * (own.value - its.value)
        outcome = "cost" if points > 0 else "gain" if points < 0 else "same"
        change = units.metric_change(points, own.unit)
        found.append(Exchange(own.title, score_text(own), score_text(its), change, outcome))
    if chosen.artifact and other.artifact:
        found.append(_amounts("size", chosen.artifact.size_bytes, other.artifact.size_bytes, units.size))
    if device != HOST:
        found.append(_amounts("latency measured here", chosen.p50_ms, other.p50_ms, units.milliseconds))
    own_run, its_run = chosen.measurement(), other.measurement()
    if own_run and its_run:
        found.append(_amounts("process memory", own_run.peak_rss_bytes, its_run.peak_rss_bytes, units.size))
    return tuple(exchange for exchange in found if exchange)


def _amounts(
    title: str, before: float | None, after: float | None, text: Callable[[float | None], str]
) -> Exchange | None:
    """Of what is the better the less of it there is."""
    if before is None or after is None or not before:
        return None
    percent = 100 * (after / before - 1)
    outcome = "same" if abs(percent) < 0.05 else "cost" if percent > 0 else "gain"
    return Exchange(title, text(before), text(after), f"{percent:+.1f} %", outcome)


def _latency_sure(run: Run, device: str, chosen: Candidate) -> list[str]:
    found = []
    there = None if device == HOST else chosen.latency_on(device)
    if there:
        reach, rounds = intervals.milliseconds(there.interval_ms), len(there.bursts_ms)
        found.append(f"Latency on {device}: 95 % interval {reach}, from {rounds} rounds in fresh processes.")
        remark = doubt(run, device)
        found += [f"{remark[0].upper()}{remark[1:]}."] if remark else []
    prediction = None if run.is_measured_on(device) else chosen.prediction(device)
    if prediction and prediction.latency_ms:
        latency = prediction.latency_ms
        reach = intervals.milliseconds(Interval(latency.low, latency.high))
        probable = probability_text(run, device)
        found.append(
            f"The latency on {device} is predicted, not measured: {units.milliseconds(latency.p50)}, interval {reach}"
            f"{f'; it is {probable}' if probable else ''}. Measure there to be sure."
        )
    if chosen.latency:
        rounds = len(chosen.latency.bursts_ms)
        found.append(
            f"Latency here: 95 % interval {intervals.milliseconds(chosen.latency.interval_ms)}, from {rounds} rounds in fresh processes."
        )
    elif chosen.p50_ms is not None:
        found.append(
            "Latency here is from a single measurement, without an interval: differences of a few percent are not told."
        )
    if chosen.unstable:
        found.append(f"Latency here is not to be relied on: {chosen.unstable}.")
    return found


def _accuracy_sure(run: Run, chosen: Candidate) -> list[str]:
    accuracy = chosen.accuracy
    score = accuracy.judged if accuracy else None
    if accuracy is None or score is None:
        return ["Accuracy was not measured: there were no labels."]
    images = f"{accuracy.samples} images"
    if score.name == "agreement":
        return [f"There were no labels: on {images} the answers were compared with the float model's."]
    if score.drop_interval is None:
        return [f"{score.title} is from {images}; the interval of its change is not known."]
    reach = change_interval(score)
    found = [
        f"{score.title} is from {images}; the 95 % interval of its change is {reach}" + _no_change(score.drop_interval)
    ]
    limit = max_drop(run)
    if limit is not None and score.drop_interval.high > limit:
        found.append(
            f"A drop of more than the {_limit(limit, score.unit)} allowed is not ruled out by these images; more of them would tell."
        )
    return found


def _no_change(drop: Interval) -> str:
    return ", which does not tell it from no change." if drop.contains(0.0) else "."


def _tie(run: Run, device: str) -> str:
    text = tie(run, device)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _answer(run: Run, device: str, name: str | None) -> DeviceAnswer:
    board = next((each for each in run.boards if each.name == device), None)
    if board:
        remarks = [f"{board.host.cpu}, {board.host.os}"]
        remarks += [f"emulated: {board.emulated}"] if board.emulated else []
        count = len(board.failures)
        remarks += [f"{count} candidate{'' if count == 1 else 's'} did not run there"] if count else []
        return DeviceAnswer(device, "yes, as measured" if name else "no", name or "", tuple(remarks))
    if name is None:
        reasons = dict.fromkeys(
            op
            for candidate in run.candidates
            if (prediction := candidate.prediction(device))
            for op in prediction.unsupported_ops
        )
        shown = tuple(list(reasons)[:3])
        return DeviceAnswer(device, "no", "", (f"not supported: {', '.join(shown)}",) if shown else ())
    prediction = run.candidate(name).prediction(device)
    if prediction is None:
        return DeviceAnswer(device, "not known", name, ("nothing was predicted",))
    answer = "yes, as predicted" if prediction.supported and prediction.latency_ms else "partly"
    return DeviceAnswer(device, answer, name, tuple(_device_remarks(prediction)))


_FITS = {"yes": "fits", "no": "does not fit", "unsure": "may not fit", "unknown": "how much there is is not known"}


def _device_remarks(prediction: Prediction) -> list[str]:
    found = []
    for unit in prediction.op_support:
        if unit.runs:
            found.append(f"{unit.unit}: runs whole with {unit.runtime}")
        else:
            found.append(
                f"{unit.unit}: {units.percent(unit.mac_share, 0)} of the MACs; not {', '.join(unit.unsupported_ops[:3])}"
            )
    memory = prediction.memory
    if memory:
        of = f" of {units.size(memory.memory_bytes)}" if memory.memory_bytes is not None else ""
        found.append(f"memory: {intervals.size(memory.total_bytes)}{of}, {_FITS[memory.fits_memory]}")
    return [*found, f"basis: {prediction.basis}"]
