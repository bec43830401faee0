"""``edgevit eval --on`` over loopback: the outputs of the local evaluation, from a board."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.result_set import ResultSet, read_result_set
from edgevit.cli.app import run
from edgevit.commands import eval_on
from edgevit.commands.eval import FileEvaluation, evaluate_file
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.board import Board
from edgevit.run.progress import Silent
from edgevit.run.stages import ChildRunner
from edgevit.spec.spec import PreprocessingOverrides, TilesSpec
from tests.loopback import PYTHON, Loopback
from tests.measure.boards.opened import opened
from tests.small_classifier import write_small_classifier

EMULATED = os.environ.get("EDGEVIT_ARM64_PYTHON")
"""Python of an emulated arm64 userland with numpy, LiteRT and ONNX Runtime."""


@pytest.fixture
def board(loopback: Loopback) -> Iterator[Board]:
    """Locked for one test, for commands connect by themselves."""
    with opened() as board:
        yield board


@pytest.fixture
def asked(tmp_path: Path) -> FileEvaluation:
    """A small classifier, and six images with labels."""
    images = np.random.default_rng(7).integers(0, 256, (6, 11, 9, 3), dtype=np.uint8)
    np.savez(tmp_path / "six.npz", images=images, labels=np.array([2, 1, 0, 2, 1, 1]))
    artifact = write_small_classifier(tmp_path / "m.onnx")
    given = PreprocessingOverrides(mean=(0.5,), std=(0.25,))
    return FileEvaluation(artifact, str(tmp_path / "six.npz"), given, None, None, 1, "f32")


class Told(Silent):
    """What people are told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def results(path: Path) -> ResultSet:
    return read_result_set(path)


def test_the_outputs_are_those_of_the_local_evaluation_and_nothing_is_sent_twice(
    board: Board, asked: FileEvaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eval_on, "_MOST_FILE_BYTES", 4 * 144)  # files of four images, and of two
    monkeypatch.setattr(eval_on, "_MOST_ANSWER_BYTES", 3 * 12)  # answers of three images, and of one
    here = evaluate_file(replace(asked, save_outputs=tmp_path / "here.npz"), Silent())
    first, again = Told(), Told()
    there = evaluate_file(replace(asked, save_outputs=tmp_path / "there.npz"), first, board)
    repeated = evaluate_file(asked, again, board)
    a, b = results(tmp_path / "here.npz"), results(tmp_path / "there.npz")
    assert np.array_equal(a.logits, b.logits)
    assert (a.names, a.sha256) == (b.names, b.sha256)
    assert a.labels is not None and b.labels is not None and np.array_equal(a.labels, b.labels)
    assert a.origin == b.origin, "the board is this machine"
    assert there.accuracy == here.accuracy == repeated.accuracy
    assert (there.classes, there.notes) == (here.classes, here.notes)
    assert here.computed_on is None
    assert there.computed_on is not None
    assert (there.computed_on.device, there.computed_on.host) == ("board", board.host)
    assert [line.split(",")[0] for line in first.messages] == ["board: sending m.onnx", "board: sending images"]
    assert first.messages[1].endswith("1.1 kB"), "the size is told before it is sent"
    assert again.messages == []


@pytest.mark.slow
def test_another_file_is_run_here(board: Board, asked: FileEvaluation) -> None:
    found = evaluate_file(replace(asked, reference=asked.artifact), Silent(), board)
    assert found.accuracy.metric is not None
    assert found.accuracy.metric.name == "cosine"
    assert found.accuracy.metric.value == pytest.approx(1)
    assert [(output.name, output.max_rel_diff) for output in found.outputs] == [("y", 0)]
    assert found.computed_on is not None


@pytest.mark.slow
def test_images_that_are_broken_are_named_as_here(board: Board, asked: FileEvaluation, tmp_path: Path) -> None:
    for label in ("a", "b", "c"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.png").write_bytes(b"no image")
    question = replace(asked, data=str(tmp_path / "photos"))
    errors = []
    for where in (None, board):
        with pytest.raises(UsageError, match="3 broken images") as error:
            evaluate_file(question, Silent(), where)
        errors.append((error.value.message, error.value.hint))
    assert errors[0] == errors[1]


@pytest.mark.slow
def test_a_damaged_file_is_named_as_the_user_did(board: Board, asked: FileEvaluation) -> None:
    asked.artifact.write_bytes(asked.artifact.read_bytes()[:100])
    with pytest.raises(UsageError) as error:
        evaluate_file(asked, Silent(), board)
    assert str(asked.artifact) in error.value.message
    assert ".cache/edgevit" not in error.value.message


def test_what_was_done_before_the_runtime_crashed_is_scored(
    board: Board, asked: FileEvaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eval_on, "_MOST_FILE_BYTES", 4 * 144)
    original: Callable[..., object] = ChildRunner.run

    def crashing(self: ChildRunner, name: str, task: object) -> object:
        if name.endswith("images 5 to 6"):
            raise CandidateFailed("run rows: the process was killed by SIGKILL (out of memory?)")
        return original(self, name, task)

    monkeypatch.setattr(ChildRunner, "run", crashing)
    found = evaluate_file(asked, Silent(), board)
    assert found.accuracy.samples == 4
    assert found.stopped is not None
    assert "SIGKILL" in found.stopped and found.stopped.endswith("only the first 4 of 6 images are scored")


@pytest.mark.slow
def test_images_that_were_changed_there_are_refused(
    board: Board, loopback: Loopback, asked: FileEvaluation, tmp_path: Path
) -> None:
    np.savez(tmp_path / "six.npz", images=np.full((6, 8, 6, 3), 77, np.uint8), labels=np.arange(6) % 3)
    evaluate_file(asked, Silent(), board)
    (stored,) = (
        path
        for path in (loopback.cache / "files").iterdir()
        if path.stat().st_size < 2000 and path.read_bytes().endswith(bytes([77]) * 6 * 144)
    )
    stored.write_bytes(stored.read_bytes()[:-1] + b"\0")
    with pytest.raises(UsageError, match="is not what was sent") as error:
        evaluate_file(asked, Silent(), board)
    assert "--clean" in (error.value.hint or "")


@pytest.mark.slow
def test_the_command(loopback: Loopback, asked: FileEvaluation, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["eval", str(asked.artifact), "--data", asked.data, "--mean", "0.5", "--std", "0.25"]
    on = ["--on", "board", "--python", PYTHON, "--wait", "0"]
    assert run([*line, *on, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert run([*line, "--json"]) == 0
    local = json.loads(capsys.readouterr().out)
    where = document.pop("computed_on")
    assert (where["device"], where["emulated"]) == ("board", "")
    assert where["host"]["cores"] > 0
    assert local.pop("computed_on") is None
    assert document == local
    assert run([*line, *on]) == 0
    assert "of " + asked.data + ", computed on board\n" in capsys.readouterr().out
    assert loopback.is_quiet()


@pytest.mark.slow
@pytest.mark.skipif(EMULATED is None, reason="EDGEVIT_ARM64_PYTHON is not set")
@pytest.mark.parametrize("backend", ["litert", "onnxruntime"])
def test_an_emulated_arm64_board_agrees_on_all_digits(
    loopback: Loopback,
    digits_files: dict[str, Path],
    backend: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    artifact, int8 = digits_files[backend], tmp_path / f"int8{digits_files[backend].suffix}"
    made = ["quantize", str(artifact), "--calibration", "digits:calibration", "--scheme", "static_wi8_ai8"]
    assert run([*made, "--out", str(int8)]) in (0, 1)
    for file, least in ((artifact, "100%"), (int8, "98%")):
        line = ["eval", str(file), "--data", "digits", "--save-outputs"]
        assert run([*line, str(tmp_path / f"{file.stem}-here.npz")]) == 0
        there = ["--on", "board", "--python", str(EMULATED), "--json", "--timeout", "1800"]
        capsys.readouterr()
        assert run([*line, str(tmp_path / f"{file.stem}-there.npz"), *there]) == 0
        assert json.loads(capsys.readouterr().out)["computed_on"]["emulated"]
        sets = [str(tmp_path / f"{file.stem}-{where}.npz") for where in ("here", "there")]
        assert run(["parity", *sets, "--min-agreement", least]) == 0, capsys.readouterr().out


def test_tiles_are_run_there_and_reduced_here(asked: FileEvaluation, board: Board, tmp_path: Path) -> None:
    tiles = TilesSpec(size=(16, 16), overlap=0.25, reduce="best")
    large = np.random.default_rng(3).integers(0, 256, (4, 40, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "large.npz", images=large, labels=np.array([2, 1, 0, 2]))
    given = asked.preprocessing.model_copy(update={"tiles": tiles})
    tiled = replace(asked, data=str(tmp_path / "large.npz"), preprocessing=given)
    here, there = tmp_path / "here.npz", tmp_path / "there.npz"
    evaluate_file(replace(tiled, save_outputs=here), Silent())
    evaluate_file(replace(tiled, save_outputs=there), Silent(), board)
    np.testing.assert_array_equal(results(there).logits, results(here).logits)
    whole = tmp_path / "whole.npz"
    evaluate_file(replace(tiled, save_outputs=whole, preprocessing=asked.preprocessing), Silent())
    assert not np.array_equal(results(whole).logits, results(here).logits)
