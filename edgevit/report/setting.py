"""What a run was made of and on, and how its table is read: plain text for both reports."""

from __future__ import annotations

from edgevit import units
from edgevit.report.conditions import conditions_text
from edgevit.report.front import max_drop
from edgevit.report.metric import judge_title, judge_unit, metric_of, score_text
from edgevit.report.table import has_final_round, has_labels, outside_round
from edgevit.results.run import Run


def model_name(run: Run) -> str:
    """Returns the name of the model."""
    model = run.spec.get("model")
    return str(model.get("name", "model")) if isinstance(model, dict) else "model"


def headline(run: Run) -> str:
    """Returns the title of a report."""
    return f"{model_name(run)} on {run.host.cpu}{' (quick run)' if run.is_quick else ''}"


def notes_of(run: Run) -> tuple[str, ...]:
    """Returns what has to be known before anything else."""
    notes = list(run.notes)
    judged = has_labels(run) or metric_of(run)
    if not judged and not any("no labels" in note for note in notes):
        notes.append(
            "accuracy not measured: no labels; agreement compares each artifact with the float model it came from"
        )
    if any(candidate.predictions for candidate in run.candidates):
        notes.append("predictions are not measurements; they have a table of their own, each with its interval")
    return tuple(notes)


def setting_rows(run: Run) -> tuple[tuple[str, str], ...]:
    """Returns a name and a text each: the model, its float baseline, the host and its conditions."""
    host, baseline = run.host, run.baseline
    metric = f"{baseline.metric.title} {score_text(baseline.metric)}, " if baseline.metric else ""
    accuracy = (
        f"{metric}top-1 {units.percent(baseline.top1)}, top-5 {units.percent(baseline.top5)} on {baseline.samples} images"
        if baseline.top1 is not None
        else f"{metric}on {baseline.samples} images"
        if metric
        else "accuracy not measured"
    )
    latency = f", p50 {units.milliseconds(baseline.latency_ms.p50)} in PyTorch" if baseline.latency_ms else ""
    return (
        ("model", f"{model_name(run)}: {units.count(baseline.params)} parameters, {units.count(baseline.macs)} MACs"),
        ("float baseline", accuracy + latency),
        ("host", f"{host.cpu}, {host.cores} cores, {units.size(host.memory_bytes)} memory, {host.os}"),
        ("instruction sets", ", ".join(host.isa) or "unknown"),
        ("threads, governor", f"{host.threads}, {host.governor}"),
        *((("conditions", conditions),) if (conditions := conditions_text(run)) else ()),
        ("largest drop allowed", _limit(run)),
        *((("judged by", run.baseline.metric.name),) if run.baseline.metric else ()),
        ("created", f"{run.created_at} by edgevit {run.edgevit_version}, seed {run.seed}, Python {host.python}"),
    )


def legend(run: Run) -> str:
    """Returns how the columns of the table of candidates are read."""
    judged = has_labels(run) or metric_of(run)
    change = f" Change is that of {judge_title(run)} against the float baseline; positive is a gain." if judged else ""
    latency = (
        "Latency is milliseconds for one image on this host, fastest first. In the final round candidates and their float"
        " parents were timed alternately, each burst in a process of its own: p50 is the median of the rounds, speed-up"
        " the median of the ratios to the float parent in the same rounds, which the order follows; intervals are at 95 %."
        if has_final_round(run)
        else "Latency is milliseconds for one image, measured on this host in a child process, fastest first. Speed-up"
        " compares with the float parent in the same runtime, both interleaved."
    )
    if any(outside_round(run, candidate) for candidate in run.candidates):
        latency += " What is in parentheses is from a single measurement before, and not comparable to a few percent."
    if any(candidate.unstable for candidate in run.candidates):
        latency += " Unstable is what other work on this host disturbed, for the reasons given."
    return (
        f"{latency} Memory is the peak of the process on this host.{change} int8 is the share of multiply-accumulates in"
        " int8, numerics how the layers multiply, float layers the number of layers kept in float beside quantized ones:"
        " all read from the file."
    )


def _limit(run: Run) -> str:
    limit, unit = max_drop(run), judge_unit(run)
    if limit is None:
        return "not stated"
    return units.points(limit) if unit == "%" else units.metric(limit, unit)
