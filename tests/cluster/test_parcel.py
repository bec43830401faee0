"""Paths of one machine do not reach another."""

from __future__ import annotations

import json
from pathlib import Path

from edgevit.cluster.parcel import (
    RUN,
    digests,
    moved_paths,
    moved_text,
    place_of,
    read_answers,
    write_question,
    written_answers,
)
from edgevit.run.task import Task
from edgevit.store.record import Blob
from tests.cluster.file_jobs import Copied, Copy, copy

ROOT = Path("/runs/one")


def test_a_question_has_no_path_of_this_machine() -> None:
    outside = Path("/models/net.onnx")
    task = Task(copy, Copy(outside, ROOT / "work" / "target"), Copied, inputs=(outside, ROOT / "a"))
    question = json.loads(write_question(task, ROOT))
    assert question["value"]["source"] == f"{RUN}/inputs/models/net.onnx"
    assert question["value"]["target"] == f"{RUN}/work/target"
    assert "/runs/one" not in json.dumps(question)


def test_only_paths_of_the_folder_are_moved() -> None:
    document = {
        "a": ["/runs/one", "/runs/one/b", "/runs/one2/b", "x/runs/one/b", 3, None, float("inf")],
        "/runs/one/k": True,
    }
    assert moved_paths(document, "/runs/one", RUN) == {
        "a": [RUN, f"{RUN}/b", "/runs/one2/b", "x/runs/one/b", 3, None, float("inf")],
        f"{RUN}/k": True,
    }


def test_sentences_with_paths() -> None:
    text = "no result; see /runs/one/logs/a.log, not /data/runs/one/b or /runs/one2; in /runs/one"
    moved = moved_text(text, "/runs/one", RUN)
    assert moved == f"no result; see {RUN}/logs/a.log, not /data/runs/one/b or /runs/one2; in {RUN}"
    assert moved_text(moved, RUN, "/else") == text.replace("/runs/one/logs", "/else/logs").replace(
        "in /runs/one", "in /else"
    )


def test_answers_come_back_in_the_folder_of_another_run() -> None:
    text = written_answers([{"answer": {"target": "/runs/one/a", "value": float("nan")}}], ROOT)
    (answer,) = read_answers(text, Path("/runs/two"))
    assert answer["answer"]["target"] == "/runs/two/a"
    assert answer["answer"]["value"] != answer["answer"]["value"]


def test_files_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "run" / "a", tmp_path / "b"):
        path.touch()
    given = [tmp_path / "run" / "a", tmp_path / "b", tmp_path / "missing", tmp_path / "b"]
    found = digests(given, tmp_path / "run", lambda path: Blob(path.name, 0))
    assert found == {"a": Blob("a", 0), place_of(tmp_path / "b", tmp_path / "run"): Blob("b", 0)}
    assert not any(name.startswith("/") or ".." in name for name in found)
