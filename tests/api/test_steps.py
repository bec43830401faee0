"""The steps in Python answer what the commands print."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

import edgevit  # noqa: E402
from edgevit.data.digits import load_split  # noqa: E402

# isort: split
from tests.factories import make_candidate, make_run  # noqa: E402

DIGITS = load_split("test")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> edgevit.Run:
    return edgevit.compress(
        "digits_cnn",
        tmp_path_factory.mktemp("steps") / "run",
        evaluation="digits",
        export=["onnx"],
        schemes=["fp32"],
        quick=True,
    )


def file_of(run: edgevit.Run) -> Path:
    assert run.chosen is not None
    assert run.chosen.file is not None
    return run.chosen.file


def test_bench_measures_a_file(run: edgevit.Run) -> None:
    settings = edgevit.MeasureSpec(min_seconds=0.0)
    found = edgevit.bench(file_of(run), measure=settings)
    assert found.threads == 1
    assert 0 < found.latency_ms.p50 < 1000


def test_evaluate_scores_images_in_memory(run: edgevit.Run) -> None:
    pixels = np.stack([np.asarray(image) for image in DIGITS.images[:50]])
    right = edgevit.evaluate(file_of(run), (pixels, DIGITS.labels[:50]))
    wrong = edgevit.evaluate(file_of(run), (pixels, (np.array(DIGITS.labels[:50]) + 1) % 10))
    assert right.accuracy.top1 is not None
    assert right.accuracy.top1 > 0.9
    assert wrong.accuracy.top1 is not None
    assert wrong.accuracy.top1 < 0.1


def test_what_a_file_elsewhere_does_not_state_is_given(run: edgevit.Run, tmp_path: Path) -> None:
    file = Path(shutil.copy(file_of(run), tmp_path / "model.onnx"))
    artifact = run.candidates[0].artifact
    assert artifact is not None
    found = edgevit.evaluate(file, "digits", preprocessing=artifact.preprocessing, samples=20)
    assert found.accuracy.samples == 20


def test_predictions_are_for_each_device(run: edgevit.Run) -> None:
    found = edgevit.predict_latency(file_of(run), "raspberry-pi-5", "jetson-orin-nano")
    assert {each.device for each in found} == {"raspberry-pi-5", "jetson-orin-nano"}


def test_check_judges_a_run_against_a_budget(run: edgevit.Run, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text("accuracy_drop_points = 1.0\n")
    assert run.folder is not None
    verdict = edgevit.check(run, budget)
    assert verdict == edgevit.check(run.folder, budget)
    assert verdict.candidate == run.selected
    assert edgevit.check(make_run(make_candidate()), budget).note == ""  # nothing is known of its files
