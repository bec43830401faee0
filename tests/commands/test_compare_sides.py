"""Runs and files as they are named for a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.commands.compare_sides import host_differences, open_side
from edgevit.errors import UsageError
from edgevit.results.run import run_to_json
from tests.factories import make_candidate, make_run


def test_the_chosen_candidate_or_the_one_that_is_named(tmp_path: Path) -> None:
    run = make_run(make_candidate("litert/fp32", p50_ms=20), make_candidate("litert/static_wi8_ai8"))
    (tmp_path / "run.json").write_bytes(run_to_json(run))
    for given in (tmp_path, tmp_path / "run.json"):
        side = open_side(given, None)
        assert side.compared.candidate == "litert/fp32" and side.file is None and side.model == "vit_tiny_patch16_224"
    assert open_side(tmp_path, "1").compared.candidate == "litert/static_wi8_ai8"


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    failed = replace(make_candidate("litert/fp32", p50_ms=None, status="failed"), artifact=None)
    (tmp_path / "run.json").write_bytes(run_to_json(make_run(failed, selected=None)))
    with pytest.raises(UsageError, match="chose nothing"):
        open_side(tmp_path, None)
    with pytest.raises(UsageError, match="has no artifact: it failed"):
        open_side(tmp_path, "litert/fp32")
    with pytest.raises(UsageError, match="cannot read a run"):
        open_side(tmp_path / "nowhere", None)
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file, not a run"):
        open_side(tmp_path / "a.onnx", "1")


def test_a_path_that_leaves_the_run_is_no_file_of_it(tmp_path: Path) -> None:
    (tmp_path / "outside.onnx").write_bytes(b"")
    made = make_candidate("onnxruntime/fp32")
    assert made.artifact is not None
    leaving = replace(made, artifact=replace(made.artifact, path="../outside.onnx"))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_bytes(run_to_json(make_run(leaving)))
    assert open_side(folder, None).file is None


def test_hosts_differ_in_what_latency_depends_on() -> None:
    run = make_run()
    assert host_differences(run, replace(run, host=replace(run.host, python="3.12.0"))) == ()
    other = replace(run, host=replace(run.host, isa=("neon",), threads=4))
    assert host_differences(run, other) == ("isa avx2,avx512_vnni and neon", "threads 1 and 4")
