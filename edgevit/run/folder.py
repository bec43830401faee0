"""The folder of a run: which spec it belongs to, and which stages are finished.

    begin.json       the spec it belongs to, written before anything else
    pins/*.txt       what must not change while it goes on: the images, the version of edgevit
    inputs/          models and images that were given in memory
    stages/*.json    one finished stage each: its value and the sha256 of every file it wrote
    artifacts/       one folder per candidate
    work/            captured programs, weights and logits that later stages read
    logs/            what child processes printed
    run.json         the results, written last

Everything is written under another name and renamed, so a file that is there is whole.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from edgevit.errors import RunMismatch, UsageError
from edgevit.results.document import to_document
from edgevit.results.run import Run, Stage, run_to_json
from edgevit.run.files import TEMPORARY, disk_errors, file_sha256, remove_temporaries, write_atomically
from edgevit.run.lock import LOCK, locked
from edgevit.spec.spec import Spec

Value = TypeVar("Value")

INPUTS = "inputs"
"""Folder in that of a run, for what was given in memory."""
_DIGEST = re.compile("[0-9a-f]{64}")
"""Matches a sha256, which tells nobody anything."""
_ROUNDING = 1e-3
"""Of the largest of some pinned numbers: a smaller difference is rounding, by another number of threads for instance."""
RESUME = "free some space, then run the same command with --resume"
"""What to do when the disk of a run is full."""


class RunFolder:
    """A run folder that this process alone writes to."""

    def __init__(self, path: Path, spec: Spec, input_files: Iterable[Path], resume: bool) -> None:
        """Checks that ``spec`` may run in ``path``; writes nothing.

        Args:
            path: The folder; made when the run begins.
            spec: What the run does.
            input_files: Files that it reads and that must not change while it goes on.
            resume: Continue the run in ``path``.

        Raises:
            UsageError: the folder is another run's, holds a run already, or other files.
        """
        self.path = path
        self.stages: list[Stage] = []
        self._spec = spec
        self._inputs = {str(file): file_sha256(file) for file in input_files}
        self._digests: dict[Path, tuple[tuple[int, int, int], str]] = {}
        self._held = ExitStack()
        begin = path / "begin.json"
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file, not a folder", "choose another --out")
        if begin.is_file():
            self._check_same(begin, resume)
        elif path.is_dir() and not all(map(_is_first_trace, path.iterdir())):
            raise UsageError(f"{path} is not empty and holds no run", "choose another --out")

    def _check_same(self, file: Path, resume: bool) -> None:
        begin = _read_json(file)
        if begin is None or not {"spec_sha256", "inputs_sha256", "spec", "created_at"} <= begin.keys():
            raise UsageError(f"{file} is not what edgevit wrote there", "choose another --out")
        if begin["spec_sha256"] != self._spec.sha256:
            changed = sorted(_differences(begin["spec"], json.loads(self._spec.model_dump_json())))
            raise UsageError(
                f"{self.path} belongs to another spec; it differs in {', '.join(changed[:5])}", "choose another --out"
            )
        changed = [name for name, digest in self._inputs.items() if begin["inputs_sha256"].get(name) != digest]
        if changed:
            raise UsageError(f"{changed[0]} has changed since the run in {self.path} began", "choose another --out")
        if not resume:
            raise UsageError(
                f"{self.path} holds this run already", "add --resume to continue it, or choose another --out"
            )

    def __enter__(self) -> RunFolder:
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self.path))
            except OSError as error:
                raise UsageError(f"cannot write to {self.path}: {error.strerror}", "choose another --out") from error
            self._begin()
            self._held = held.pop_all()
        return self

    def _begin(self) -> None:
        _refuse_links(self.path)
        remove_temporaries(self.path)
        begin = self.path / "begin.json"
        if begin.exists():
            self._check_same(begin, resume=True)  # another process may have begun a run here since __init__ looked
        else:
            document = {
                "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "spec_sha256": self._spec.sha256,
                "inputs_sha256": self._inputs,
                "spec": json.loads(self._spec.model_dump_json()),
            }
            self._write(begin, json.dumps(document, indent=1).encode())

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    @property
    def created_at(self) -> str:
        """When the run first began, UTC, ISO 8601."""
        return str(json.loads((self.path / "begin.json").read_text(encoding="utf-8"))["created_at"])

    def work(self, name: str) -> Path:
        """Returns the path of a file that later stages read; makes its folder."""
        path = self.path / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """Returns the path of the log of a child process."""
        return self.path / "logs" / f"{_file_name(name)}.log"

    def relative(self, path: Path) -> str:
        """Returns a path inside the folder as ``run.json`` states it."""
        return path.relative_to(self.path).as_posix()

    def pin(self, what: str, value: str) -> None:
        """Notes something that the whole run depends on, or checks that it is as it was.

        Args:
            what: For people, such as "version of edgevit".
            value: One line, or many; what a short one was before is told.

        Raises:
            UsageError: it has changed since the run began.
        """
        before = self._pinned(what, value)
        if before != value:
            plain = "\n" not in before + value and not _DIGEST.fullmatch(value)
            raise self._changed(f"the {what}", f": it was {before}, and is {value}" if plain else "")

    def pin_each(self, what: str, values: Mapping[str, str]) -> None:
        """Notes named things that the whole run depends on, or checks that each is as it was.

        Args:
            what: For people, such as "version of".
            values: By name.

        Raises:
            UsageError: names those that have changed since the run began.
        """
        before = json.loads(self._pinned(what, json.dumps(values, indent=1)))
        changed = [
            f"{name} was {before.get(name, 'missing')}, and is {values.get(name, 'missing')}"
            for name in sorted(before.keys() | values.keys())
            if before.get(name) != values.get(name)
        ]
        if changed:
            raise self._changed(f"the {what}", f": {', '.join(changed[:5])}")

    def pin_files(self, what: str, files: Iterable[Path]) -> None:
        """Notes the contents of files that the whole run depends on, or checks that those noted are as they were.

        Args:
            what: For people, such as "source of nets:make".
            files: All that are known now; when the run is resumed, those that were known when it began count.

        Raises:
            UsageError: names the first that has changed, or is gone.
        """
        now = {str(file): file_sha256(file) for file in files}
        for name, digest in json.loads(self._pinned(what, json.dumps(now, indent=1))).items():
            if not Path(name).is_file() or file_sha256(Path(name)) != digest:
                raise self._changed(f"the {what}", f": it is another in {name}")

    def pin_numbers(self, what: str, values: Sequence[float]) -> None:
        """Notes numbers that the whole run depends on, or checks that they are as they were but for rounding.

        Raises:
            UsageError: they have changed since the run began.
        """
        before = json.loads(self._pinned(what, json.dumps(list(values))))
        most = max(map(abs, [*before, *values, 1e-30]))
        same = len(before) == len(values) and all(
            abs(old - new) <= _ROUNDING * most for old, new in zip(before, values, strict=True)
        )
        if not same:
            raise self._changed(f"the {what}")

    def noted(self, what: str) -> str | None:
        """Returns what :meth:`pin` noted when the run began; None where nothing was noted yet."""
        file = self._pin_file(what)
        return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else None

    def _pin_file(self, what: str) -> Path:
        return self.path / "pins" / f"{_file_name(what.replace(' ', '-'))}.txt"

    def _pinned(self, what: str, value: str) -> str:
        """What was noted when the run began, which is now where nothing was."""
        file = self._pin_file(what)
        if not file.exists():
            self._write(file, value.encode(errors="surrogateescape"))
        return file.read_bytes().decode(errors="surrogateescape")

    def _changed(self, what: str, how: str = "") -> UsageError:
        return UsageError(
            f"{what} changed since the run in {self.path} began{how}",
            "choose another --out, or bring back what was there before",
        )

    def stage(
        self,
        name: str,
        kind: type[Value],
        make: Callable[[], Value],
        files: Callable[[Value], Iterable[Path]] = lambda value: (),
        *,
        key: str = "",
        turn: AbstractContextManager[None] | None = None,
    ) -> Value:
        """Returns the value of a stage, making it unless it is finished.

        Args:
            name: Unique in the run.
            kind: Type of the value, for reading it back.
            make: Makes it; an exception leaves the stage unfinished.
            files: Files that belong to the value; if one is missing or changed, the stage is made again.
            key: Names all that the value depends on; if it is another than before, the stage is made again.
            turn: Is held while the value is made, and waited for before its time is taken.

        Raises:
            RunMismatch: another version of edgevit recorded the stage.
            DiskFull: there is no space left.
        """
        record = self.path / "stages" / f"{_file_name(name)}.json"
        finished = self._read_stage(record, kind, files, key)
        if finished is not None:
            if finished[0].name not in {stage.name for stage in self.stages}:
                self.stages.append(finished[0])
            return finished[1]
        with turn or nullcontext():
            begin = time.monotonic()
            try:
                with disk_errors(self.path, RESUME):
                    value = make()
            except Exception:
                self.stages.append(Stage(name, time.monotonic() - begin, "failed"))
                raise
            stage = Stage(name, time.monotonic() - begin, "done")
        document = {
            "name": name,
            "key": key,
            "seconds": stage.seconds,
            "files": {self.relative(path): self.digest(path) for path in files(value)},
            "value": to_document(value),
        }
        self._write(record, json.dumps(document).encode())
        self.stages.append(stage)
        return value

    def seconds(self, name: str) -> float:
        """Returns how long a stage took, all that was tried; 0 where it was not made."""
        return sum(stage.seconds for stage in tuple(self.stages) if stage.name == name)

    def digest(self, path: Path) -> str:
        """Returns the sha256 of a file, in hexadecimal; it is read again only if it has changed."""
        status = path.stat()
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._digests.get(path, (None, ""))[0] != state:
            self._digests[path] = (state, file_sha256(path))
        return self._digests[path][1]

    def _read_stage(
        self, record: Path, kind: type[Value], files: Callable[[Value], Iterable[Path]], key: str
    ) -> tuple[Stage, Value] | None:
        """Reads a finished stage; None if it has to be made (again)."""
        document = _read_json(record) if record.is_file() else None
        if document is None or not {"name", "key", "seconds", "files", "value"} <= document.keys():
            return None
        if document["key"] != key:
            return None
        for name, digest in document["files"].items():
            path = self.path / name
            if ".." in path.parts or not path.is_relative_to(self.path):
                raise UsageError(f"{record} names a file outside the run folder: {name}", "choose another --out")
            if not path.is_file() or self.digest(path) != digest:
                return None
        try:
            value = TypeAdapter(kind).validate_python(document["value"])
        except ValidationError as error:
            raise RunMismatch(f"{record} was written by another version of edgevit", "choose another --out") from error
        if set(files(value)) != {self.path / name for name in document["files"]}:
            return None  # the folder was moved, and the value names files at its former place
        return Stage(document["name"], document["seconds"], "done"), value

    def write(self, name: str, content: bytes) -> None:
        """Writes a file of the run, whole or not at all."""
        self._write(self.path / name, content)

    def finish(self, run: Run) -> None:
        """Writes ``run.json``."""
        self._write(self.path / "run.json", run_to_json(run))

    def _write(self, path: Path, content: bytes) -> None:
        with disk_errors(path, RESUME):
            write_atomically(path, content)


def _refuse_links(folder: Path) -> None:
    """Refuses a run folder with a link, or anything but files and folders in it: what is written might go anywhere.

    Raises:
        UsageError: names it.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                _refuse_links(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False):
                kind = "a link" if entry.is_symlink() else "neither a file nor a folder"
                raise UsageError(
                    f"{entry.path} is {kind}, which edgevit never writes into a run folder",
                    "remove it, or choose another --out",
                )


def _is_first_trace(path: Path) -> bool:
    """Whether a file is all that is there of a run before it begins, or after it was stopped while it began."""
    return path.name in (LOCK, INPUTS) or path.match(TEMPORARY)


def _read_json(path: Path) -> dict[str, Any] | None:
    """Reads a JSON object; None if the file holds anything else, half of one for instance."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _file_name(name: str) -> str:
    return name.replace("/", "--")


def _differences(old: Any, new: Any, path: str = "") -> set[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            found
            for key in old.keys() | new.keys()
            for found in _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        }
    return set() if old == new else {path}
