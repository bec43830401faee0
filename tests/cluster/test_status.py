"""The machines of a cluster as people and scripts see them."""

from __future__ import annotations

import json

import pytest

from edgevit.cli.app import run
from edgevit.cluster.machine import Holding, Machine, computing_versions
from edgevit.cluster.status import ClusterStatus, MachineStatus, status_lines
from edgevit.measure.host import host_fingerprint
from tests.cluster.clusters import LocalCluster

MACHINE = Machine(
    "desk",
    host_fingerprint(1),
    4,
    {"edgevit": "1"},
    ("pi@board",),
    (Holding("m:f", "ann@laptop: run", 0.0, "pi@board"),),
)


def test_the_command_names_machines_and_versions(two_workers: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cluster", "status", two_workers.url]) == 0
    said = capsys.readouterr().out
    assert "one (tcp://127.0.0.1:" in said
    assert f"edgevit {computing_versions()['edgevit']}" in said
    assert said.count("  idle") == 2
    assert run(["cluster", "status", two_workers.url, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in document["machines"]] == ["one", "two"]
    assert document["machines"][0]["machine"]["slots"] == 2


def test_what_is_held_and_what_is_refused() -> None:
    refused = MachineStatus("old", "tcp://127.0.0.1:1", None, None, ("edgevit is 2 here and 1 there",))
    foreign = MachineStatus("dask", "tcp://127.0.0.1:2", None, None, ())
    known = MachineStatus("desk", "tcp://127.0.0.1:3", MACHINE, "avx2", ())
    lines = "\n".join(status_lines(ClusterStatus("tcp://127.0.0.1:8786", (foreign, known, refused))))
    assert "dask (tcp://127.0.0.1:2): not a worker of edgevit" in lines
    assert "  board: pi@board" in lines
    assert "  m:f, for " in lines
    assert "of ann@laptop: run, on the board pi@board" in lines
    assert "old (tcp://127.0.0.1:1): edgevit is 2 here and 1 there" in lines
    assert ClusterStatus("", (known, foreign)).is_usable
    assert not ClusterStatus("", (known, refused)).is_usable
    assert not ClusterStatus("", (foreign,)).is_usable
    assert list(status_lines(ClusterStatus("tcp://x", ()))) == [
        "tcp://x: no workers; start one on each machine: edgevit worker tcp://x"
    ]
