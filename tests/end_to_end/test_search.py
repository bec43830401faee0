"""``edgevit search`` on real models: few candidates, a front on disk, resumed, interrupted, and points picked from it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.cluster.execution import Where
from edgevit.results.run import load_run
from edgevit.results.search import Search, load_search
from edgevit.run.progress import Silent
from edgevit.search.divergence import DIVERGENCE_IMAGES
from edgevit.search.open_search import open_models
from edgevit.search.request import SearchRequest
from edgevit.search.run_search import search
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec
from tests.end_to_end.test_compress import edgevit, start

pytestmark = pytest.mark.slow

COMMAND = (
    "search", "digits_cnn", "--data", "digits", "--samples", "200", "--calibration", "calibration:digits", "--export",
    "onnx", "--scheme", "static_wi8_ai8", "--tokens", "resolution:28", "--finetune", "none", "--set",
    "data.calibration_samples=32", "--set", "measure.min_seconds=0", "--max-drop", "3",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("search")
    done = edgevit(*COMMAND, "--trials", "9", "--out", home / "s", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "s"


def _comparable(found: Search) -> list[tuple[object, ...]]:
    """What does not depend on how long things took."""
    return [(p.id, p.drop_points, p.divergence, p.size_bytes) for p in found.points if p.order is not None]


def test_a_small_space_gives_a_front_with_everything_on_record(finished: Path) -> None:
    found = load_search(finished)
    assert {point.id.removeprefix("digits_cnn/onnxruntime/") for point in found.points if point.order} >= {
        "fp32",
        "static_wi8_ai8",
    }
    assert found.front
    assert all(point.p50_ms and point.p50_ms.low <= point.p50_ms.value <= point.p50_ms.high for point in found.on_front)
    assert found.models[0].singles[0].settings == "resolution:28"
    assert found.models[0].additivity is not None
    assert "## Front" in (finished / "report.md").read_text(encoding="utf-8")
    assert found.budget.trials <= 9
    images = np.load(next((finished / "digits_cnn/work").glob("*fp32--dense.divergence.npy")))
    assert len(images) == min(32, DIVERGENCE_IMAGES)


def test_a_search_that_ended_is_read_back(finished: Path) -> None:
    before, begin = load_search(finished), time.monotonic()
    done = edgevit(*COMMAND, "--trials", "9", "--out", finished, "--resume", cwd=finished.parent)
    assert done.returncode == 0, done.stderr
    assert _comparable(load_search(finished)) == _comparable(before)
    assert time.monotonic() - begin < 120
    refused = edgevit(*COMMAND, "--trials", "9", "--out", finished, cwd=finished.parent)
    assert (refused.returncode, "holds a search already" in refused.stderr) == (2, True)


def test_a_picked_point_is_made_again_by_compress(finished: Path) -> None:
    home = finished.parent
    done = edgevit("search", "--out", finished, "--pick", "size<=300kB", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    point = json.loads(done.stdout)["point"]
    assert point["on_front"]
    assert point["settings"]["scheme"] == "static_wi8_ai8"
    made = edgevit("compress", finished / "pick.toml", "--out", "again", "--jobs", "1", cwd=home)
    assert made.returncode in (0, 1), made.stderr  # 1 where the machine is too busy to tell which is faster
    candidate = next(c for c in load_run(home / "again").candidates if c.id == point["candidate"])
    assert candidate.accuracy is not None
    assert candidate.accuracy.drop_points == pytest.approx(point["drop_points"]["value"], abs=1e-9)
    assert candidate.artifact is not None
    assert candidate.artifact.size_bytes == point["size_bytes"]["value"]
    assert [attempt.rung for attempt in candidate.attempts] == ["policy"]


def test_an_interrupt_leaves_what_is_there(tmp_path: Path) -> None:
    process = start((*COMMAND, "--trials", "9", "--out", tmp_path / "s"), tmp_path)
    deadline = time.monotonic() + 400
    while not (tmp_path / "s/search.json").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert time.monotonic() - begin <= 2.0 + 3.0  # two seconds where the machine is quiet
    found = load_search(tmp_path / "s")
    assert found.ended == "interrupted"
    assert found.front
    assert (tmp_path / "s/report.md").is_file()


def test_two_models_have_one_front(tmp_path: Path) -> None:
    specs = tuple(_spec(name) for name in ("digits_cnn", "digits_vit"))
    request = SearchRequest(specs, max_trials=4)
    assert [model.name for model in open_models(request, Silent())] == ["digits_cnn", "digits_vit"]
    found = search(request, tmp_path / "s", Where(jobs=2), Silent())
    assert {point.settings.model for point in found.points if point.order} == {"digits_cnn", "digits_vit"}
    assert found.budget.trials <= 4
    assert (tmp_path / "s/front.png").is_file()


def _spec(name: str) -> Spec:
    return resolve_spec(
        None,
        None,
        {
            "model": {"name": name},
            "data": {"evaluation": "digits", "samples": 100, "calibration": "calibration:digits"},
            "export": {"backends": ["onnx"], "schemes": ["static_wi8_ai8"]},
            "measure": {"min_seconds": 0.0},
        },
    )
