"""Where a store keeps its objects: a local folder, or any file system that fsspec has a driver for."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgevit.errors import EdgevitError, UsageError, first_line
from edgevit.run.files import TEMPORARY, whole_file

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_FILE = "file://"
_BUCKETS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "obs"}
"""Schemes of object stores."""


@dataclass(frozen=True)
class Entry:
    """An object, or what a killed process left of one."""

    name: str
    """Its path within the store, with "/"."""
    size_bytes: int
    modified: float
    """Seconds since 1970."""
    partial: bool = False
    """Whether it is a file that was never finished."""


class Place(Protocol):
    """Objects by name. One appears whole or not at all; a name always means the same contents, so nobody locks anything."""

    def read(self, name: str) -> bytes | None:
        """Returns an object; None where it is not there."""

    def write(self, name: str, content: bytes) -> None:
        """Writes an object."""

    def size(self, name: str) -> int | None:
        """Returns the bytes of an object; None where it is not there."""

    def upload(self, source: Path, name: str) -> None:
        """Writes a file as an object."""

    def download(self, name: str, target: Path) -> bool:
        """Writes an object into a file; returns whether it is there."""

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""

    def entries(self, folder: str) -> Iterator[Entry]:
        """Yields every object below a folder."""


@dataclass(frozen=True)
class FolderPlace:
    """A folder of this machine, or one that is mounted on it; needs no fsspec."""

    folder: Path

    def read(self, name: str) -> bytes | None:
        """See :class:`Place`."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Place`."""
        with whole_file(self.folder / name) as stream:
            stream.write(content)

    def size(self, name: str) -> int | None:
        """See :class:`Place`."""
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return None

    def upload(self, source: Path, name: str) -> None:
        """See :class:`Place`."""
        with source.open("rb") as origin, whole_file(self.folder / name) as stream:
            shutil.copyfileobj(origin, stream, 1 << 20)

    def download(self, name: str, target: Path) -> bool:
        """See :class:`Place`."""
        try:
            shutil.copyfile(self.folder / name, target)
        except FileNotFoundError:
            if not target.parent.is_dir():
                raise
            return False
        return True

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        (self.folder / name).unlink(missing_ok=True)

    def entries(self, folder: str) -> Iterator[Entry]:
        """See :class:`Place`; temporary files of killed processes are among them."""
        for path in sorted((self.folder / folder).rglob("*")):
            try:
                status = path.stat()
            except FileNotFoundError:  # removed, or renamed, since the folder was listed
                continue
            if path.is_file():
                name = path.relative_to(self.folder).as_posix()
                yield Entry(name, status.st_size, status.st_mtime, partial=path.match(TEMPORARY))


@dataclass(frozen=True)
class RemotePlace:
    """A file system of fsspec, such as a bucket. Each object is put at once: there is no rename in object stores."""

    url: str
    system: Any
    """``fsspec.AbstractFileSystem``."""
    root: str

    def read(self, name: str) -> bytes | None:
        """See :class:`Place`."""
        with _reached(self.url):
            try:
                content: bytes = self.system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Place`."""
        with _reached(self.url):
            self._make_folder(name)
            self.system.pipe_file(self._path(name), content)

    def size(self, name: str) -> int | None:
        """See :class:`Place`."""
        with _reached(self.url):
            self.system.invalidate_cache(self._path(name).rpartition("/")[0])  # another process may have put it
            try:
                return int(self.system.size(self._path(name)))
            except FileNotFoundError:
                return None

    def upload(self, source: Path, name: str) -> None:
        """See :class:`Place`."""
        with _reached(self.url):
            self._make_folder(name)
            self.system.put_file(str(source), self._path(name))

    def download(self, name: str, target: Path) -> bool:
        """See :class:`Place`."""
        with _reached(self.url):
            try:
                self.system.get_file(self._path(name), str(target))
            except FileNotFoundError:
                return False
            return True

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        with _reached(self.url):
            try:
                self.system.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def entries(self, folder: str) -> Iterator[Entry]:
        """See :class:`Place`."""
        with _reached(self.url):
            self.system.invalidate_cache()
            found = self.system.find(self._path(folder), detail=True)
        for path, facts in sorted(found.items()):
            modified = facts.get("LastModified") or facts.get("mtime") or facts.get("created")
            stamp = modified.timestamp() if hasattr(modified, "timestamp") else float(modified or 0.0)
            yield Entry(path[len(self.root) :].lstrip("/"), int(facts["size"]), stamp)

    def _make_folder(self, name: str) -> None:
        """Makes the folder of an object where there are folders; in a bucket there are none, and the bucket itself might be made."""
        protocols = self.system.protocol
        if not _BUCKETS & set((protocols,) if isinstance(protocols, str) else protocols):
            self.system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


def open_place(url: str) -> Place:
    """Returns the place that a URL names.

    Args:
        url: A path, ``file://…``, or a URL of fsspec such as ``s3://bucket/folder``.

    Raises:
        UsageError: fsspec or the driver for that kind of URL is not installed, or nobody knows such URLs.
    """
    scheme = _SCHEME.match(url)
    if not url.strip():
        raise UsageError("the store has no name", "give --store a folder, or a URL such as s3://bucket/folder")
    if scheme is None or url.lower().startswith(_FILE):
        return FolderPlace(Path(url[len(_FILE) :] if scheme else url).expanduser().absolute())
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(f"{url}: fsspec is not installed", "pip install 'edgevit[cluster]'") from error
    with _reached(url):
        try:
            system, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise UsageError(
                f"{url}: {first_line(error)}", "install that driver of fsspec here and on each worker"
            ) from error
        except ValueError as error:
            raise UsageError(f"{url}: {first_line(error)}", "a folder, file://, or a URL that fsspec knows") from error
    return RemotePlace(url, system, root.rstrip("/"))


@contextmanager
def _reached(url: str) -> Iterator[None]:
    """Turns what a driver raises, each its own kinds, into one error that names the store."""
    try:
        yield
    except EdgevitError:
        raise
    except Exception as error:
        reason = first_line(error) or type(error).__name__
        raise UsageError(
            f"the store {url} cannot be used: {reason}", "are its address and your credentials right?"
        ) from error
