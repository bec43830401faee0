"""All that a run knows beside its choice, as sections of Markdown: the HTML report has them folded away."""

from __future__ import annotations

import json

from edgevit import units
from edgevit.report import intervals
from edgevit.report.accuracy import accuracy_section
from edgevit.report.choice import choices_section
from edgevit.report.conditions import conditions_section
from edgevit.report.finetunes import finetunes_section
from edgevit.report.markdown_text import code, escape, section
from edgevit.report.metric import judge_unit
from edgevit.report.other_sets import other_sets_section
from edgevit.report.outputs import outputs_section
from edgevit.report.table import has_final_round, interval, rows_of
from edgevit.report.token_searches import token_searches_section
from edgevit.results.measurement import HOST
from edgevit.results.run import Run
from edgevit.spec.schemes import SCHEMES


def details(run: Run) -> tuple[str, ...]:
    """Returns the sections, each a heading of the second level and what is below it; those without content are left out."""
    sections = (
        choices_section(run),
        accuracy_section(run),
        other_sets_section(run),
        token_searches_section(run, None),
        finetunes_section(run, None),
        _verification(run),
        outputs_section(run),
        *(_rounds(run, device) for device in (HOST, *(board.name for board in run.boards))),
        _measured(run),
        conditions_section(run),
        _predicted(run),
        _passes(run),
        _attempts(run),
        _calibration(run),
        _stages(run),
        _versions(run),
        _spec(run),
    )
    return tuple(each for each in sections if each)


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


def _rounds(run: Run, device: str) -> str:
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
        if (latency := candidate.latency_on(device))
    ]
    titles = ("candidate", "p50", "interval", "p50 of each round, ms", "repeated bursts", "unstable")
    title = "Final round on this host" if device == HOST else f"Rounds on {device}"
    return section(title, titles, rows, numeric=(1, 2, 4))


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
        )
        for c in run.candidates
        for p in c.predictions
    ]
    titles = ("candidate", "device", "predicted", "interval", "tensor memory", "process memory", "unsupported ops")
    predicted = section("Predicted, not measured", titles, rows, numeric=range(2, 6))
    return (
        f"{predicted}\n\nThese devices were not at hand; nothing in this table was measured. Tensor memory is weights and"
        f" live activations, process memory adds the runtime, from what it takes on this host.\n\n{_bases(run)}"
        if predicted
        else ""
    )


def _bases(run: Run) -> str:
    """What predictions rest on, once for all rows of a device that share it."""
    found = dict.fromkeys((p.device, p.basis) for candidate in run.candidates for p in candidate.predictions)
    return "\n".join(f"- {escape(device)}: {escape(basis)}" for device, basis in found)


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
