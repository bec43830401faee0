"""The report of a search in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit import units
from edgevit.report.markdown_text import code, escape, section
from edgevit.report.pruning import pruning_lines
from edgevit.results.search import AdditivityRecord, Estimate, Search, SearchedModel, SearchPoint

_MOST = 40
"""Points that a table has."""
_TITLES = ("point", "status", "change", "p50", "size")


def search_report(search: Search) -> str:
    """Returns the report of a search, which may still go on."""
    parts = [
        f"# Search: {escape(', '.join(model.name for model in search.models))}",
        "\n".join(f"- {line}" for line in _summary(search)),
        section("Front", _TITLES, [point_row(search, point) for point in search.on_front], (2, 3, 4)),
        "![accuracy against latency](front.png)" if search.front else "",
        section("Made, and beaten", _TITLES, _rows(search, "measured"), (2, 3, 4)),
        section("Rejected or failed", (*_TITLES, "why"), _with_reasons(search), (2, 3, 4)),
        section("Predicted: may be on the front, and were not made", _TITLES, _rows(search, "predicted"), (2, 3, 4)),
        section("Not run: dominated by prediction", _TITLES, _rows(search, "not run"), (2, 3, 4)),
        *(_model(search, model) for model in search.models),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _summary(search: Search) -> Iterator[str]:
    budget, limits = search.budget, []
    if budget.max_minutes is not None:
        limits.append(f"{budget.max_minutes:g} minutes")
    if budget.max_trials is not None:
        limits.append(f"{budget.max_trials} trials")
    yield (
        f"{budget.trials} candidates made in {budget.minutes:.1f} min (allowed: {' and '.join(limits)});"
        f" ended: {escape(search.ended or 'still going on')}"
    )
    yield f"latency on {escape(search.target)}; method {search.method}; objectives {', '.join(search.objectives)}"
    if search.infeasible:
        yield f"**no point is within the limits**: {escape(search.infeasible.words)}"
    found = search.forecasts
    if found.in_interval is not None:
        words = f"{found.points} points were predicted before they were made: {100 * found.in_interval:.0f} % of their"
        words += " latencies and drops lay in the 80 % intervals"
        if found.latency_correlation is not None:
            words += f", rank correlation of latencies {found.latency_correlation:.2f}"
        yield words
    if search.hypervolume is not None:
        yield f"hypervolume of the front: {search.hypervolume:.3f} of the box up to the worst values that count"
    yield from map(escape, search.notes)


def point_row(search: Search, point: SearchPoint) -> tuple[str, ...]:
    """Returns a point as a row: name, status, change of the metric, latency and size, each with its interval."""
    several = len(search.models) > 1
    name = point.id if several else point.settings.id
    return (name, point.status, _change(point.drop_points), _latency(point.p50_ms), _size(point.size_bytes))


def _rows(search: Search, status: str) -> list[tuple[str, ...]]:
    found = [point for point in search.points if point.status == status and not point.on_front]
    return [point_row(search, point) for point in found[:_MOST]]


def _with_reasons(search: Search) -> list[tuple[str, ...]]:
    found = [point for point in search.points if point.status in ("rejected", "failed")]
    return [(*point_row(search, point), "; ".join(point.reasons)) for point in found[:_MOST]]


def _change(drop: Estimate | None) -> str:
    if drop is None:
        return "–"
    change, low, high = (units.accuracy_change(each) for each in (drop.value, drop.high, drop.low))
    return f"{change} ({low.removesuffix(' pt')} to {high.removesuffix(' pt')})"


def _latency(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = (f"{value:.3g}" for value in (estimate.low, estimate.high))
    mark = "" if estimate.source == "measured" else "≈ "
    return f"{mark}{units.milliseconds(estimate.value)} ({low} to {high})"


def _size(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return ("" if estimate.source == "measured" else "≈ ") + units.size(estimate.value)


def _model(search: Search, model: SearchedModel) -> str:
    layers = f", and {model.layers} modules that may stay in float one by one" if model.layers else ""
    lines = [
        f"## {escape(model.name)}",
        f"{model.space} points{layers}; judged by {escape(model.metric)} on {model.samples} images; largest drop allowed"
        f" {model.max_drop:g}; run in {code(model.run)}.",
    ]
    if model.additivity:
        lines.append(_additivity(model.additivity))
    if any("prune" in each.settings or "mlp=" in each.settings for each in model.singles):
        lines.append("Pruning without training reaches little; no speed is promised from it, the front decides.")
        lines += [f"- {escape(line)}" for line in pruning_lines(search, model.name)]
    plans = [(each.settings, f"{each.divergence:.3g}", f"{100 * each.mac_share:.0f} %") for each in model.singles]
    lines.append(section("Single changes", ("change", "KL, nats", "MACs"), plans, (1, 2)).replace("## ", "### ", 1))
    ranked = sorted(model.layer_singles, key=lambda each: -each.divergence)[:12]
    rows = [
        (each.module, f"{each.divergence:.2g}", "measured" if each.measured else "by Fisher score") for each in ranked
    ]
    lines.append(
        section("Layers that lose most in int8", ("module", "KL, nats", "how"), rows, (1,)).replace("## ", "### ", 1)
    )
    struck = [(each.what, each.reason) for each in model.struck]
    lines.append(section("Impossible, struck out before", ("what", "why"), struck, ()).replace("## ", "### ", 1))
    lines += [f"- {escape(note)}" for note in model.notes]
    return "\n\n".join(filter(None, lines))


def _additivity(record: AdditivityRecord) -> str:
    if record.note:
        return escape(record.note[:1].upper() + record.note[1:]) + "."
    return (
        f"Divergences of single layers add up: over {record.mixes} random mixes the rank correlation with the sum is"
        f" {record.spearman:.2f}, the median factor {record.median_factor:.2f}."
    )
