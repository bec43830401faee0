"""The folder of a run: nothing half-made is taken for whole, nothing of another run for this one's."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import DiskFull, RunMismatch, UsageError
from edgevit.results.run import load_run
from edgevit.run import folder as module
from edgevit.run.files import file_sha256
from edgevit.run.folder import RunFolder
from edgevit.spec.spec import Spec
from tests.factories import make_run


@dataclass(frozen=True)
class MadeArtifact:
    """A stage's value with a file."""

    file: Path
    number: int


def make_spec(**changes: Any) -> Spec:
    return Spec.model_validate({"model": {"name": "digits_vit"}, **changes})


class Stages:
    """Runs the same two stages in a folder and counts how often each is really made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[str] = []

    def run(self, *, resume: bool, spec: Spec | None = None, fail: str = "") -> tuple[MadeArtifact, int]:
        with RunFolder(self.path, spec or make_spec(), (), resume) as folder:

            def write() -> MadeArtifact:
                self.made.append("write")
                path = folder.work("file.bin")
                path.write_bytes(b"half")
                if fail == "write":
                    raise RuntimeError("stopped")
                path.write_bytes(b"whole")
                return MadeArtifact(path, 7)

            def count() -> int:
                self.made.append("count")
                if fail == "count":
                    raise KeyboardInterrupt
                return 42

            first = folder.stage("write a/b", MadeArtifact, write, files=lambda value: (value.file,))
            second = folder.stage("count", int, count)
            assert [(stage.name, stage.status) for stage in folder.stages] == [("write a/b", "done"), ("count", "done")]
            return first, second


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(tmp_path / "run")


def test_a_finished_stage_is_not_made_twice(stages: Stages) -> None:
    value = stages.run(resume=False)
    assert value == (MadeArtifact(stages.path / "work" / "file.bin", 7), 42)
    assert stages.run(resume=True) == value
    assert stages.made == ["write", "count"]


def test_a_stage_that_was_stopped_is_made_again(stages: Stages) -> None:
    with pytest.raises(RuntimeError, match="stopped"):
        stages.run(resume=False, fail="write")
    with pytest.raises(KeyboardInterrupt):
        stages.run(resume=True, fail="count")
    stages.run(resume=True)
    assert stages.made == ["write", "write", "count", "count"]
    assert (stages.path / "work" / "file.bin").read_bytes() == b"whole"


def test_a_failed_stage_is_told_as_such(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        with pytest.raises(ZeroDivisionError):
            folder.stage("divide", int, lambda: 1 // 0)
        assert [(stage.name, stage.status) for stage in folder.stages] == [("divide", "failed")]


def change(stages: Stages) -> None:
    (stages.path / "work" / "file.bin").write_bytes(b"whole, but another")


def remove(stages: Stages) -> None:
    (stages.path / "work" / "file.bin").unlink()


def record(stages: Stages) -> Path:
    return stages.path / "stages" / "write a--b.json"


def cut_record(stages: Stages) -> None:
    record(stages).write_bytes(record(stages).read_bytes()[:40])


def empty_record(stages: Stages) -> None:
    record(stages).write_bytes(b"")


def replace_record(stages: Stages) -> None:
    record(stages).write_text("[1, 2]")


def strip_record(stages: Stages) -> None:
    record(stages).write_text('{"name": "write a/b"}')


@pytest.mark.parametrize("damage", [change, remove, cut_record, empty_record, replace_record, strip_record])
def test_what_is_no_longer_whole_is_made_again(stages: Stages, damage: Callable[[Stages], None]) -> None:
    value = stages.run(resume=False)
    damage(stages)
    assert stages.run(resume=True) == value
    assert stages.made == ["write", "count", "write"]
    assert (stages.path / "work" / "file.bin").read_bytes() == b"whole"


def test_a_run_that_was_moved_is_made_again_where_it_names_files(stages: Stages, tmp_path: Path) -> None:
    stages.run(resume=False)
    shutil.move(stages.path, tmp_path / "moved")
    stages.path = tmp_path / "moved"
    made, _ = stages.run(resume=True)
    assert made.file == tmp_path / "moved" / "work" / "file.bin"
    assert stages.made == ["write", "count", "write"]


def test_a_value_of_another_version_is_refused(stages: Stages) -> None:
    stages.run(resume=False)
    document = json.loads(record(stages).read_text())
    record(stages).write_text(json.dumps({**document, "value": {"else": 1}}))
    with pytest.raises(RunMismatch, match="another version of edgevit"):
        stages.run(resume=True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "differs in seed$"),
        ({"budget": {"max_drop": 2.0}}, "differs in budget.max_drop$"),
        ({"model": {"name": "digits_cnn"}, "devices": ["raspberry-pi-5"]}, "differs in devices, model.name$"),
        (
            {"distill": {"teacher": {"name": "digits_cnn"}}, "data": {"train": "digits:train"}},
            "differs in data.train, distill$",
        ),
    ],
)
def test_a_folder_of_another_spec_names_the_key(stages: Stages, changes: dict[str, Any], named: str) -> None:
    stages.run(resume=False)
    for resume in (False, True):
        with pytest.raises(UsageError, match=f"belongs to another spec; it {named}"):
            RunFolder(stages.path, make_spec(**changes), (), resume)


def test_changed_weights_are_another_run(tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"one")
    spec = make_spec(model={"name": "a", "weights": str(weights)})
    with RunFolder(tmp_path / "run", spec, (weights,), False):
        pass
    RunFolder(tmp_path / "run", spec, (weights,), True)
    weights.write_bytes(b"two")
    with pytest.raises(UsageError, match=r"w.pt has changed since the run in .* began"):
        RunFolder(tmp_path / "run", spec, (weights,), True)


def test_a_run_is_not_continued_unasked(stages: Stages) -> None:
    stages.run(resume=False)
    with pytest.raises(UsageError, match="holds this run already") as caught:
        stages.run(resume=False)
    assert caught.value.hint and "--resume" in caught.value.hint


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    for resume in (False, True):
        RunFolder(tmp_path, make_spec(), (), resume)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        RunFolder(tmp_path, make_spec(), (), False)
    with pytest.raises(UsageError, match="is a file"):
        RunFolder(tmp_path / "letter.txt", make_spec(), (), False)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"spec_sha256": "x"}', "\xff"])
def test_a_spoiled_beginning_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "begin.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"begin.json is not what edgevit wrote"):
        RunFolder(tmp_path, make_spec(), (), True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match="cannot write to"),
        RunFolder(tmp_path / "file" / "run", make_spec(), (), False),
    ):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", make_spec(), (), False):
        second = RunFolder(tmp_path / "run", make_spec(), (), True)
        with pytest.raises(UsageError, match="another process is writing"), second:
            pass
    with RunFolder(tmp_path / "run", make_spec(), (), True):
        pass


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from edgevit.run.folder import RunFolder; from edgevit.spec.spec import Spec\n"
        "RunFolder(Path('run'), Spec.model_validate({'model': {'name': 'digits_vit'}}), (), False).__enter__(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 9
    with RunFolder(tmp_path / "run", make_spec(), (), True):
        pass


def test_two_that_began_at_once_do_not_mix(tmp_path: Path) -> None:
    late = RunFolder(tmp_path / "run", make_spec(seed=1), (), False)
    with RunFolder(tmp_path / "run", make_spec(), (), False):
        pass
    with pytest.raises(UsageError, match="belongs to another spec; it differs in seed"), late:
        pass


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_from_the_first_byte_on_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", full)
        with pytest.raises(DiskFull) as caught, RunFolder(tmp_path / "run", make_spec(), (), False):
            pass
    assert caught.value.hint and "--resume" in caught.value.hint
    (tmp_path / "run" / ".edgevit-0123456789abcdef.tmp").write_text("{")  # what a killed process leaves
    for resume in (True, False):
        with RunFolder(tmp_path / "run", make_spec(), (), resume):
            pass
        (tmp_path / "run" / "begin.json").unlink()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_fills_up_in_a_stage(stages: Stages, code: int) -> None:
    def fill() -> int:
        raise OSError(code, "full")

    with RunFolder(stages.path, make_spec(), (), False) as folder:
        with pytest.raises(DiskFull, match="the disk of .* is full"):
            folder.stage("count", int, fill)
        with pytest.raises(PermissionError):
            folder.stage("other", int, lambda: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    stages.run(resume=True)
    assert stages.made == ["write", "count"]


def test_a_disk_that_fills_up_while_a_stage_is_recorded(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder(stages.path, make_spec(), (), False) as folder, monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", full)
        with pytest.raises(DiskFull):
            folder.stage("count", int, lambda: 42)
        with pytest.raises(DiskFull):
            folder.finish(make_run())
    assert not (stages.path / "run.json").exists()
    assert stages.run(resume=True)[1] == 42
    assert stages.made == ["write", "count"]


def test_a_run_is_written_whole(tmp_path: Path) -> None:
    run = make_run()
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        folder.finish(run)
        assert folder.created_at.endswith("+00:00")
        assert folder.relative(folder.work("a.bin")) == "work/a.bin"
        assert folder.log("litert/fp32/dense") == tmp_path / "run" / "logs" / "litert--fp32--dense.log"
    assert load_run(tmp_path / "run") == run
    assert not list((tmp_path / "run").glob("*.tmp"))


def test_digests_are_of_the_contents_in_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")
    assert (
        file_sha256(tmp_path / "a", tmp_path / "b")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert file_sha256(tmp_path / "b", tmp_path / "a") != file_sha256(tmp_path / "a", tmp_path / "b")


def test_what_is_pinned_may_not_change(tmp_path: Path) -> None:
    spec = Spec.model_validate({"model": {"name": "digits_vit"}})
    with RunFolder(tmp_path / "run", spec, (), resume=False) as folder:
        folder.pin("evaluation images", "a")
        folder.pin("evaluation images", "a")
    with (
        RunFolder(tmp_path / "run", spec, (), resume=True) as folder,
        pytest.raises(UsageError, match="the evaluation images changed since the run .* began: it was a, and is b$"),
    ):
        folder.pin("evaluation images", "b")


def test_a_digest_that_changed_is_not_told(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        folder.pin("training images", "a" * 64)
        with pytest.raises(UsageError, match="the training images changed since the run in .* began$"):
            folder.pin("training images", "b" * 64)


def test_of_named_values_those_that_changed_are_told(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        folder.pin_each("installed versions", {"torch": "1", "numpy": "2", "onnx": "3"})
        folder.pin_each("installed versions", {"onnx": "3", "numpy": "2", "torch": "1"})
        told = "began: numpy was 2, and is missing, openvino was missing, and is 4, torch was 1, and is 5$"
        with pytest.raises(UsageError, match=told):
            folder.pin_each("installed versions", {"torch": "5", "onnx": "3", "openvino": "4"})


def test_files_that_are_pinned_may_not_change_and_more_may_come(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("1")
    second.write_text("2")
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        folder.pin_files("source", (first,))
        folder.pin_files("source", (first, second))
        first.write_text("3")
        with pytest.raises(UsageError, match="the source changed since .* began: it is another in .*a.py$"):
            folder.pin_files("source", (first,))
        first.unlink()
        with pytest.raises(UsageError, match="another in .*a.py$"):
            folder.pin_files("source", ())


def test_numbers_that_are_pinned_may_differ_by_rounding(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", make_spec(), (), False) as folder:
        folder.pin_numbers("output", (1.0, -20.0))
        folder.pin_numbers("output", (1.01, -20.01))
        for changed in ((-1.0, 20.0), (1.0,), (1.1, -20.0)):
            with pytest.raises(UsageError, match="the output changed"):
                folder.pin_numbers("output", changed)


def test_a_run_begins_where_there_is_nothing_to_resume(stages: Stages) -> None:
    stages.run(resume=True)
    stages.run(resume=True)
    assert stages.made == ["write", "count"]


@pytest.mark.parametrize("name", [".lock", "work", "logs/run.log", "stages/count.json", "artifacts/a"])
def test_a_link_in_a_run_folder_is_refused(stages: Stages, tmp_path: Path, name: str) -> None:
    stages.run(resume=False)
    place, mine = stages.path / name, tmp_path / "mine"
    mine.write_text("mine")
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(mine)
    with pytest.raises(UsageError, match=f"{name} is a link"):
        stages.run(resume=True)
    assert mine.read_text() == "mine"


def test_a_pipe_in_a_run_folder_is_refused(stages: Stages) -> None:
    stages.run(resume=False)
    os.mkfifo(stages.path / "work" / "pipe")
    with pytest.raises(UsageError, match="pipe is neither a file nor a folder"):
        stages.run(resume=True)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "work/../../outside"])
def test_a_record_that_names_a_file_outside_is_refused(stages: Stages, name: str) -> None:
    stages.run(resume=False)
    document = json.loads(record(stages).read_text())
    record(stages).write_text(json.dumps({**document, "files": {name: "0"}}))
    with pytest.raises(UsageError, match="outside the run folder"):
        stages.run(resume=True)
