"""A file travels once to a machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edgevit.cluster.blob_cache import BlobCache
from edgevit.store.record import Blob
from edgevit.store.store import Store, open_store


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fetched from a store."""
    found: list[str] = []
    fetch = Store.fetch

    def count(self: Store, blob: Blob, target: Path) -> Any:
        found.append(blob.sha256)
        return fetch(self, blob, target)

    monkeypatch.setattr(Store, "fetch", count)
    return found


def stored(folder: Path, *contents: bytes) -> tuple[Store, list[Blob]]:
    store, blobs = open_store(str(folder / "store")), []
    for content in contents:
        (folder / "file").write_bytes(content)
        blobs.append(store.put(folder / "file"))
    (folder / "cache").mkdir()
    return store, blobs


def test_many_tasks_get_a_file_that_travels_once_and_is_read_only(tmp_path: Path, fetched: list[str]) -> None:
    store, (blob,) = stored(tmp_path, b"content")
    cache = BlobCache(tmp_path / "cache")
    targets = [tmp_path / str(number) / "file" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda target: cache.place(store, blob, target), targets))
    assert [target.read_bytes() for target in targets] == [b"content"] * 8
    assert fetched == [blob.sha256]
    assert not targets[0].stat().st_mode & 0o222


def test_what_the_store_does_not_have(tmp_path: Path) -> None:
    store, _ = stored(tmp_path)
    assert not BlobCache(tmp_path / "cache").place(store, Blob("0" * 64, 1), tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_what_was_used_longest_ago_goes_when_it_is_full(tmp_path: Path, fetched: list[str]) -> None:
    store, blobs = stored(tmp_path, b"a" * 10, b"b" * 10, b"c" * 10)
    cache = BlobCache(tmp_path / "cache", most_bytes=20)
    for number, place in enumerate((0, 1, 0, 2, 0, 1)):
        assert cache.place(store, blobs[place], tmp_path / str(number))
    assert fetched == [blobs[place].sha256 for place in (0, 1, 2, 1)]
    assert (tmp_path / "1").read_bytes() == b"b" * 10, "a task keeps its link"
