"""What a store holds, what of it nobody needs any more, and what is damaged."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.store.place import Entry
from edgevit.store.record import Record, StoredRun
from edgevit.store.store import BEGIN, BLOBS, FAILED, KEY, RECORDS, RUNS, Store

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class RunUse:
    """What a run uses of a store."""

    run: StoredRun
    tasks: int
    """Records that it uses."""
    size_bytes: int
    """Of the files that they name; runs may share them."""


@dataclass(frozen=True)
class Contents:
    """What a store holds."""

    url: str
    runs: tuple[RunUse, ...]
    """The newest first."""
    records: int
    blobs: int
    size_bytes: int
    """Of all blobs."""


@dataclass(frozen=True)
class Collected:
    """What was removed from a store."""

    runs: int
    records: int
    blobs: int
    freed_bytes: int
    """Of all that was removed."""
    kept_bytes: int
    """Of the blobs that are left."""


@dataclass(frozen=True)
class Verified:
    """Whether a store is as it should be."""

    blobs: int
    records: int
    damaged: tuple[str, ...]
    """Blobs with other contents than their name says, by sha256."""
    incomplete: tuple[str, ...]
    """Records that cannot be read, or name a blob that is missing or damaged, by key."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damaged and not self.incomplete


def contents(store: Store) -> Contents:
    """Returns what a store holds."""
    records = {key: store.record(key) for key in _keys(store)}
    blobs = tuple(_named(store, BLOBS))
    uses = []
    for run in _newest_first(store):
        used = [record for key in _used(store, run.id) if (record := records.get(key))]
        files = {blob for record in used for blob in record.files.values()}
        uses.append(RunUse(run, len(used), sum(blob.size_bytes for blob in files)))
    return Contents(store.url, tuple(uses), len(records), len(blobs), sum(entry.size_bytes for entry in blobs))


def collect_garbage(store: Store, keep_runs: int, min_age_hours: float) -> Collected:
    """Removes all that the newest runs do not use.

    Args:
        store: Whose.
        keep_runs: How many runs to keep, ≥ 0.
        min_age_hours: Nothing younger is removed: a run that goes on may have put it a moment ago, ≥ 0.

    Raises:
        UsageError: one of the numbers is negative.
    """
    if keep_runs < 0 or min_age_hours < 0:
        raise UsageError("runs and hours to keep are not negative", "0 keeps none")
    before = time.time() - SECONDS_PER_HOUR * min_age_hours
    runs = _newest_first(store)
    old = [run for run in runs[keep_runs:] if _last_used(store, run.id) <= before]
    used = {key for run in runs if run not in old for key in _used(store, run.id)}
    kept = [record for key in used if (record := store.record(key))]
    wanted = {blob.sha256 for record in kept for blob in (*record.files.values(), *record.inputs.values())}
    records = _unwanted(store, RECORDS, used, before)
    blobs = _unwanted(store, BLOBS, wanted, before)
    marks = [entry for run in old for entry in store.place.entries(f"{RUNS}/{run.id}")]
    # a record is removed before the blobs that it names, as it was written after them
    for entry in (*records, *blobs, *marks):
        store.place.remove(entry.name)
    return Collected(
        runs=len(old),
        records=sum(not entry.partial for entry in records),
        blobs=sum(not entry.partial for entry in blobs),
        freed_bytes=sum(entry.size_bytes for entry in (*records, *blobs, *marks)),
        kept_bytes=sum(entry.size_bytes for entry in _named(store, BLOBS)),
    )


def verify_store(store: Store) -> Verified:
    """Reads every blob and every record; changes nothing. What is damaged counts as absent, and is made anew when it is needed."""
    blobs = [_name(entry) for entry in _named(store, BLOBS)]
    damaged = {name for name in blobs if not store.is_whole(name)}
    keys = tuple(_keys(store))
    incomplete = [key for key in keys if _is_incomplete(store.record(key), damaged)]
    return Verified(len(blobs), len(keys), tuple(sorted(damaged)), tuple(sorted(incomplete)))


def _is_incomplete(record: Record | None, damaged: Collection[str]) -> bool:
    return record is None or any(blob.sha256 in damaged for blob in record.files.values())


def _newest_first(store: Store) -> list[StoredRun]:
    return sorted(store.runs(), key=lambda run: (run.created_at, run.id), reverse=True)


def _last_used(store: Store, run_id: str) -> float:
    return max((entry.modified for entry in store.place.entries(f"{RUNS}/{run_id}")), default=0.0)


def _used(store: Store, run_id: str) -> set[str]:
    names = (entry.name.rpartition("/")[2] for entry in store.place.entries(f"{RUNS}/{run_id}"))
    return {name for name in names if name != BEGIN and not name.endswith(FAILED) and KEY.fullmatch(name)}


def _keys(store: Store) -> Iterator[str]:
    return (_name(entry) for entry in _named(store, RECORDS))


def _named(store: Store, folder: str) -> Iterator[Entry]:
    return (entry for entry in store.place.entries(folder) if not entry.partial and KEY.fullmatch(_name(entry)))


def _name(entry: Entry) -> str:
    return entry.name.rpartition("/")[2].removesuffix(".json")


def _unwanted(store: Store, folder: str, wanted: Collection[str], before: float) -> list[Entry]:
    return [
        entry
        for entry in store.place.entries(folder)
        if (entry.partial or _name(entry) not in wanted) and entry.modified <= before
    ]
