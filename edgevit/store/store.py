"""Files by their sha256 and records by their key; what is damaged or half there counts as absent."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgevit.errors import UsageError
from edgevit.results.document import from_json, to_json
from edgevit.run.files import TEMPORARY, disk_errors, file_sha256
from edgevit.store.place import FolderPlace, Place, open_place
from edgevit.store.record import Blob, Failure, Record, StoredRun

BLOBS, RECORDS, RUNS = "blobs", "results", "runs"
"""Folders of a store."""
_PROBES = "probes"
"""Another, empty but for a moment."""
BEGIN, FAILED = "begin.json", ".failed.json"
"""In the folder of a run: what it is; and the ending of the file that tells why a task of it failed."""
KEY = re.compile("[0-9a-f]{64}")
_BLOCK = 1 << 20
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Store:
    """A store; any number of processes on any number of machines may use one, and none has to lock it.

    Blobs are written before the record that names them. Nothing is overwritten but what is damaged.
    """

    url: str
    place: Place

    def put(self, path: Path) -> Blob:
        """Stores a file, unless it is there.

        Args:
            path: Of the file; must not change meanwhile.
        """
        blob = Blob(file_sha256(path), path.stat().st_size)
        if not self.has(blob):
            self.place.upload(path, _blob_name(blob.sha256))
        return blob

    def has(self, blob: Blob) -> bool:
        """Returns whether a file is there, by its size; its contents are checked when it is fetched."""
        return self.place.size(_blob_name(blob.sha256)) == blob.size_bytes

    def fetch(self, blob: Blob, target: Path) -> bool:
        """Writes a stored file to a path, whole and with the right contents, or not at all; its folder is made.

        Args:
            blob: Which.
            target: Where to; what is there is replaced.

        Returns:
            Whether it was there; one that is damaged is removed from the store, so that it can be made again.

        Raises:
            DiskFull: there is no space left.
        """
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
            try:
                if not self.place.download(_blob_name(blob.sha256), temporary):
                    return False
                if file_sha256(temporary) != blob.sha256:
                    self.place.remove(_blob_name(blob.sha256))
                    return False
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def record(self, key: str) -> Record | None:
        """Returns the record of a task; None where there is none, it is damaged, or a file that it names is missing."""
        record = self._read(_record_name(key), Record)
        return record if record and record.key == key and all(map(self.has, record.files.values())) else None

    def put_record(self, record: Record) -> None:
        """Stores a record whose files are stored, unless a whole one of that key is there."""
        if self.record(record.key) is None:
            self.place.write(_record_name(record.key), to_json(record))

    @contextmanager
    def probe(self) -> Iterator[str]:
        """Gives the name of an object that exists meanwhile, by which other machines find whether they see this very store.

        Raises:
            UsageError: the store cannot be written.
        """
        name = f"{_PROBES}/{secrets.token_hex(8)}"
        try:
            self.place.write(name, b"probe")
        except OSError as error:
            raise UsageError(
                f"cannot write to the store {self.url}: {error.strerror or error}",
                "give --store a folder or bucket that you may write to",
            ) from error
        try:
            yield name
        finally:
            self.place.remove(name)

    def begin_run(self, run: StoredRun) -> None:
        """Notes that a run uses this store, unless that was noted."""
        name = f"{RUNS}/{run.id}/{BEGIN}"
        if self.place.size(name) is None:
            self.place.write(name, to_json(run))

    def note_use(self, run_id: str, key: str) -> None:
        """Notes that a run uses a record, which collecting garbage then keeps with the run."""
        if self.place.size(f"{RUNS}/{run_id}/{key}") is None:
            self.place.write(f"{RUNS}/{run_id}/{key}", b"")

    def failure(self, run_id: str, key: str) -> Failure | None:
        """Returns why a task failed in a run; None where it did not."""
        return self._read(f"{RUNS}/{run_id}/{key}{FAILED}", Failure)

    def put_failure(self, run_id: str, key: str, failure: Failure) -> None:
        """Notes why a task failed in a run."""
        self.place.write(f"{RUNS}/{run_id}/{key}{FAILED}", to_json(failure))

    def runs(self) -> Iterator[StoredRun]:
        """Yields the runs that use this store."""
        for entry in self.place.entries(RUNS):
            run = self._read(entry.name, StoredRun) if entry.name.endswith(f"/{BEGIN}") else None
            if run is not None:
                yield run

    def is_whole(self, sha256: str) -> bool:
        """Returns whether a stored file has the contents that its name says."""
        content = self.place.read(_blob_name(sha256))
        return content is not None and hashlib.sha256(content).hexdigest() == sha256

    def _read(self, name: str, kind: type[_Value]) -> _Value | None:
        content = self.place.read(name)
        try:
            return None if content is None else from_json(kind, content)
        except ValueError:  # half written, by a system that does not write at once
            return None


def open_store(url: str) -> Store:
    """Opens a store, which need not exist yet.

    Args:
        url: See :func:`edgevit.store.place.open_place`.

    Raises:
        UsageError: its driver is not installed, or it is a file.
    """
    place = open_place(url)
    if isinstance(place, FolderPlace) and place.folder.exists() and not place.folder.is_dir():
        raise UsageError(f"the store {url} is a file, not a folder", "give --store a folder")
    return Store(str(place.folder) if isinstance(place, FolderPlace) else url, place)


def open_existing_store(url: str) -> Store:
    """Opens a store that was used before.

    Raises:
        UsageError: see :func:`open_store`; or there is none.
    """
    store = open_store(url)
    if next(store.place.entries(RUNS), None) is None and next(store.place.entries(BLOBS), None) is None:
        raise UsageError(f"there is no store at {url}", "name the --store of a run")
    return store


def _blob_name(sha256: str) -> str:
    return _within(BLOBS, sha256)


def _record_name(key: str) -> str:
    return f"{_within(RECORDS, key)}.json"


def _within(folder: str, name: str) -> str:
    if not KEY.fullmatch(name):  # it comes from a file that anybody may have written
        raise UsageError(f"{name[:80]!r} is no sha256", "the store was written by something else than edgevit")
    return f"{folder}/{name[:2]}/{name}"
