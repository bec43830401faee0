"""What a file loses against its float parent on corrupted images, and where that is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevit.backends import get_backend
from edgevit.commands import eval_shift as module
from edgevit.commands.eval_shift import ShiftQuestion, float_parent, record_shift, score_under_shift
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec
from edgevit.results.run import load_run, run_to_json
from edgevit.run.files import file_sha256
from edgevit.run.progress import Silent
from edgevit.spec.spec import PreprocessingOverrides
from tests.factories import make_candidate, make_run

_SHADES = (40, 200)


class Session:
    """Tells dark images, class 0, from bright ones by their mean, if they have at least some spread."""

    def __init__(self, least_spread: float) -> None:
        self.inputs = (TensorSpec("x", (1, 3, 16, 16), "float32", "NCHW"),)
        self.outputs = (TensorSpec("y", (1, 2), "float32", "NC"),)
        self.least_spread = least_spread
        self.fed: list[bytes] = []

    def run(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        (image,) = inputs
        self.fed.append(image.tobytes())
        answer = image.mean() > 0.5
        return (np.eye(2, dtype=np.float32)[[int(answer) if image.std() >= self.least_spread else 0]],)


def make_images(folder: Path) -> str:
    """Ten dark and ten bright images with a checkerboard."""
    board = (np.indices((16, 16)).sum(axis=0) % 2)[..., None] * np.full(3, 40)
    for label, shade in enumerate(_SHADES):
        for number in range(10):
            path = folder / str(label) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((board + shade - 20 + number % 3).astype(np.uint8)).save(path)
    return str(folder)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Session]:
    """Sessions by the stem of their file; jobs run in this process."""
    found = {"float": Session(0.0), "small": Session(0.05)}

    class Here:
        def run(self, name: str, task: Any) -> Any:
            return task.function(task.argument)

    @contextmanager
    def runner(progress: Any, timeout: float | None) -> Iterator[Here]:
        yield Here()

    monkeypatch.setattr(module, "child_runner", runner)
    backend = type(get_backend("onnxruntime"))
    monkeypatch.setattr(backend, "open_session", lambda self, path, *_: found[path.stem])
    monkeypatch.setattr(backend, "files_of", lambda self, path: (path,))
    monkeypatch.setattr(backend, "read_contract", lambda self, path: None)
    return found


Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, sessions: dict[str, Session]) -> Ask:
    for name in sessions:
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    source = make_images(tmp_path / "data")

    def score(**changes: Any) -> Any:
        values: dict[str, Any] = {
            "artifact": tmp_path / "small.onnx",
            "sources": (source,),
            "corruptions": ("contrast", "brightness"),
            "seed": 0,
            "reference": tmp_path / "float.onnx",
            "preprocessing": PreprocessingOverrides(mean=(0,), std=(1,)),
            "class_offset": None,
            "samples": None,
            "threads": 1,
            "precision": "f32",
        }
        return score_under_shift(ShiftQuestion(**{**values, **changes}), Silent())

    return score


def test_a_file_that_needs_contrast_loses_on_images_without(ask: Ask) -> None:
    (score,) = ask()
    record = score.shift
    assert (record.clean.top1, record.clean.reference_top1, record.clean.drop_points) == (1, 1, 0)
    contrast, brightness = record.corruptions
    # images keep a spread of 0.078: times 0.4 and less it is under 0.05, and bright images count as dark
    assert [each.score.drop_points for each in contrast.severities] == pytest.approx([50, 50, 50])
    assert contrast.drop_points == pytest.approx(50)
    assert 0 < contrast.drop_interval.low < 50 < contrast.drop_interval.high
    assert [each.parameter for each in contrast.severities] == ["contrast × 0.4", "contrast × 0.2", "contrast × 0.05"]
    assert brightness.severities[0].score.samples == 20
    assert score.accuracy.top1 == 1 and score.accuracy.drop_points == 0
    assert record.reference_sha256 == file_sha256(Path(record.reference))


def test_both_files_see_the_same_pixels_and_each_corruption_once(ask: Ask, sessions: dict[str, Session]) -> None:
    ask(corruptions=("noise", "occlusion"))
    assert sessions["float"].fed == sessions["small"].fed
    assert len(sessions["float"].fed) == 20 * (1 + 2 * 3)


def test_pixels_depend_neither_on_the_other_images_nor_on_the_other_corruptions(
    ask: Ask, sessions: dict[str, Session]
) -> None:
    ask(corruptions=("noise", "shift"))
    all_of_them = set(sessions["float"].fed)
    sessions["float"].fed.clear()
    ask(corruptions=("shift",), samples=7)
    assert set(sessions["float"].fed) <= all_of_them
    sessions["float"].fed.clear()
    ask(corruptions=("noise",), seed=1)
    assert not set(sessions["float"].fed) <= all_of_them


def test_images_of_another_domain_are_taken_as_they_are(ask: Ask, tmp_path: Path, sessions: dict[str, Session]) -> None:
    flat = tmp_path / "flat"
    for label, shade in enumerate(_SHADES):
        (flat / str(label)).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (16, 16), (shade + number,) * 3).save(flat / str(label) / f"{number}.png")
    first, second = ask(sources=(str(tmp_path / "data"), str(flat)), corruptions=())
    (domain,) = first.shift.domains
    assert (domain.source, domain.score.samples, domain.score.drop_points) == (str(flat), 8, 50)
    assert first.shift.corruptions == () and second.shift is None
    assert (second.accuracy.top1, second.accuracy.drop_points) == (0.5, 50)
    assert len(sessions["float"].fed) == 28


def test_without_a_reference_the_float_parent_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its float parent is not known") as error:
        ask(reference=None)
    assert "--reference" in str(error.value.hint)
    with pytest.raises(UsageError, match="is the file itself"):
        ask(reference=tmp_path / "small.onnx")


def test_images_without_labels_and_arrays_are_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "plain" / "a.png")
    with pytest.raises(UsageError, match="plain has no labels"):
        ask(sources=(str(tmp_path / "plain"),))
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 16, 16, 3), np.float32), labels=[0, 1, 0, 1])
    with pytest.raises(UsageError, match="array|float"):
        ask(sources=(str(tmp_path / "a.npz"),))


@pytest.fixture
def run_folder(tmp_path: Path, sessions: dict[str, Session]) -> Path:
    """A run of a float and a compressed candidate, and one between them."""
    folder = tmp_path / "run"
    candidates = []
    for name, stem, parent in (
        ("onnxruntime/fp32/dense", "float", None),
        ("onnxruntime/fp32/tome", "between", "onnxruntime/fp32/dense"),
        ("onnxruntime/static_wi8_ai8/tome", "small", "onnxruntime/fp32/tome"),
    ):
        path = folder / "artifacts" / f"{stem}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stem.encode())
        made = make_candidate(name, parent=parent)
        assert made.artifact is not None
        stored = f"artifacts/{path.name}"
        artifact = replace(made.artifact, path=stored, files=(stored,), sha256=file_sha256(path))
        candidates.append(replace(made, artifact=artifact))
    (folder / "run.json").write_bytes(run_to_json(make_run(*candidates)))
    (folder / "begin.json").write_text("{}")
    return folder


def test_the_float_parent_is_the_dense_one(run_folder: Path) -> None:
    run = load_run(run_folder)
    dense, between, small = run.candidates
    assert float_parent(run, small) == dense == float_parent(run, between)
    assert float_parent(run, dense) is None
    circle = replace(dense, parent=small.id)
    assert float_parent(replace(run, candidates=(circle, between, small)), small) is not None


def test_what_is_recorded_is_in_the_run_and_nothing_else_changes(ask: Ask, run_folder: Path) -> None:
    artifact = run_folder / "artifacts" / "small.onnx"
    before = json.loads((run_folder / "run.json").read_bytes())
    (score,) = ask(artifact=artifact, reference=None)
    assert score.shift.reference == "onnxruntime/fp32/dense"
    assert record_shift(artifact, score.shift) == run_folder / "run.json"
    stored = load_run(run_folder).candidate("onnxruntime/static_wi8_ai8/tome")
    assert stored.shift == score.shift
    assert stored.shifted_drop is not None and stored.shifted_drop.shift == "contrast"
    after = json.loads((run_folder / "run.json").read_bytes())
    after["candidates"][2]["shift"] = None
    assert after == before


def test_a_float_file_has_no_parent_to_compare_with(ask: Ask, run_folder: Path) -> None:
    with pytest.raises(UsageError, match="has no float parent in its run"):
        ask(artifact=run_folder / "artifacts" / "float.onnx", reference=None)


def test_a_parent_that_was_removed_is_named(ask: Ask, run_folder: Path) -> None:
    (run_folder / "artifacts" / "float.onnx").unlink()
    with pytest.raises(UsageError, match="onnxruntime/fp32/dense is not there"):
        ask(artifact=run_folder / "artifacts" / "small.onnx", reference=None)
