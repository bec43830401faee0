"""Folders, memory and buckets behind one face."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.store.place import FolderPlace, Place, open_place


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Moto's server on loopback with an empty bucket."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        yield "s3://bucket/store"
    server.stop()


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "s3":
        return open_place(f"{request.getfixturevalue('s3')}/{tmp_path.name}")
    if request.param == "memory":
        pytest.importorskip("fsspec")
    urls = {"folder": str(tmp_path / "s"), "file": f"file://{tmp_path / 's'}", "memory": f"memory://{tmp_path.name}"}
    return open_place(urls[request.param])


def test_objects_by_name(place: Place, tmp_path: Path) -> None:
    assert place.read("a/b") is None
    assert place.size("a/b") is None
    assert not place.download("a/b", tmp_path / "target")
    place.remove("a/b")
    assert list(place.entries("a")) == []
    place.write("a/b", b"one")
    place.write("a/b", b"two!")
    (tmp_path / "source").write_bytes(b"file")
    place.upload(tmp_path / "source", "a/c/d")
    assert place.read("a/b") == b"two!"
    assert place.size("a/c/d") == 4
    assert place.download("a/c/d", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"file"
    found = list(place.entries("a"))
    assert [(entry.name, entry.size_bytes, entry.partial) for entry in found] == [
        ("a/b", 4, False),
        ("a/c/d", 4, False),
    ]
    assert all(abs(entry.modified - time.time()) < 60 for entry in found)
    place.remove("a/b")
    assert place.read("a/b") is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no name"),
        ("nothing://there", "nothing://there"),
        ("s3:/bucket", None),
    ],
)
def test_urls_that_nobody_knows(url: str, says: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if says is None:
        assert isinstance(open_place(url), FolderPlace), "a path, for it has no scheme"
        return
    if url:
        pytest.importorskip("fsspec")
    with pytest.raises(UsageError, match=says):
        open_place(url)


def test_a_bucket_that_is_not_there(s3: str) -> None:
    with pytest.raises(UsageError, match="the store s3://none cannot be used"):
        open_place("s3://none").write("a", b"")


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = open_place("~/store")
    assert isinstance(place, FolderPlace)
    assert place.folder == tmp_path / "store"


def test_a_folder_needs_no_fsspec(tmp_path: Path) -> None:
    code = f"import sys\nfrom edgevit.store.place import open_place\nopen_place({str(tmp_path)!r}).write('a', b'')\n"
    code += "sys.exit(str(sorted({'fsspec', 'dask', 'distributed'} & set(sys.modules)) or ''))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert child.stderr.strip() == ""
