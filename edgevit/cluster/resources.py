"""What tasks need of a machine, in the terms of Dask: names with amounts that a worker has, and that tasks take while they run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgevit.cluster.machine import Machine
from edgevit.errors import UsageError

CORE, RULER, ISA, VERSIONS, BOARD = "core", "ruler:", "isa:", "edgevit:", "board:"
_PLENTY = 1e9
"""Of what a machine has without its being used up."""
TIMING_PRIORITY = 10
"""Over tasks that time nothing, so that what is timed does not wait for them all."""


@dataclass(frozen=True)
class Needs:
    """What a task takes while it runs."""

    amounts: Mapping[str, float]
    priority: int = 0

    def met_by(self, supply: Mapping[str, float]) -> bool:
        """Returns whether a worker with these resources can ever carry it out."""
        return all(supply.get(name, 0.0) >= amount for name, amount in self.amounts.items())


def supply_of(machine: Machine) -> dict[str, float]:
    """Returns what the worker of a machine offers."""
    return {
        CORE: float(machine.slots),
        RULER + machine.name: 1.0,
        ISA + machine.isa: _PLENTY,
        VERSIONS + versions_digest(machine.versions): _PLENTY,
        **{BOARD + board: 1.0 for board in machine.boards},
    }


def task_needs(versions: Mapping[str, str], by_isa: str | None) -> Needs:
    """Returns what a task that times nothing needs.

    Args:
        versions: That the machine must have.
        by_isa: Class of instruction sets that the answer depends on; None where it depends on none.
    """
    isa = {} if by_isa is None else {ISA + by_isa: 1.0}
    return Needs({CORE: 1.0, VERSIONS + versions_digest(versions): 1.0, **isa})


def timing_needs(versions: Mapping[str, str], ruler: Machine) -> Needs:
    """Returns what a task that times something needs: all of the one machine that a run's times are from."""
    amounts = {CORE: float(ruler.slots), RULER + ruler.name: 1.0, VERSIONS + versions_digest(versions): 1.0}
    return Needs(amounts, TIMING_PRIORITY)


def board_needs(versions: Mapping[str, str], address: str) -> Needs:
    """Returns what a task on a board needs: the board, and a place on the machine that it belongs to."""
    return Needs({CORE: 1.0, BOARD + address: 1.0, VERSIONS + versions_digest(versions): 1.0}, TIMING_PRIORITY)


def check_met(needs: Needs, supplies: Iterable[Mapping[str, float]], what: str) -> None:
    """Refuses what no worker could ever carry out, which Dask would wait for without end.

    Args:
        needs: Of the task.
        supplies: Of the workers.
        what: The task, for people.

    Raises:
        UsageError: names what is missing, and what there is of its kind.
    """
    offered = list(supplies)
    if any(needs.met_by(supply) for supply in offered):
        return
    lacking = [name for name, amount in needs.amounts.items() if all(each.get(name, 0.0) < amount for each in offered)]
    name = lacking[0] if lacking else next(iter(needs.amounts))
    kind = name.partition(":")[0]
    known = sorted({each.partition(":")[2] for supply in offered for each in supply if each.startswith(f"{kind}:")})
    hints = {
        "board": "start its machine's worker with --board",
        "edgevit": "install the same versions there: `edgevit cluster status`",
        "isa": f"start a worker on a machine of that kind; there are: {', '.join(known) or 'none'}",
    }
    together = "" if lacking else " together with all else that it needs"
    described = f"{kind} {name.partition(':')[2]}".strip()
    listing = f" (there are: {', '.join(known)})" if known and kind == "board" else ""
    raise UsageError(
        f"{what}: no worker of the cluster has {described}{together}{listing}",
        hints.get(kind, "start its worker again, then the same command with --resume"),
    )


def versions_digest(versions: Mapping[str, str]) -> str:
    """Returns a short name for versions, by which Dask itself gives no task to a worker with others."""
    return hashlib.sha256(json.dumps(dict(versions), sort_keys=True).encode()).hexdigest()[:12]
