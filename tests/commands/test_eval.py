"""What ``edgevit eval`` feeds to a file: which images, and how they are normalized."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.backends import get_backend
from edgevit.commands import eval as module
from edgevit.commands.eval import FileEvaluation, choose_samples, evaluate_file
from edgevit.errors import CandidateFailed, UsageError
from edgevit.results.artifact import TensorSpec
from edgevit.run.progress import Silent
from edgevit.spec.spec import PreprocessingOverrides
from tests.data.pictures import save


@pytest.fixture
def source(tmp_path: Path) -> str:
    np.savez(tmp_path / "images.npz", images=np.zeros((20, 4, 4), np.uint8), labels=np.arange(20))
    return str(tmp_path / "images.npz")


def test_samples_are_chosen_by_the_seed(source: str) -> None:
    assert choose_samples(source, None, 0).ids == tuple(map(str, range(20)))
    some = choose_samples(source, 7, 0)
    assert len(set(some.ids)) == 7
    assert some == choose_samples(source, 7, 0) != choose_samples(source, 7, 1)


@pytest.mark.parametrize(
    ("count", "message"),
    [(21, "has 20"), (0, "0 evaluation images were asked for"), (-5, "-5 evaluation images were asked for")],
)
def test_a_number_of_samples_that_cannot_be_had(source: str, count: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_samples(source, count, 0)


def test_what_is_no_artifact_is_refused_before_images_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    nothing = PreprocessingOverrides()
    asked = FileEvaluation(tmp_path / "model.bin", "nowhere", nothing, None, None, threads=1, precision="f32")
    with pytest.raises(UsageError, match="no backend reads .bin"):
        evaluate_file(asked, Silent())


class Session:
    """Answers with the class that a function says, of five; takes images of 6 x 6 pixels."""

    def __init__(self, answer: Any) -> None:
        self.inputs = (TensorSpec("x", (1, 3, 6, 6), "float32", "NCHW"),)
        self.outputs = (TensorSpec("y", (1, 5), "float32", "NC"),)
        self.answer, self.count = answer, 0
        self.runtime_version, self.delegate, self.precision, self.threads = "1.20", "CPUExecutionProvider", "f32", 1

    def run(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        self.count += 1
        return (np.eye(5, dtype=np.float32)[[self.answer(self.count - 1)]],)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes five class folders of four images, and evaluates a file of a given session on them, in this process."""
    for label in range(5):
        for number in range(4):
            save(tmp_path / "data" / f"class{label}" / f"{number}.png", 10 * label + number)
    (tmp_path / "model.onnx").write_bytes(b"")

    class Here:
        def run(self, name: str, task: Any) -> Any:
            return task.function(task.argument)

    @contextmanager
    def runner(progress: Any, timeout: float | None) -> Iterator[Here]:
        yield Here()

    def evaluate(session: Session, **changes: Any) -> Any:
        monkeypatch.setattr(module, "child_runner", runner)
        monkeypatch.setattr(type(get_backend("onnxruntime")), "open_session", lambda *_: session)
        normalization = PreprocessingOverrides(mean=(0, 0, 0), std=(1, 1, 1))
        values: dict[str, Any] = {"artifact": tmp_path / "model.onnx", "data": str(tmp_path / "data")}
        rest = {"class_offset": None, "samples": None, "threads": 1, "precision": "f32"}
        return evaluate_file(FileEvaluation(preprocessing=normalization, **(values | rest | changes)), Silent())

    return evaluate


def test_the_score_tells_which_class_is_which_output(ask: Any) -> None:
    found = ask(Session(lambda place: place // 4))
    assert (found.accuracy.top1, found.accuracy.samples, found.stopped) == (1.0, 20, None)
    assert found.classes == {f"class{label}": label for label in range(5)}
    assert found.notes == ()


def test_an_accuracy_of_chance_is_told_with_likely_causes(ask: Any) -> None:
    found = ask(Session(lambda place: (place // 4 + 1) % 5))
    assert found.accuracy.top1 == 0
    assert "no better than chance" in found.notes[0] and "--class-offset" in found.notes[0]


def test_class_folders_that_are_not_as_many_as_outputs_are_refused_before_anything_runs(
    ask: Any, tmp_path: Path
) -> None:
    for file in (tmp_path / "data" / "class2").iterdir():
        file.unlink()
    (tmp_path / "data" / "class2").rmdir()
    session = Session(lambda place: 0)
    with pytest.raises(UsageError, match="4 class folders, the model 5 classes"):
        ask(session)
    assert session.count == 0
    (tmp_path / "data" / "classes.txt").write_text("".join(f"class{label}\n" for label in range(5)))
    assert ask(Session(lambda place: place // 4 + (place >= 8))).accuracy.top1 == 1.0


def test_all_broken_images_are_named_at_once(ask: Any, tmp_path: Path) -> None:
    for name in ("class1/0.png", "class1/1.png", "class4/3.png"):
        (tmp_path / "data" / name).write_bytes(b"no image")
    session = Session(lambda place: place // 4)
    with pytest.raises(UsageError, match="3 broken images") as caught:
        ask(session)
    assert all(name in caught.value.message for name in ("class1/0.png", "class1/1.png", "class4/3.png"))
    assert session.count == 4  # those before the first broken one


def test_what_was_done_before_a_crash_is_kept(ask: Any) -> None:
    def crash(place: int) -> int:
        if place == 13:
            raise CandidateFailed("score file: the process was killed by SIGSEGV")
        return place // 4

    found = ask(Session(crash))
    assert (found.accuracy.top1, found.accuracy.samples) == (1.0, 13)
    assert found.stopped == "score file: the process was killed by SIGSEGV: only the first 13 of 20 images are scored"


def test_a_crash_at_the_first_image_is_a_failure(ask: Any) -> None:
    def crash(place: int) -> int:
        raise CandidateFailed("gone")

    with pytest.raises(CandidateFailed, match="gone"):
        ask(Session(crash))


def test_a_grey_model_needs_the_mean_of_one_channel(ask: Any) -> None:
    session = Session(lambda place: 0)
    session.inputs = (TensorSpec("x", (1, 1, 6, 6), "float32", "NCHW"),)
    with pytest.raises(UsageError, match="mean has 3 values, and the input 1 channel"):
        ask(session)
