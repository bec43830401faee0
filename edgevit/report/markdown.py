"""The report of a run as one Markdown page."""

from __future__ import annotations

import json

from edgevit import units
from edgevit.report import intervals
from edgevit.report.accuracy import accuracy_section
from edgevit.report.choice import choices_section, summary
from edgevit.report.contributions import contributions_section
from edgevit.report.finetunes import finetunes_section
from edgevit.report.markdown_text import code, escape, section, table
from edgevit.report.metric import judge_title, judge_unit, metric_of, score_text
from edgevit.report.other_sets import other_sets_section
from edgevit.report.outputs import outputs_section
from edgevit.report.table import (
    columns,
    has_final_round,
    has_labels,
    interval,
    outside_round,
    reasons_of,
    rows_of,
    status_of,
)
from edgevit.report.token_searches import token_searches_section
from edgevit.results.measurement import HOST
from edgevit.results.run import Run
from edgevit.spec.schemes import SCHEMES


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
        A page that is complete without the pictures.
    """
    model = _model_name(run)
    sections = [
        f"# {escape(model)} on {escape(run.host.cpu)}{' (quick run)' if run.is_quick else ''}",
        summary(run),
        f"![Accuracy against latency of every candidate]({picture})" if picture else "",
        _notes(run),
        _setting(run),
        _candidates(run),
        _reasons(run),
        choices_section(run),
        accuracy_section(run),
        other_sets_section(run),
        contributions_section(run),
        token_searches_section(run, token_picture),
        finetunes_section(run, finetune_picture),
        _verification(run),
        outputs_section(run),
        _final_round(run),
        _measured(run),
        _predicted(run),
        _passes(run),
        _attempts(run),
        _calibration(run),
        _stages(run),
        _versions(run),
        _spec(run),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _notes(run: Run) -> str:
    notes = list(run.notes)
    judged = has_labels(run) or metric_of(run)
    if not judged and not any("no labels" in note for note in notes):
        notes.append(
            "accuracy not measured: no labels; agreement compares each artifact with the float model it came from"
        )
    if any(candidate.predictions for candidate in run.candidates):
        notes.append("predictions are not measurements; they have a table of their own, each with its interval")
    return "\n".join(f"- Note: {escape(note)}" for note in notes)


def _setting(run: Run) -> str:
    host, baseline = run.host, run.baseline
    metric = f"{escape(baseline.metric.title)} {score_text(baseline.metric)}, " if baseline.metric else ""
    accuracy = (
        f"{metric}top-1 {units.percent(baseline.top1)}, top-5 {units.percent(baseline.top5)} on {baseline.samples} images"
        if baseline.top1 is not None
        else f"{metric}on {baseline.samples} images"
        if metric
        else "accuracy not measured"
    )
    latency = f", p50 {units.milliseconds(baseline.latency_ms.p50)} in PyTorch" if baseline.latency_ms else ""
    rows = [
        ("model", f"{_model_name(run)}: {units.count(baseline.params)} parameters, {units.count(baseline.macs)} MACs"),
        ("float baseline", accuracy + latency),
        ("host", f"{host.cpu}, {host.cores} cores, {units.size(host.memory_bytes)} memory, {host.os}"),
        ("instruction sets", ", ".join(host.isa) or "unknown"),
        ("threads, governor", f"{host.threads}, {host.governor}"),
        ("largest drop allowed", _max_drop(run)),
        *((("judged by", run.baseline.metric.name),) if run.baseline.metric else ()),
        ("created", f"{run.created_at} by edgevit {run.edgevit_version}, seed {run.seed}, Python {host.python}"),
    ]
    return table(("", ""), rows, numeric=())


def _candidates(run: Run) -> str:
    shown, chosen, ranked = columns(run), set(run.choices.values()), rows_of(run)
    candidates = table(
        [column.title for column in shown],
        [[column.cell(run, candidate) for column in shown] for candidate in ranked],
        numeric=[place for place, column in enumerate(shown) if column.numeric],
        bold=[place for place, candidate in enumerate(ranked) if candidate.id in chosen],
    )
    return f"## Candidates\n\n{candidates}\n\n{_legend(run)}"


def _legend(run: Run) -> str:
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


def _reasons(run: Run) -> str:
    lines = [
        f"- {code(candidate.id)} {status_of(run, candidate)}: {escape('; '.join(reasons))}"
        for candidate in rows_of(run)
        if (reasons := reasons_of(candidate))
    ]
    return "### Reasons\n\n" + "\n".join(lines) if lines else ""


def _verification(run: Run) -> str:
    rows = [
        (
            c.id,
            v.reference,
            f"{v.max_abs_diff:.2e}",
            f"{v.max_rel_diff:.2e}",
            units.decibels(v.snr_db),
            units.percent(v.top1_agreement),
            f"{v.samples - v.undecided} of {v.samples}" if v.undecided else str(v.samples),
            "passed" if v.passed else "failed",
        )
        for c in run.candidates
        if (v := c.verification)
    ]
    titles = ("candidate", "reference", "max abs diff", "max rel diff", "SNR", "top-1 agreement", "images", "outcome")
    return section("Verification", titles, rows, numeric=range(2, 7))


def _final_round(run: Run) -> str:
    rows = [
        (
            candidate.id,
            units.milliseconds(latency.p50_ms),
            intervals.milliseconds(latency.interval_ms),
            ", ".join(units.milliseconds(ms).removesuffix(" ms") for ms in latency.bursts_ms),
            str(latency.repeated_bursts),
            latency.unstable or "no",
        )
        for candidate in rows_of(run)
        if (latency := candidate.latency)
    ]
    titles = ("candidate", "p50", "interval", "p50 of each round, ms", "repeated bursts", "unstable")
    return section("Final round on this host", titles, rows, numeric=(1, 2, 4))


def _measured(run: Run) -> str:
    rows = [
        (
            c.id,
            m.device if m.device != HOST else "this host",
            units.milliseconds(m.latency_ms.min),
            units.milliseconds(m.latency_ms.p50),
            units.milliseconds(m.latency_ms.p90),
            units.milliseconds(m.latency_ms.p99),
            str(m.conditions.runs),
            str(m.threads),
            units.milliseconds(m.load_ms),
            units.milliseconds(m.first_run_ms),
            units.size(m.peak_rss_bytes),
            units.size(m.rss_delta_bytes),
            f"{m.conditions.runtime} {m.conditions.runtime_version}, {m.conditions.precision}, {m.conditions.delegate}",
        )
        for c in run.candidates
        for m in c.measurements
    ]
    titles = (
        "candidate", "device", "min", "p50", "p90", "p99", "runs", "threads", "load", "first run", "process memory",
        "memory growth", "runtime",
    )  # fmt: skip
    measured = section("Measured", titles, rows, numeric=range(2, 12))
    if measured and has_final_round(run):
        return f"{measured}\n\nThe first measurement of each, by itself: latency to compare is that of the final round."
    return measured


def _predicted(run: Run) -> str:
    rows = [
        (
            c.id,
            f"{p.device} ({p.unit})",
            units.milliseconds(p.latency_ms.p50 if p.latency_ms else None),
            interval(p),
            units.size(p.peak_tensor_bytes),
            intervals.size(p.peak_rss_bytes),
            ", ".join(p.unsupported_ops) or "none",
            p.basis,
        )
        for c in run.candidates
        for p in c.predictions
    ]
    titles = (
        "candidate", "device", "predicted", "interval", "tensor memory", "process memory", "unsupported ops", "basis",
    )  # fmt: skip
    predicted = section("Predicted, not measured", titles, rows, numeric=range(2, 6))
    return (
        f"{predicted}\n\nThese devices were not at hand; nothing in this table was measured. Tensor memory is weights and"
        " live activations, process memory adds the runtime, from what it takes on this host."
        if predicted
        else ""
    )


def _passes(run: Run) -> str:
    seen = dict.fromkeys(record for candidate in run.candidates for record in candidate.passes)
    rows = [
        (
            record.name,
            record.settings,
            f"{units.count(record.macs_before)} → {units.count(record.macs_after)}",
            f"{units.percent(record.top1_before)} → {units.percent(record.top1_after)}",
        )
        for record in seen
    ]
    return section("Passes", ("pass", "settings", "MACs", "top-1"), rows, numeric=())


def _attempts(run: Run) -> str:
    unit = judge_unit(run)
    rows = [
        (
            c.id,
            a.rung,
            a.recipe.summary,
            units.percent(a.top1),
            units.percent(a.agreement),
            units.metric_change(a.drop_points, unit, 2) if a.drop_points is not None else a.note or "not judged",
            units.seconds(a.seconds),
            "kept" if a.recipe == c.recipe else "",
        )
        for c in run.candidates
        for a in c.attempts
    ]
    titles = ("candidate", "attempt", "recipe", "top-1", "agreement", "change", "time", "")
    return section("Quantization attempts", titles, rows, numeric=range(3, 7))


def _calibration(run: Run) -> str:
    record = run.calibration
    if record is None:
        return "## Calibration\n\nNo candidate was calibrated."
    shown = ", ".join(record.ids[:5])
    more = f" and {len(record.ids) - 5} more" if len(record.ids) > 5 else ""
    methods = sorted({c.recipe.ranges for c in run.candidates if c.recipe and SCHEMES[c.recipe.scheme].calibrated})
    ranges = f" Ranges of static schemes: {', '.join(methods)}." if methods else ""
    return (
        f"## Calibration\n\n{len(record.ids)} images from {code(record.source)}, sampled with seed {record.seed}:"
        f" {escape(shown)}{more}. sha256 of the set: {code(record.sha256)}.{ranges}"
    )


def _stages(run: Run) -> str:
    rows = [(stage.name, units.seconds(stage.seconds), stage.status) for stage in run.stages]
    return section("Stages", ("stage", "time", "status"), rows, numeric=(1,))


def _versions(run: Run) -> str:
    rows = sorted(run.tool_versions.items())
    return section("Versions", ("package", "version"), rows, numeric=())


def _spec(run: Run) -> str:
    text = json.dumps(run.spec, indent=1, ensure_ascii=False)
    shown = units.visible(text).replace("```", "` ` `")
    return f"## Spec\n\nsha256 {code(run.spec_sha256)}\n\n```json\n{shown}\n```"


def _model_name(run: Run) -> str:
    model = run.spec.get("model")
    return str(model.get("name", "model")) if isinstance(model, dict) else "model"


def _max_drop(run: Run) -> str:
    budget = run.spec.get("budget")
    value = budget.get("max_drop") if isinstance(budget, dict) else None
    if not isinstance(value, int | float):
        return "not stated"
    unit = judge_unit(run)
    return units.points(float(value)) if unit == "%" else units.metric(value, unit)
