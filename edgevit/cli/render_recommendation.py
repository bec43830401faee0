"""A recommendation, as text on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from edgevit.results.family import Family
    from edgevit.results.recommendation import OfferedNetwork, Reason, Recommendation

_TITLES = (
    "",
    "network",
    "family",
    "published top-1",
    "input",
    "MACs",
    "weights",
    "predicted p50",
    "80 % interval",
    "otherwise",
    "fits",
)


def print_recommendation(found: Recommendation) -> None:
    """Prints the answer, the networks, the reasons, what contradicts what, and what would change the answer."""
    print_line(f"start from: {_title(found.family)}")
    print_line(f"decided by: {found.decided_by}")
    print_line(f"profile: {found.profile or 'none'} ({found.profile_reason})")
    _print_networks(found)
    print_line()
    print_line("reasons, the strongest first:")
    for number, reason in enumerate(found.reasons, 1):
        print_line(f"{number:>3} {_mark(reason, found.family)}: {reason.text} [{reason.basis}: {reason.source}]")
    if found.contradictions:
        print_line()
        print_line("contradictions among them:")
        for each in found.contradictions:
            sides = (f"{_named(side.families)} by {', '.join(map(str, side.reasons))}" for side in each.sides)
            print_line(f"  {each.topic}: {'; '.join(sides)}: {each.resolved}")
    print_line()
    print_line(
        "what would change the answer:" if found.changes else "nothing that was asked for would change the answer"
    )
    for change in found.changes:
        print_line(f"  {change.what}: {change.then}")
    print_line()
    for line in found.advice:
        print_line(f"note: {line}")


def _print_networks(found: Recommendation) -> None:
    rows = [
        *(_row("to try first" if at == 0 else "then", network) for at, network in enumerate(found.networks)),
        *(_row("of the others", network) for network in found.offers),
    ]
    if not rows:
        return
    priced = any(network.latency_ms for network in (*found.networks, *found.offers))
    print_line()
    shown = _TITLES if priced else _TITLES[:7]
    print_table(shown, [row[: len(shown)] for row in rows], numeric=(3, 5, 6, 7, 9)[: 5 if priced else 3])
    for basis in dict.fromkeys(network.basis for network in (*found.networks, *found.offers) if network.basis):
        print_line(f"predictions: {basis}")


def _row(place: str, network: OfferedNetwork) -> tuple[str, ...]:
    latency, other = network.latency_ms, network.other_latency_ms
    height, width = network.input_size
    return (
        place,
        network.weights,
        _title(network.family),
        units.percent(network.top1),
        f"{height} x {width}",
        units.count(network.macs),
        units.size(network.weights_bytes),
        f"{units.milliseconds(latency.p50)} ({network.arithmetic})" if latency else "–",
        f"{units.milliseconds(latency.low)} to {units.milliseconds(latency.high)}" if latency else "–",
        f"{units.milliseconds(other.p50)} ({network.other_arithmetic})" if other else "–",
        network.fits if network.fits != "unknown" else "–",
    )


def _mark(reason: Reason, family: Family | None) -> str:
    """Which families a reason speaks for, and whether the answer is among them."""
    if reason.strength == "excludes":
        return f"rules out {_named(reason.families)}"
    if not reason.families:
        return "known"
    return f"for {_named(reason.families)}{'' if family in reason.families else ' instead'}"


def _named(families: tuple[Family, ...]) -> str:
    return ", ".join(map(_title, families))


def _title(family: Family | None) -> str:
    from edgevit.results.family import FAMILY_TITLES

    return FAMILY_TITLES[family] if family else "none is possible"
