"""A store: whole files with the right contents, or none, whoever is killed while writing."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.store.record import Blob, Failure, Record, StoredRun
from edgevit.store.store import Store, open_existing_store, open_store

KEY = "ab" * 32


@pytest.fixture(params=["folder", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return open_store(f"memory://{tmp_path.name}")
    folder = tmp_path / "store"
    return open_store(f"file://{folder}" if request.param == "file" else str(folder))


def file(folder: Path, content: bytes = b"content") -> Path:
    path = folder / "given"
    path.write_bytes(content)
    return path


def record(blob: Blob, key: str = KEY) -> Record:
    return Record(
        key, "module:function", '{"value": NaN}', {"work/a.npy": blob}, {}, "desk", 1.5, "2026-11-27T10:00:00+00:00"
    )


def flip(store: Store, blob: Blob) -> None:
    """Changes one byte of a stored file."""
    name = f"blobs/{blob.sha256[:2]}/{blob.sha256}"
    content = store.place.read(name)
    assert content is not None
    store.place.write(name, bytes([content[0] ^ 1]) + content[1:])


def test_a_file_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    blob = store.put(file(tmp_path))
    assert blob == Blob(hashlib.sha256(b"content").hexdigest(), 7)
    assert store.has(blob)
    assert store.fetch(blob, tmp_path / "new" / "target")
    assert (tmp_path / "new" / "target").read_bytes() == b"content"
    assert [entry.size_bytes for entry in store.place.entries("blobs")] == [7]


def test_an_empty_file_is_a_file(store: Store, tmp_path: Path) -> None:
    blob = store.put(file(tmp_path, b""))
    assert store.fetch(blob, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""


def test_what_is_not_there_is_not_fetched_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    assert not store.has(Blob("0" * 64, 7))
    assert not store.fetch(Blob("0" * 64, 7), tmp_path / "out" / "target")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_flipped_byte_is_found_and_the_file_can_be_made_again(store: Store, tmp_path: Path) -> None:
    blob = store.put(file(tmp_path))
    flip(store, blob)
    assert not store.is_whole(blob.sha256)
    assert not store.fetch(blob, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert not store.has(blob), "it counts as absent, so that the next one who has it puts it"
    store.put(file(tmp_path))
    assert store.fetch(blob, tmp_path / "target")


def test_a_record_comes_back(store: Store, tmp_path: Path) -> None:
    made = record(store.put(file(tmp_path)))
    assert store.record(KEY) is None
    store.put_record(made)
    assert store.record(KEY) == made
    store.put_record(replace(made, machine="other"))
    assert store.record(KEY) == made, "nothing is overwritten"


def test_a_record_without_its_file_counts_as_absent(store: Store, tmp_path: Path) -> None:
    blob = store.put(file(tmp_path))
    store.put_record(record(blob))
    store.place.remove(f"blobs/{blob.sha256[:2]}/{blob.sha256}")
    assert store.record(KEY) is None


@pytest.mark.parametrize("content", [b"", b'{"key": "ab', b"[]", b"{}", b"\xff"])
def test_a_record_that_is_half_there_counts_as_absent_and_is_replaced(
    store: Store, tmp_path: Path, content: bytes
) -> None:
    made = record(store.put(file(tmp_path)))
    store.place.write(f"results/{KEY[:2]}/{KEY}.json", content)
    assert store.record(KEY) is None
    store.put_record(made)
    assert store.record(KEY) == made


def test_a_record_under_another_key_is_not_believed(store: Store, tmp_path: Path) -> None:
    store.put_record(record(store.put(file(tmp_path))))
    content = store.place.read(f"results/{KEY[:2]}/{KEY}.json")
    assert content is not None
    store.place.write(f"results/cd/{'cd' * 32}.json", content)
    assert store.record("cd" * 32) is None


def test_runs_and_the_failures_of_each(store: Store) -> None:
    run = StoredRun("1234", "runs/one", "2026-11-27T10:00:00+00:00")
    store.begin_run(run)
    store.begin_run(replace(run, name="other"))
    assert list(store.runs()) == [run]
    assert store.failure("1234", KEY) is None
    store.put_failure("1234", KEY, Failure("it crashed", None))
    assert store.failure("1234", KEY) == Failure("it crashed", None)
    assert store.failure("5678", KEY) is None, "another run tries it again"


def test_a_probe_is_there_for_a_moment(store: Store) -> None:
    with store.probe() as name:
        assert store.place.read(name) == b"probe"
    assert store.place.read(name) is None


def test_a_name_that_leaves_the_store_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no sha256"):
        store.fetch(Blob("../../etc/passwd", 1), tmp_path / "target")


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(UsageError, match="is a file, not a folder"):
        open_store(str(tmp_path / "store"))
    with (
        pytest.raises(UsageError, match="cannot write to the store"),
        open_store(str(tmp_path / "store" / "b")).probe(),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_without_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot write to the store"), open_store(str(tmp_path / "store")).probe():
        pass


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no store"):
        open_existing_store(str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


_PUTS = """
import sys
from pathlib import Path
from edgevit.store.store import open_store
store, scratch, first = open_store(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for number in range(first, 1000):
    path = scratch / "file"
    own = scratch.name if number % 2 else "both"
    path.write_bytes(f"{own} {number} ".encode() * (1 + number % 7) * 100)
    store.put(path)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_two_processes_put_equal_and_different_files_while_they_are_killed(tmp_path: Path) -> None:
    """Each puts 1000 files, every second one that the other puts too, and is killed ten times: what is there is whole."""
    store = open_store(str(tmp_path / "store"))

    def put_all(name: str) -> int:
        chance, scratch, next_number, kills = random.Random(name), tmp_path / name, 0, 0
        scratch.mkdir()
        while next_number < 1000:
            command = [sys.executable, "-c", _PUTS, store.url, str(scratch), str(next_number)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            most = chance.randint(1, 150) if kills < 10 else 1000
            for line in islice(process.stdout, most):
                next_number = int(line) + 1
            process.kill()
            kills += process.wait() != 0
            process.stdout.close()
        return kills

    with ThreadPoolExecutor(2) as pool:
        kills = list(pool.map(put_all, ("one", "two")))
    names = [entry.name.rpartition("/")[2] for entry in store.place.entries("blobs") if not entry.partial]
    whole = sum(map(store.is_whole, names))
    print(f"2 x 1000 files by two processes, killed {sum(kills)} times: {len(names)} blobs, {whole} of them whole")
    assert len(names) == whole == 1500
