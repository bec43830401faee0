"""A board that candidates of a run were measured on."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgevit.results.measurement import Host


@dataclass(frozen=True)
class BoardRecord:
    """What is known of a board after its rounds."""

    name: str
    """As choices and latencies have it."""
    host: Host
    """Its fingerprint."""
    emulated: str = ""
    """Why it is known to be emulated, so that its times say nothing about a board; "" if nothing says so."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why usable candidates did not run there, by their ids."""
