"""What a store holds, what may go, and what is damaged."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.store.record import Blob, Record, StoredRun
from edgevit.store.store import Store, open_store
from edgevit.store.upkeep import collect_garbage, contents, verify_store


def used(store: Store, folder: Path, run: str, content: bytes, inputs: dict[str, Blob] | None = None) -> Record:
    """A run that has carried out one task."""
    path = folder / "given"
    path.write_bytes(content)
    blob = store.put(path)
    record = Record(blob.sha256, "m:f", "{}", {"out": blob}, inputs or {}, "desk", 1.0, "2026-11-27T10:00:00+00:00")
    store.put_record(record)
    store.begin_run(StoredRun(run, f"runs/{run}", f"2026-11-27T10:00:0{run}+00:00"))
    store.note_use(run, record.key)
    return record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def test_contents_name_the_newest_run_first(store: Store, tmp_path: Path) -> None:
    for run, content in (("1", b"one"), ("2", b"second")):
        used(store, tmp_path, run, content)
    found = contents(store)
    assert [(use.run.id, use.tasks, use.size_bytes) for use in found.runs] == [("2", 1, 6), ("1", 1, 3)]
    assert (found.records, found.blobs, found.size_bytes) == (2, 2, 9)


def test_garbage_is_what_the_newest_runs_do_not_use(store: Store, tmp_path: Path) -> None:
    old = used(store, tmp_path, "1", b"one")
    (tmp_path / "input").write_bytes(b"input")
    blob = store.put(tmp_path / "input")
    new = used(store, tmp_path, "2", b"second", {"in": blob})
    store.note_use("2", new.key)
    collected = collect_garbage(store, 1, 0)
    assert (collected.runs, collected.records, collected.blobs) == (1, 1, 1)
    assert store.record(old.key) is None
    assert not store.has(old.files["out"])
    assert store.record(new.key) == new
    assert store.has(blob), "what a kept task read is kept, for it may be needed again"
    assert [use.run.id for use in contents(store).runs] == ["2"]


def test_what_two_runs_share_stays_with_the_one_that_is_kept(store: Store, tmp_path: Path) -> None:
    used(store, tmp_path, "1", b"shared")
    record = used(store, tmp_path, "2", b"shared")
    collect_garbage(store, 1, 0)
    assert store.record(record.key) is not None


def test_what_is_young_stays(store: Store, tmp_path: Path) -> None:
    record = used(store, tmp_path, "1", b"one")
    assert collect_garbage(store, 0, 1.0).blobs == 0
    assert store.record(record.key) is not None
    for path in (tmp_path / "store").rglob("*"):
        os.utime(path, (time.time() - 7200,) * 2)
    assert collect_garbage(store, 0, 1.0).blobs == 1
    assert contents(store).runs == ()


def test_what_killed_processes_left_is_garbage_and_no_blob(store: Store, tmp_path: Path) -> None:
    used(store, tmp_path, "1", b"one")
    left = next((tmp_path / "store" / "blobs").iterdir()) / ".edgevit-0011223344556677.tmp"
    left.write_bytes(b"half")
    assert contents(store).blobs == 1
    collected = collect_garbage(store, 1, 0)
    assert (collected.blobs, collected.freed_bytes) == (0, 4)
    assert not left.exists()


def test_damage_is_named_and_nothing_is_changed(store: Store, tmp_path: Path) -> None:
    whole, damaged, missing = (used(store, tmp_path, "1", content) for content in (b"whole", b"damaged", b"missing"))
    assert verify_store(store).is_whole
    blobs = tmp_path / "store" / "blobs"
    (blobs / damaged.key[:2] / damaged.key).write_bytes(b"damaget")
    (blobs / missing.key[:2] / missing.key).unlink()
    for _ in range(2):
        found = verify_store(store)
        assert (found.blobs, found.records, found.damaged) == (2, 3, (damaged.key,))
        assert found.incomplete == tuple(sorted((damaged.key, missing.key)))
        assert not found.is_whole
    assert store.record(whole.key) == whole


@pytest.mark.parametrize(("runs", "hours"), [(-1, 0.0), (0, -1.0)])
def test_negative_numbers_are_refused(store: Store, runs: int, hours: float) -> None:
    with pytest.raises(UsageError, match="not negative"):
        collect_garbage(store, runs, hours)
