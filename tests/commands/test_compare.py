"""What changed between two runs or files, and which parts are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.artifacts.accuracy import read_answers, write_top1
from edgevit.commands import compare as module
from edgevit.commands.compare import ComparisonQuestion, compare_artifacts
from edgevit.errors import UsageError
from edgevit.results.changes import Changes
from edgevit.results.graph_summary import OpCount, Summary
from edgevit.results.run import Run, run_to_json
from edgevit.run.files import file_sha256
from edgevit.run.progress import Silent
from tests.factories import make_candidate, make_latency, make_run
from tests.results.test_shift import record

INT8 = "onnxruntime/static_wi8_ai8/dense"
FLOAT = "onnxruntime/fp32/dense"


def summary(path: Path) -> Summary:
    """Of a file that says in its contents how many convolutions it has, and in which numbers."""
    count, numerics = path.read_text().split()
    ops = (OpCount("Conv", "conv", numerics, int(count), 100), OpCount("QConv", "conv", numerics, 1, 10))
    share = 1.0 if numerics == "int8_static" else 0.0
    return Summary(path, "onnxruntime", path.stat().st_size, 1, (), (), 110, 50, share, ops)


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Writes the folder of a run of a float and an int8 candidate."""
    monkeypatch.setattr(module, "inspect_file", summary)

    def write(name: str, tops: tuple[int, ...] = (0, 1, 2, 0), ms: float = 10.0, **changes: Any) -> Path:
        folder = tmp_path / name
        candidates = []
        for each, contents in ((FLOAT, "9 float"), (INT8, "9 int8_static")):
            stem = each.replace("/", "--")
            path = folder / "artifacts" / f"{stem}.onnx"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contents)
            stored = f"artifacts/{path.name}"
            made = make_candidate(
                each, latency=make_latency(*(ms * k for k in (0.98, 0.99, 1, 1, 1.01, 1.02, 1, 1, 1)))
            )
            assert made.artifact is not None
            artifact = replace(made.artifact, path=stored, files=(stored,), sha256=file_sha256(path))
            answered = (0, 1, 2, 0) if each == FLOAT else tops
            ids = tuple(f"{place}.png" for place in range(len(answered)))
            logits = np.eye(3, dtype=np.float32)[list(answered)]
            write_top1(folder / f"{stem}.csv", ids, read_answers(logits, [0, 1, 2, 0][: len(answered)]))
            candidates.append(replace(made, artifact=artifact, top1_file=f"{stem}.csv"))
        run: Run = replace(make_run(*candidates, selected=INT8), **changes)
        (folder / "run.json").write_bytes(run_to_json(run))
        (folder / "begin.json").write_text("{}")
        return folder

    return write


def compare(before: Path, after: Path, **changes: Any) -> Changes:
    return compare_artifacts(ComparisonQuestion(before, after, **changes), Silent())


def refused(found: Changes) -> dict[str, str]:
    return {each.part: each.reason for each in found.not_compared}


def test_two_runs_of_one_host(make: Make) -> None:
    found = compare(
        make("a"), make("b", tops=(0, 1, 1, 1), ms=5.0, tool_versions={"numpy": "2.5.0", "onnxruntime": "1.31.1"})
    )
    assert found.accuracy is not None and found.latency is not None
    assert (found.accuracy.top1_before, found.accuracy.top1_after, len(found.accuracy.flips)) == (1.0, 0.5, 2)
    assert found.latency.timed == "two runs" and found.latency.speed_up == pytest.approx(2)
    assert found.latency.interval.low < 2 < found.latency.interval.high and not found.latency.tied
    assert [(each.name, each.before, each.after) for each in found.settings] == [("numpy", "2.4.6", "2.5.0")]
    assert found.ops == ()
    assert list(refused(found)) == ["loss under shift"]
    assert any("different times" in note for note in found.notes)


def test_two_candidates_of_one_run_were_timed_in_the_same_rounds(make: Make) -> None:
    folder = make("a", tops=(0, 1, 1, 0))
    found = compare(folder, folder, candidate=FLOAT, other=INT8)
    assert found.latency is not None and found.latency.timed == "same rounds" and found.latency.tied
    assert {(each.kind, each.numerics, each.before, each.after) for each in found.ops} == {
        ("conv", "float", 10, 0),
        ("conv", "int8_static", 0, 10),
    }
    share = next(each for each in found.amounts if each.name.startswith("int8 share"))
    assert (share.before, share.after) == (0, 1)


def test_other_images_host_or_model_are_said_and_the_rest_is_compared(make: Make) -> None:
    before = make("a")
    host = make_run().host
    after = make(
        "b",
        tops=(0, 1, 2),
        host=replace(host, cpu="Other CPU", threads=4),
        spec={"model": {"name": "deit_tiny"}, "data": {"evaluation": "photos/"}},
    )
    found = compare(before, after)
    why = refused(found)
    assert (
        found.accuracy is None
        and "4 and 3, of which 3 are of one name" in why["accuracy"]
        and "photos/" in why["accuracy"]
    )
    assert found.latency is None and "cpu Example CPU and Other CPU; threads 1 and 4" in why["latency"]
    assert found.ops == () and why["ops"] == "the models differ: vit_tiny_patch16_224 and deit_tiny"
    memory = next(each for each in found.amounts if each.name == "process memory")
    assert memory.before is None
    assert next(each for each in found.amounts if each.name == "file size").after == 13
    assert "model" in {each.name for each in found.settings}
    assert "the models differ: vit_tiny_patch16_224 and deit_tiny" in found.notes


def test_a_run_without_its_files_is_compared_by_what_it_stored(make: Make) -> None:
    before, after = make("a"), make("b")
    (after / "artifacts" / f"{INT8.replace('/', '--')}.onnx").unlink()
    found = compare(before, after)
    assert "are not there" in refused(found)["ops"]
    assert found.accuracy is not None and found.latency is not None and found.after.file is None
    for option in ("data", "measure"):
        with pytest.raises(UsageError, match=f"--{option} needs the files of both"):
            compare(before, after, **{option: "digits" if option == "data" else True})


def test_answers_that_were_lost_and_rounds_that_were_not_made_are_refused(make: Make) -> None:
    before, after = make("a"), make("b")
    (after / f"{INT8.replace('/', '--')}.csv").unlink()
    assert "cannot read" in refused(compare(before, after))["accuracy"]
    assert (
        "took no part in a final round" in refused(compare(before, make("c", candidates=_without_latency())))["latency"]
    )


def _without_latency() -> tuple[Any, ...]:
    return (replace(make_candidate(INT8), top1_file=None),)


def test_files_of_no_run_have_neither_images_nor_latency(tmp_path: Path, make: Make) -> None:
    make("a")
    for name, contents in (("old", "9 float"), ("new", "8 float")):
        (tmp_path / f"{name}.onnx").write_text(contents)
    found = compare(tmp_path / "old.onnx", tmp_path / "new.onnx")
    why = refused(found)
    assert "add --data" in why["accuracy"] and "add --measure" in why["latency"]
    assert "file of no run" in why["recipe, versions, calibration"]
    assert [(each.before, each.after) for each in found.ops] == [(10, 9)]


def test_a_file_of_a_run_is_its_candidate(make: Make) -> None:
    before, after = make("a"), make("b", tops=(0, 1, 1, 0))
    file = after / "artifacts" / f"{INT8.replace('/', '--')}.onnx"
    found = compare(before, file)
    assert found.after.candidate == INT8 and found.accuracy is not None and found.accuracy.top1_after == 0.75


def test_loss_under_shift_of_both_is_shown(make: Make) -> None:
    shifted = [replace(each, shift=record(noise=(1, 2, 3))) for each in make_run(make_candidate(INT8)).candidates]
    worse = [replace(each, shift=record(noise=(2, 3, 4), blur=(1, 1, 1))) for each in shifted]
    found = compare(make("a", candidates=tuple(shifted)), make("b", candidates=tuple(worse)))
    assert [(each.shift, each.before, each.after) for each in found.shift] == [("noise", 2, 3), ("blur", None, 1)]
    other = replace(worse[0], shift=replace(record(noise=(1,)), seed=1))
    found = compare(make("a", candidates=tuple(shifted)), make("c", candidates=(other,)))
    assert "on different images" in refused(found)["loss under shift"] and found.shift == ()


def test_what_is_compared_with_itself_is_refused(make: Make) -> None:
    folder = make("a")
    file = folder / "artifacts" / f"{INT8.replace('/', '--')}.onnx"
    for other in (folder, folder / "run.json", file):
        with pytest.raises(UsageError, match="compared with itself"):
            compare(folder, other)


def test_measured_now(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevit.results.comparison import compare as rank

    def timed(machine: Any, files: list[Path], precision: str, settings: Any, batch: Any, progress: Any) -> Any:
        return rank([(files[0], make_latency(10, 10, 10)), (files[1], make_latency(5, 4, 5))], settings.threads)

    monkeypatch.setattr(module, "compare_files", timed)
    found = compare(make("a"), make("b"), measure=True).latency
    assert found is not None
    assert (found.timed, found.before_ms, found.after_ms, found.speed_up) == ("measured now", 10, 5, 2)
