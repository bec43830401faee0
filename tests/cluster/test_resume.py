"""A driver that is killed again and again: its run ends with the same answers, and nothing that was recorded is done twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from edgevit.store.store import open_store
from tests.cluster.clusters import ROOT, cluster

TASKS, KILLS = 60, 20
_DRIVER = """
import sys
from functools import partial
from pathlib import Path
from edgevit.cluster.execution import Where
from edgevit.run.progress import Silent
from edgevit.run.stages import Stages
from edgevit.run.task import Task
from tests.cluster.clusters import WARM, stages_in
from tests.cluster.file_jobs import Number, Numbered, numbered
folder, url = Path(sys.argv[1]), sys.argv[2]
where = Where(cluster=url, store=str(folder / "store")) if url else Where(jobs=2, store=str(folder / "store"))
with stages_in(folder / "run", where) as stages:
    tasks = [Task(numbered, Number(each, 0.2), Numbered, preload=WARM) for each in range(int(sys.argv[3]))]
    calls = [partial(stages.run_in_child, f"stage {each}", "log", task) for each, task in enumerate(tasks)]
    print(sum(answer.square for answer in stages.side_by_side(calls)))
"""


def recorded(folder: Path) -> set[int]:
    """Numbers of the tasks that have a record."""
    store = open_store(str(folder / "store"))
    keys = [
        entry.name.rpartition("/")[2].removesuffix(".json")
        for entry in store.place.entries("results")
        if not entry.partial
    ]
    records = filter(None, map(store.record, keys))
    return {json.loads(record.answer)[0]["answer"]["number"] for record in records}


@pytest.mark.slow
@pytest.mark.parametrize("with_cluster", [False, True])
def test_twenty_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_cluster: bool) -> None:
    if with_cluster:
        pytest.importorskip("distributed")
    monkeypatch.setenv("EDGEVIT_TEST_NOTES", str(tmp_path / "notes"))
    notes, chance, again = tmp_path / "notes", random.Random(1), set()
    notes.touch()

    def times() -> Counter[str]:
        return Counter(notes.read_text().splitlines())

    with cluster(tmp_path, workers={"one": 1, "two": 1}) if with_cluster else nullcontext() as local:
        command = [sys.executable, "-c", _DRIVER, str(tmp_path), local.url if local else "", str(TASKS)]
        kills, done = 0, False
        while not done:
            driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True)
            before, known = times(), recorded(tmp_path)
            enough = before.total() + chance.randint(1, 2)
            while kills < KILLS and driver.poll() is None and times().total() < enough:
                time.sleep(0.05)
            if kills < KILLS and driver.poll() is None:
                time.sleep(chance.uniform(0, 0.3))
                os.killpg(driver.pid, signal.SIGKILL)
                kills += 1
            out, _ = driver.communicate(timeout=200)
            done = driver.returncode == 0
            assert driver.returncode in (0, -signal.SIGKILL)
            time.sleep(0.3)  # children end with it
            after = times()
            again |= {number for number in known if after[f"numbered {number}"] > before[f"numbered {number}"]}
    executions = sum(times().values())
    print(f"{TASKS} tasks, killed {kills} times: {executions} executions, {len(again)} of them of recorded tasks")
    assert kills == KILLS
    assert int(out) == sum(number**2 for number in range(TASKS))
    assert again == set()
    assert recorded(tmp_path) == set(range(TASKS))
    assert executions <= TASKS + 2 * kills
