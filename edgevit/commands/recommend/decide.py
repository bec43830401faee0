"""Which family to start from: one consideration after another, until one family is left.

What cannot work is ruled out. Then the user's own runs decide; then published accuracy within the latency budget, as predicted for
the device; then what was measured in publications; then the rules of guides; and last, how much of the structure of images a
family has built in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from edgevit import units
from edgevit.commands.recommend.own_runs import OwnRun, run_reasons, verdict
from edgevit.commands.recommend.published import published_reasons
from edgevit.distillation.data_size import BEHIND_BELOW, data_size_warning
from edgevit.results.family import FAMILY_TITLES, Family
from edgevit.results.recommendation import Basis, Contradiction, OfferedNetwork, Reason, Side, Situation

FAMILIES: tuple[Family, ...] = get_args(Family)
"""Those with most structure of images built in first."""
_CLEAR_POINTS = 1.0
"""Percentage points of published top-1 by which a family has to lead: recipes of training differ by about as much, as those of
ResNet-50 in timm's own table do (resnet50.a1_in1k 81.2 %, resnet50.tv2_in1k 80.9 %)."""
_STRENGTHS = {
    "excludes": "what rules a family out",
    "measured": "what was measured or is predicted",
    "rule": "a rule of thumb",
}
"""The strongest first."""
_CARRIED = "the graphs that edgevit carries"
_BASES: tuple[Basis, ...] = ("your run", "predicted", "published")
"""The strongest first."""


@dataclass(frozen=True)
class Decision:
    """A family, and why."""

    family: Family | None
    decided_by: str
    reasons: tuple[Reason, ...]
    contradictions: tuple[Contradiction, ...]
    offers: Mapping[Family, tuple[OfferedNetwork, ...]]
    """Of each family that is possible, the networks that may be used, best first."""


def decide(situation: Situation, offered: Sequence[OfferedNetwork], runs: Sequence[OwnRun]) -> Decision:
    """Decides.

    Args:
        situation: What is known.
        offered: Published networks, priced in the situation.
        runs: The user's own.
    """
    possible = _usable(offered, situation)
    excluded = tuple(_exclusions(situation, offered, possible))
    possible.update((family, ()) for reason in excluded for family in reason.families)
    left = [family for family in FAMILIES if possible[family]]
    predictions = (*_latency_reasons(situation, possible), *_int8_reasons(offered))
    published = published_reasons(situation)
    reasons = (*excluded, *run_reasons(runs, situation), *predictions, *published)
    chosen, decided_by = _choose(left, situation, possible, runs, reasons)
    return Decision(chosen, decided_by, reasons, tuple(_contradictions(reasons, chosen)), possible)


def _usable(offered: Sequence[OfferedNetwork], situation: Situation) -> dict[Family, tuple[OfferedNetwork, ...]]:
    """The networks of each family that run on the device within the budgets, most accurate first.

    Each is held to the latency budget in the arithmetic that it is offered in, or, where no network of any family is fast enough in
    that, in the other one. Where nothing is predicted for the device, the budget does not count.
    """
    able = [network for network in offered if situation.device is None or network.unit is not None]
    if situation.memory_bytes is not None:
        able = [network for network in able if network.weights_bytes <= situation.memory_bytes]
    budget = situation.max_latency_ms
    if budget is not None and any(network.latency_ms for network in able):
        in_time = [network for network in able if network.latency_ms and network.latency_ms.p50 <= budget]
        able = in_time or [n for n in able if n.other_latency_ms and n.other_latency_ms.p50 <= budget]
    able.sort(key=lambda network: -network.top1)
    return {family: tuple(network for network in able if network.family == family) for family in FAMILIES}


def _exclusions(
    situation: Situation, offered: Sequence[OfferedNetwork], possible: Mapping[Family, tuple[OfferedNetwork, ...]]
) -> Iterator[Reason]:
    images = situation.images
    if images is not None and situation.from_scratch:
        warning = data_size_warning(images, None, "vit", pretrained=False)
        if warning is not None:
            yield Reason("data size", warning, "published", "excludes", ("vit",), "the sources named")
    for family in FAMILIES:
        if not possible[family]:
            yield _why_impossible(family, offered, situation)


def _why_impossible(family: Family, offered: Sequence[OfferedNetwork], situation: Situation) -> Reason:
    """What of the device, the memory or the latency no network of a family meets, in this order."""
    title = FAMILY_TITLES[family]
    own = [network for network in offered if network.family == family]
    running = [network for network in own if situation.device is None or network.unit is not None]
    memory = situation.memory_bytes
    small = [network for network in running if memory is None or network.weights_bytes <= memory]

    def reason(topic: str, text: str, source: str) -> Reason:
        return Reason(topic, text, "predicted", "excludes", (family,), source)

    if not own:
        return reason("resolution", f"no {title} that is carried takes images of that size for such a task", _CARRIED)
    if not running:
        return reason("device", f"no {title} runs there: {own[0].basis}", f"device file {situation.device}")
    if not small:
        least = min(running, key=lambda network: network.weights_bytes)
        text = f"every {title} takes more: the weights of {least.name} are {units.size(least.weights_bytes)}"
        return reason("memory", text, _CARRIED)
    fastest = min(small, key=lambda network: network.latency_ms.p50 if network.latency_ms else math.inf)
    text = f"no {title} is fast enough: {fastest.name} is predicted at {_latency_words(fastest)}"
    return reason("latency", text, fastest.basis)


def _latency_words(network: OfferedNetwork) -> str:
    interval = network.latency_ms
    if interval is None:
        return "no latency"
    words = (
        f"{units.milliseconds(interval.p50)} ({units.milliseconds(interval.low)} to {units.milliseconds(interval.high)},"
        f" {network.arithmetic})"
    )
    other = network.other_latency_ms
    return f"{words}, {units.milliseconds(other.p50)} in {network.other_arithmetic}" if other else words


def _latency_reasons(situation: Situation, possible: Mapping[Family, tuple[OfferedNetwork, ...]]) -> Iterator[Reason]:
    """What published accuracy each family reaches within the budget, as predicted."""
    budget = situation.max_latency_ms
    leader = _leader(possible)
    for family, networks in possible.items():
        best = networks[0] if networks else None
        if budget is None or best is None or best.latency_ms is None:
            continue
        text = (
            f"within {units.milliseconds(budget)} the best {FAMILY_TITLES[family]} is {best.name}: published top-1"
            f" {units.percent(best.top1)}, predicted {_latency_words(best)}"
        )
        yield Reason("latency", text, "predicted", "measured", (family,) if family == leader else (), best.basis)


def _int8_reasons(offered: Sequence[OfferedNetwork]) -> Iterator[Reason]:
    """What int8 loses, where all networks run in int8."""
    if {network.arithmetic for network in offered if network.unit} == {"int8"}:
        text = (
            "networks run in int8 there, in which CNNs lose a median of 0.5 points, ViTs 1.2, Swin 2.6 and hybrids 2.8"
        )
        source = "hailo-ai/hailo_model_zoo: float minus int8 top-1"
        yield Reason("device", text, "published", "measured", ("cnn",), source)


def _leader(possible: Mapping[Family, tuple[OfferedNetwork, ...]]) -> Family | None:
    """The family whose best network leads those of the others clearly; None where none does."""
    best = sorted(((networks[0].top1, family) for family, networks in possible.items() if networks), reverse=True)
    if not best:
        return None
    clear = len(best) == 1 or 100 * (best[0][0] - best[1][0]) >= _CLEAR_POINTS
    return best[0][1] if clear else None


def _choose(
    left: Sequence[Family],
    situation: Situation,
    possible: Mapping[Family, tuple[OfferedNetwork, ...]],
    runs: Sequence[OwnRun],
    reasons: Sequence[Reason],
) -> tuple[Family | None, str]:
    if not left:
        return None, "no family is possible"
    if len(left) == 1:
        return left[0], "no other family is possible"
    of_runs = verdict(runs, situation)
    if of_runs is not None and of_runs.family in left:
        return of_runs.family, "your own runs, on your images"
    trained = not situation.from_scratch or (situation.images or 0) >= BEHIND_BELOW
    leader = _leader(possible)
    predicted = any(networks and networks[0].latency_ms for networks in possible.values())
    if situation.max_latency_ms is not None and predicted and trained and leader is not None:
        return (
            leader,
            f"published top-1 within the latency budget, as predicted: ahead by {_CLEAR_POINTS:g} point or more",
        )
    for strength, words in (("measured", "what was measured in publications"), ("rule", "published rules of thumb")):
        votes = Counter(
            family
            for reason in reasons
            if reason.strength == strength and reason.basis == "published"
            for family in reason.families
            if family in left
        )
        most = max(votes.values(), default=0)
        left = [family for family in left if votes[family] == most]
        if len(left) == 1:
            return left[0], f"{words}: {_tally(votes)}"
    first, *rest = left
    return first, f"a tie: {FAMILY_TITLES[first]} has more of the structure of images built in than {_named(rest)}"


def _tally(votes: Mapping[Family, int]) -> str:
    return ", ".join(f"{FAMILY_TITLES[family]} {votes.get(family, 0)}" for family in FAMILIES if votes.get(family))


def _named(families: Iterable[Family]) -> str:
    return " and ".join(FAMILY_TITLES[family] for family in families)


def _contradictions(reasons: Sequence[Reason], family: Family | None) -> Iterator[Contradiction]:
    """Topics of which no family satisfies all reasons."""
    for topic in dict.fromkeys(reason.topic for reason in reasons):
        numbered = [
            (at, reason) for at, reason in enumerate(reasons, 1) if reason.topic == topic and _spoken_for(reason)
        ]
        sides: dict[tuple[Family, ...], list[int]] = {}
        for at, reason in numbered:
            sides.setdefault(_spoken_for(reason), []).append(at)
        if any(not set(one) & set(other) for one in sides for other in sides):
            told = tuple(Side(families, tuple(places)) for families, places in sides.items())
            yield Contradiction(topic, told, _resolution([reason for _, reason in numbered], family))


def _spoken_for(reason: Reason) -> tuple[Family, ...]:
    """The families that a reason leaves, or speaks for; () where several rule out one family after another."""
    if reason.strength == "excludes":
        return tuple(family for family in FAMILIES if family not in reason.families)
    return tuple(family for family in FAMILIES if family in reason.families)


def _resolution(reasons: Sequence[Reason], family: Family | None) -> str:
    """What the answer goes by among reasons of one topic: the strongest ones, if some family satisfies them all."""
    strength = min((reason.strength for reason in reasons), key=list(_STRENGTHS).index)
    basis = min((reason.basis for reason in reasons if reason.strength == strength), key=_BASES.index)
    strongest = [reason for reason in reasons if (reason.strength, reason.basis) == (strength, basis)]
    weaker = next((other for other in reasons if other not in strongest), None)
    if weaker is not None and set(FAMILIES).intersection(*map(_spoken_for, strongest)):
        if weaker.strength == strength:
            return f"what is {basis} comes before what is {weaker.basis}"
        return f"{_STRENGTHS[strength]} comes before {_STRENGTHS[weaker.strength]}"
    answer = FAMILY_TITLES[family] if family else "that none is possible"
    return f"not resolved by itself; the answer, {answer}, comes from all considerations"
