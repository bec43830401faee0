"""What tasks take of a machine, and what no machine has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.cluster.machine import Machine
from edgevit.cluster.resources import Needs, board_needs, check_met, supply_of, task_needs, timing_needs
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint

HOST = replace(host_fingerprint(1), isa=("avx2",))
VERSIONS = {"edgevit": "1"}
DESK = Machine("desk", HOST, 4, VERSIONS, ("pi@board",))
LAPTOP = Machine("laptop", replace(HOST, isa=("avx2", "avx512_vnni")), 2, VERSIONS, ())
SUPPLIES = [supply_of(DESK), supply_of(LAPTOP)]


def able(needs: Needs) -> list[bool]:
    return [needs.met_by(supply) for supply in SUPPLIES]


def test_who_can_do_what() -> None:
    assert able(task_needs(VERSIONS, None)) == [True, True]
    assert able(task_needs(VERSIONS, "avx512_vnni")) == [False, True]
    assert able(timing_needs(VERSIONS, DESK)) == [True, False]
    assert able(board_needs(VERSIONS, "pi@board")) == [True, False]
    assert able(task_needs({"edgevit": "2"}, None)) == [False, False]


def test_what_is_timed_takes_the_whole_machine_and_comes_first() -> None:
    needs = timing_needs(VERSIONS, DESK)
    assert needs.amounts["core"] == supply_of(DESK)["core"] == 4
    assert needs.priority > task_needs(VERSIONS, None).priority


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (board_needs(VERSIONS, "pi@other"), r"no worker of the cluster has board pi@other \(there are: pi@board\)"),
        (task_needs(VERSIONS, "i8mm"), "no worker of the cluster has isa i8mm"),
        (task_needs({"edgevit": "2"}, None), "no worker of the cluster has edgevit"),
        (timing_needs(VERSIONS, replace(DESK, name="gone")), "no worker of the cluster has ruler gone"),
        (
            replace(task_needs(VERSIONS, "avx512_vnni"), amounts={"core": 4, "isa:avx512_vnni": 1}),
            "together with all else",
        ),
    ],
)
def test_what_nobody_has_is_refused(needs: Needs, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_met(needs, SUPPLIES, "task")
    check_met(task_needs(VERSIONS, None), SUPPLIES, "task")


def test_a_cluster_without_workers() -> None:
    with pytest.raises(UsageError, match="no worker of the cluster has"):
        check_met(task_needs(VERSIONS, None), [], "task")
