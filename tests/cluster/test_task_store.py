"""What answers depend on is in their keys, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cluster.task_store import Basis, Keys, TaskStore
from edgevit.errors import CandidateFailed
from edgevit.run.folder import RunFolder
from edgevit.run.task import Task
from edgevit.spec.spec import Spec
from edgevit.store.record import Blob, Record, StoredRun
from edgevit.store.store import open_store
from tests.cluster.file_jobs import Number, Span, sleep

BASIS = Basis({"edgevit": "1"}, "avx2", {}, "desk: cpu, 4 cores")


def store_of(folder: Path, name: str = "one") -> TaskStore:
    run = RunFolder(folder / name, Spec.model_validate({"model": {"name": "digits_vit"}}), (), resume=False)
    return TaskStore(open_store(str(folder / "store")), run, StoredRun(name, name, ""), BASIS)


def keys(tasks: TaskStore, *, by_isa: bool = False, timing: bool = False, number: int = 1) -> Keys:
    return tasks.keys([Task(sleep, Number(number), Span, by_isa=by_isa)], timing)


def test_what_does_not_time_has_one_key_in_all_runs(tmp_path: Path) -> None:
    one, two = store_of(tmp_path), store_of(tmp_path, "two")
    assert keys(one) == keys(two)
    assert keys(one).own == keys(one).shared
    assert keys(one) != keys(one, number=2)
    assert one.keys([Task(sleep, Number(1), Span)] * 2, timing=False) != keys(one)


@pytest.mark.parametrize("change", [{"versions": {"edgevit": "2"}}, {"threads": {"OMP_NUM_THREADS": "1"}}])
def test_versions_and_threads_count_for_all(tmp_path: Path, change: dict[str, dict[str, str]]) -> None:
    one = store_of(tmp_path)
    assert keys(one) != keys(replace(one, basis=replace(BASIS, **change)))


def test_the_instruction_sets_count_where_the_answer_depends_on_them(tmp_path: Path) -> None:
    one = store_of(tmp_path)
    other = replace(one, basis=replace(BASIS, isa="avx512_vnni"))
    assert keys(one) == keys(other)
    assert keys(one, by_isa=True) != keys(other, by_isa=True)


def test_the_machine_and_the_run_count_for_what_is_timed(tmp_path: Path) -> None:
    one, two = store_of(tmp_path), store_of(tmp_path, "two")
    of_one, of_two = keys(one, timing=True), keys(two, timing=True)
    assert of_one.own != of_two.own
    assert of_one.shared == of_two.shared
    laptop = replace(store_of(tmp_path, "three"), basis=replace(BASIS, ruler="laptop: cpu, 2 cores"))
    assert keys(one) == keys(laptop)
    assert keys(laptop, timing=True).shared != of_one.shared


def test_each_time_of_timing_has_a_key_of_its_own_in_every_run(tmp_path: Path) -> None:
    one, again, two = store_of(tmp_path), store_of(tmp_path), store_of(tmp_path, "two")
    first, second = keys(one, timing=True), keys(one, timing=True)
    assert first.own != second.own
    assert first.shared != second.shared
    assert [keys(again, timing=True), keys(again, timing=True)] == [first, second], "as when it is resumed"
    assert keys(two, timing=True).shared == first.shared


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd"])
def test_a_record_that_leaves_the_run_folder_is_refused(tmp_path: Path, name: str) -> None:
    one = store_of(tmp_path)
    record = Record("0" * 64, "m:f", json.dumps([]), {name: Blob("1" * 64, 1)}, {}, "desk", 0.0, "")
    with pytest.raises(CandidateFailed, match="outside the run folder"):
        one.restore(record)
