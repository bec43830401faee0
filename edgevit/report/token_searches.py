"""How token plans were found; the same for the report and for the terminal.

Measured and predicted block latencies are never described in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgevit import units
from edgevit.report.contributions import ms_change, steps_of
from edgevit.report.markdown_text import code, escape, table
from edgevit.report.table import interval
from edgevit.results.candidate import Candidate, within_budget
from edgevit.results.measurement import HOST
from edgevit.results.run import Run
from edgevit.results.token_search import SitePoint, TokenSearch, TriedPlan, TriedSize, TunedPlan
from edgevit.spec.token_plan import TokenPlan, parse_any_plan, resizing_of

_LEGEND = (
    "Plans are listed in the order in which they were tried. KL divergence is that of the model with a single site"
    " from the dense model, summed over the sites of the plan; the change is that of top-1, or without labels of the"
    " agreement with the float model, or of the metric named, with the whole plan in PyTorch. Tokens are those that enter a block, with prefix"
    " tokens, which plans do not count. Steps are the token counts that were searched: no larger count is as fast. Blocks"
    " with other token counts than those listed were estimated from them. Images whose class is least certain come first,"
    " and the rest is taken to keep its class once it hardly matters."
)


_KINDS = {"measured": "token search", "predicted": "token search", "none": "search for the input size"}
_HOW = {
    "measured": " (block latencies measured)",
    "predicted": " (block latencies predicted, not measured)",
    "none": "",
}
_TIMED = {
    "measured": "each block was measured alone on this host, in float32",
    "predicted": "block latencies are what the device's cost model predicts, and nothing was timed",
    "none": "none of this model's tokens can leave, and a smaller image is less of the same work",
}
_PASSES = ("reduce_tokens", "resize")
"""That carry out a plan."""


_SIZES_LEGEND = (
    "Smaller images are tried first, with all of their tokens: the change is that of top-1, or without labels of the"
    " agreement with the float model, or of the metric named, in PyTorch. Below one that drops too much none is tried."
)
_TUNED_LEGEND = (
    "Fine-tuning follows, so plans that drop several times the limit untuned were looked at, too, and the fastest of them"
    " tuned for a short time without labels, until one was expected to keep the limit: KL divergence is that from the dense"
    " model on the images kept apart, the changes are on the images of the search. The longer fine-tuning that follows is"
    " expected to leave the square of the share of the divergence that the short one left, and that share of the change."
)


@dataclass(frozen=True)
class Stop:
    """A token count along the model under a plan."""

    block: int
    """After whose attention there are so many, counted from 1; 0 for the input of the first block."""
    tokens: int
    """Prefix tokens included."""

    @property
    def place(self) -> str:
        """The place in words."""
        return f"after the attention of block {self.block}" if self.block else "at the start"


def stops(search: TokenSearch) -> tuple[Stop, ...]:
    """Returns the token counts of the plan that was found, by increasing block; none without a plan."""
    if search.plan is None or not search.steps:
        return ()
    plan = parse_any_plan(search.plan)
    sites = plan.schedule if isinstance(plan, TokenPlan) and isinstance(plan.schedule, tuple) else ()
    start = next((size.tokens for size in search.sizes if _is_of(search, size)), None) or search.steps[0]
    return (Stop(0, start), *(Stop(site.block, site.tokens + search.prefix) for site in sites))


def _is_of(search: TokenSearch, size: TriedSize) -> bool:
    """Whether the plan that was found takes images of a size."""
    resized = resizing_of(parse_any_plan(search.plan)) if search.plan else None
    return resized is not None and resized.size == size.size


def goal(search: TokenSearch) -> str:
    """Returns what plans were searched for, such as "openvino on this host within 1.05 points"."""
    where = "" if search.source == "none" else f" on {_target(search)}"
    return f"{search.backend}{where} within {_limit(search)}"


def _limit(search: TokenSearch) -> str:
    """The largest drop allowed, with its unit and what it is of: "0.7 points", "0.014 of my:balanced"."""
    limit = f"{search.limit_points:g} {'points' if search.unit == '%' else search.unit}".rstrip()
    return f"{limit} of {search.metric}" if search.metric else limit


def _change(search: TokenSearch, drop: float) -> str:
    return units.metric_change(drop, search.unit, 2)


def _target(search: TokenSearch) -> str:
    return "this host" if search.target == HOST else search.target


def search_line(search: TokenSearch) -> str:
    """Returns what a search found, or why it found nothing, in plain text."""
    if search.plan is None:
        found = f"no plan: {search.note}" if search.note else "no plan"
    else:
        found = f"{search.plan}, {_found_ms(search)}"
    return f"{_KINDS[search.source]} for {goal(search)}{_HOW[search.source]}: {found}"


def _found_ms(search: TokenSearch) -> str:
    if search.source == "none":
        macs = next((size.macs for size in search.sizes if _is_of(search, size)), None)
        return f"the smallest image within the limit, {units.count(macs)} MACs"
    found, dense = units.milliseconds(search.predicted_ms), units.milliseconds(search.dense_ms)
    faster = units.ratio(search.dense_ms / search.predicted_ms) if search.predicted_ms and search.dense_ms else "–"
    if search.source == "measured":
        return f"whose blocks, each measured alone, sum to {found}, against {dense} with all tokens ({faster})"
    return (
        f"whose blocks are predicted to sum to {found}, against a predicted {dense} with all tokens"
        f" ({faster}, without an interval)"
    )


def token_searches_section(run: Run, picture: str | None) -> str:
    """Returns the section of the report; "" where nothing was searched.

    Args:
        run: The run.
        picture: Link to the picture of the block latencies; None where there is none.
    """
    if not run.token_searches:
        return ""
    parts = ["## Token search"]
    if picture:
        parts.append(f"![Latency of one block by its number of tokens, with the steps and the plans found]({picture})")
    for number, search in enumerate(run.token_searches):
        title = "Input size" if search.source == "none" else "Tokens"
        parts += [f"### {title} for {escape(goal(search))}", _sentences(run, search)]
        parts += [_sizes(search), _tried(search), _tuned(search)]
        if (search.target, search.blocks) not in [(e.target, e.blocks) for e in run.token_searches[:number]]:
            parts += [_blocks(search), _site_costs(search)]
    legends = (
        _LEGEND if any(search.source != "none" for search in run.token_searches) else "",
        _SIZES_LEGEND if any(search.sizes for search in run.token_searches) else "",
        _TUNED_LEGEND if any(search.tuned for search in run.token_searches) else "",
    )
    return "\n\n".join(part for part in (*parts, *legends) if part)


def _sentences(run: Run, search: TokenSearch) -> str:
    what = "smallest image" if search.source == "none" else "fastest plan"
    text = (
        f"Searched for the {what} that drops at most {_limit(search)}"
        f"{' after fine-tuning' if search.tuned else ''} on {search.samples} images: {_TIMED[search.source]}."
    )
    if search.plan is None:
        return f"{text} **No plan was found**{f': {escape(search.note)}' if search.note else ''}."
    early = f" ({escape(search.note)})" if search.note else ""
    text = f"{text} **Found: {code(search.plan)}**, {_found_ms(search)}{early}."
    return f"{text} {' '.join(_carried_out(run, search))}"


def _carried_out(run: Run, search: TokenSearch) -> list[str]:
    """Measurements and predictions of whole artifacts made with the plan."""
    made = [candidate for candidate in run.candidates if _is_by(candidate, search)]
    timed = [
        f"{code(candidate.id)} {ms_change(step)} ({units.ratio(step.speed_up)}{_unless_usable(candidate)})"
        for candidate in made
        for step in steps_of(run, candidate)[-1:]
        if step.recorded.name in _PASSES
    ]
    other = "" if search.target == HOST else f", which is not {escape(search.target)}"
    sentences = []
    if timed:
        sentences.append(f"Whole artifacts, measured on this host{other}: {'; '.join(timed)}.")
    else:
        sentences.append("No artifact made with it was measured.")
    dense = [c for c in run.candidates if c.backend == search.backend and c.scheme == "fp32" and c.parent is None]
    reach = [
        f"{code(candidate.id)} {escape(interval(prediction))}"
        for candidate in (*dense, *made)
        for prediction in candidate.predictions
        if prediction.device == search.target
    ]
    if reach:
        sentences.append(f"Whole artifacts, predicted for {escape(search.target)}: {'; '.join(reach)}.")
    return sentences


def _is_by(candidate: Candidate, search: TokenSearch) -> bool:
    """Whether it is a float candidate with the plan that was found."""
    last = candidate.passes[-1] if candidate.passes else None
    is_reduced = last is not None and last.name in _PASSES and last.settings == search.plan
    return is_reduced and candidate.backend == search.backend and candidate.scheme == "fp32"


def _unless_usable(candidate: Candidate) -> str:
    return "" if candidate.status == "ok" else f", {candidate.status}"


def _sizes(search: TokenSearch) -> str:
    """The smaller images that were tried before anything else."""
    if not search.sizes:
        return ""
    rows = [
        (
            f"{size.size} x {size.size}",
            "–" if size.tokens is None else str(size.tokens),
            units.count(size.macs),
            _change(search, size.drop_points) + _reach(search, size),
            str(size.samples or search.samples),
            _size_outcome(search, size),
        )
        for size in search.sizes
    ]
    return table(("image", "tokens at the start", "MACs", "change (95 %)", "images", ""), rows, range(1, 5))


def _reach(search: TokenSearch, tried: TriedSize | TunedPlan) -> str:
    interval = tried.drop_interval
    digits = "+.2f" if search.unit == "%" else "+.3g"
    return f" ({0.0 - interval.high:{digits}} to {0.0 - interval.low:{digits}})" if interval else ""


def _size_outcome(search: TokenSearch, size: TriedSize) -> str:
    if _is_of(search, size):
        return "chosen"
    return "within the limit" if within_budget(size.drop_points, search.limit_points) else "drops too much"


def _tried(search: TokenSearch) -> str:
    if not search.tried:
        return ""
    rows = [
        (
            tried.plan,
            units.milliseconds(tried.predicted_ms),
            f"{tried.divergence:.3g} nats",
            _change(search, tried.drop_points),
            str(tried.samples or search.samples),
            _outcome(search, tried),
        )
        for tried in search.tried
    ]
    title = "blocks measured, sum" if search.source == "measured" else "blocks predicted, sum"
    return table(("plan tried", title, "KL divergence", "change", "images", ""), rows, range(1, 5))


def _tuned(search: TokenSearch) -> str:
    """What a short fine-tuning regained of plans that lose too much untuned."""
    if not search.tuned:
        return ""
    rows = [
        (
            tuned.plan,
            units.milliseconds(tuned.predicted_ms),
            f"{tuned.images_seen} in {tuned.seconds:.0f} s",
            f"{tuned.divergence_before:.3g} → {tuned.divergence_after:.3g} nats",
            _change(search, tuned.drop_points_before),
            _change(search, tuned.drop_points) + _reach(search, tuned),
            _change(search, tuned.expected_points),
            "chosen" if tuned.plan == search.plan else "drops too much",
        )
        for tuned in search.tuned
    ]
    title = "blocks predicted, sum" if search.source == "predicted" else "blocks measured, sum"
    return table(
        ("plan tuned shortly", title, "views", "KL divergence", "change untuned", "tuned (95 %)", "expected", ""),
        rows,
        range(1, 7),
    )


def _outcome(search: TokenSearch, tried: TriedPlan) -> str:
    if tried.plan == search.plan:
        return "chosen"
    if tried.plan in [tuned.plan for tuned in search.tuned]:
        return "tuned shortly"
    return "slower" if within_budget(tried.drop_points, search.limit_points) else "drops too much"


def _blocks(search: TokenSearch) -> str:
    plan = {stop.tokens: stop.place for stop in stops(search)}
    rows = [
        (
            str(point.tokens),
            units.milliseconds(point.ms),
            "step" if point.tokens in search.steps else "",
            plan.get(point.tokens, ""),
        )
        for point in reversed(search.blocks)
    ]
    title = "one block, measured" if search.source == "measured" else "one block, predicted"
    return table(("tokens", title, "", "plan found"), rows, (0, 1)) if rows else ""


def _site_costs(search: TokenSearch) -> str:
    """Extra latency of the reduction itself, from the lowest to the highest over token counts."""
    by_method: dict[str, list[SitePoint]] = {}
    for site in search.sites:
        by_method.setdefault(site.method, []).append(site)
    costs = []
    for method, sites in by_method.items():
        low, high = min(site.ms for site in sites), max(site.ms for site in sites)
        forms = " or ".join(dict.fromkeys(site.form for site in sites))
        reach = units.milliseconds(low) if low == high else f"{units.milliseconds(low)} to {units.milliseconds(high)}"
        costs.append(f"{escape(method)} {reach} ({escape(forms)})")
    verb = "measured" if search.source == "measured" else "predicted"
    return f"Extra latency of reducing tokens, {verb}: {', '.join(costs)}." if costs else ""
