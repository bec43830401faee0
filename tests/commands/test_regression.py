"""A new file held against an old one: when it stops, what it says of the two, and what it refuses; the blocks are made up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from edgevit.commands import regression as module
from edgevit.commands.regression import RegressionRequest, measure_regression
from edgevit.errors import CandidateFailed, UsageError
from edgevit.gate.confidence_sequence import LEAST_VALUES
from edgevit.measure.blocks import Block
from edgevit.measure.conditions import Activity
from edgevit.measure.turns import Turns
from edgevit.results.artifact import TensorSpec
from edgevit.results.regression import RegressionLimits
from edgevit.run.progress import Silent

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
QUIET = Activity(0.1, 1.0, 0.0, 0.0, 0, None)
BUSY = Activity(0.1, 0.5, 1.9, 0.0, 0, None)
IMAGE, LOGITS = (
    TensorSpec("input", (1, 3, 224, 224), "float32", "NCHW"),
    TensorSpec("logits", (1, 1000), "float32", "NC"),
)
Tell = Callable[..., None]


def turns(
    ms: float,
    *,
    precision: str = "f32",
    image: TensorSpec = IMAGE,
    logits: TensorSpec = LOGITS,
    activity: Activity = QUIET,
) -> Turns:
    return Turns(((ms,),), (activity,), 2, precision, "CPU", (image,), (logits,))


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Says what every block finds, and how many seconds it takes."""
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "Executor", lambda *_: FakeExecutor())

    def set_blocks(new: Callable[[int], Turns], old: Turns, seconds: float = 1.0) -> None:
        numbers = count()

        def block(*_: object) -> Block:
            clock[0] += seconds
            return Block(new(next(numbers)), old, seconds)

        monkeypatch.setattr(module, "measure_block", block)

    return set_blocks


class FakeExecutor:
    """Starts nothing."""

    def __enter__(self) -> FakeExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def warm_up(self, preloads: object) -> None:
        """Does nothing."""

    def run_alternately(self, *_: object, **__: object) -> None:
        """Never called: the blocks are made up."""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    new, old = tmp_path / "new.onnx", tmp_path / "old.onnx"
    shutil.copyfile(PROBES / "probe.onnx", new)
    shutil.copyfile(PROBES / "probe.onnx", old)
    with old.open("ab") as stream:
        stream.write(b"\n")
    return new, old


def request(files: tuple[Path, Path], max_regression: float = 0.05, seconds: float = 60.0) -> RegressionRequest:
    return RegressionRequest(*files, RegressionLimits(max_regression, 0.2), seconds)


def test_an_emulated_machine_is_refused(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "emulation", lambda: "aarch64 programs on a processor of type x86")
    with pytest.raises(UsageError, match="cannot be judged: aarch64 programs"):
        measure_regression(request(files), Silent())


def test_it_stops_as_soon_as_it_knows(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0), turns(4.0))
    found = measure_regression(request(files), Silent())
    assert (found.outcome, len(found.log_ratios), found.ratio) == ("pass", LEAST_VALUES, 1.0)
    assert found.seconds == LEAST_VALUES
    assert found.low is not None and found.high is not None and found.low < 1.0 < found.high
    assert found.notes == ()


@pytest.mark.parametrize(
    ("ms", "reason"), [(4.4, "more than 5 % slower"), (2.0, "more than 20 % faster: are layers gone")]
)
def test_what_is_too_slow_or_suspiciously_fast_fails(
    tell: Tell, files: tuple[Path, Path], ms: float, reason: str
) -> None:
    tell(lambda _: turns(ms), turns(4.0))
    found = measure_regression(request(files), Silent())
    assert found.outcome == "fail"
    assert found.reason.startswith(reason)


def test_what_is_too_near_to_the_limit_is_inconclusive_when_time_is_up(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda number: turns(4.2 * (1.01 if number % 2 else 1 / 1.01)), turns(4.0))
    found = measure_regression(request(files, seconds=30.0), Silent())
    assert (found.outcome, len(found.log_ratios)) == ("inconclusive", 30)
    assert "time was up" in found.reason


def test_no_block_begins_that_would_end_too_late(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0), turns(4.0), seconds=7.0)
    found = measure_regression(request(files, seconds=20.0), Silent())
    assert (found.outcome, found.seconds) == ("inconclusive", 14.0)
    assert found.low is None
    assert f"{LEAST_VALUES} are the least" in found.reason


def test_with_a_limit_of_none_equal_files_pass_and_one_percent_does_not(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0), turns(4.0))
    passed = measure_regression(request(files, 0.0), Silent())
    assert passed.outcome == "pass"
    assert "0.5 %" in passed.reason
    tell(lambda number: turns(4.04 * (1.003 if number % 2 else 1 / 1.003)), turns(4.0))
    assert measure_regression(request(files, 0.0), Silent()).outcome != "pass"


def test_contention_is_said(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0, activity=BUSY), turns(4.0, activity=BUSY))
    found = measure_regression(request(files), Silent())
    assert found.contention == ("other processes used 1.9 cores in 8 of 8 blocks",)


def test_the_same_file_is_said(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0), turns(4.0))
    copy = files[0].with_name("copy.onnx")
    shutil.copyfile(files[0], copy)
    for other in (copy, files[0]):
        (note,) = measure_regression(request((files[0], other)), Silent()).notes
        assert note.startswith("both are the same file")


def test_another_precision_and_input_are_said(tell: Tell, files: tuple[Path, Path]) -> None:
    small = TensorSpec("input", (1, 3, 192, 192), "float32", "NCHW")
    tell(lambda _: turns(4.0, precision="bf16", image=small), turns(4.0))
    precision, image = measure_regression(request(files), Silent()).notes
    assert precision == "different precisions: bf16 for the new file, f32 for the old one"
    assert image.startswith("different inputs: 1 × 3 × 192 × 192 of the new file")


def test_another_runtime_is_said(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0), turns(4.0))
    other = files[0].with_name("new.tflite")
    shutil.copyfile(PROBES / "probe.tflite", other)
    (note,) = measure_regression(request((other, files[1])), Silent()).notes
    assert note == "different runtimes: the new file runs in LiteRT, the old one in ONNX Runtime"


def test_the_axes_of_an_input_may_be_in_another_order(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0, image=TensorSpec("input", (1, 224, 224, 3), "float32", "NHWC")), turns(4.0))
    assert measure_regression(request(files), Silent()).notes == ()


def test_files_with_other_outputs_are_refused(tell: Tell, files: tuple[Path, Path]) -> None:
    tell(lambda _: turns(4.0, logits=TensorSpec("logits", (1, 10), "float32", "NC")), turns(4.0))
    with pytest.raises(UsageError, match=r"different outputs: 1 × 10, and 1 × 1000"):
        measure_regression(request(files), Silent())


def test_a_file_that_is_not_there_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="no such file"):
        measure_regression(request((files[0], files[1].with_name("none.onnx"))), Silent())


def test_a_crash_is_bad_input(tell: Tell, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> Block:
        raise CandidateFailed(f"{files[0]}: the process was killed")

    tell(lambda _: turns(4.0), turns(4.0))
    monkeypatch.setattr(module, "measure_block", crash)
    with pytest.raises(UsageError, match=r"new\.onnx: the process was killed") as caught:
        measure_regression(request(files), Silent())
    assert "edgevit bench" in (caught.value.hint or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "runtime"), [("onnx", "onnxruntime"), ("xml", "openvino"), ("tflite", "ai_edge_litert")]
)
def test_files_of_every_runtime_are_compared_in_real_processes(suffix: str, runtime: str) -> None:
    pytest.importorskip(runtime)
    file = PROBES / f"probe.{suffix}"
    found = measure_regression(request((file, file), 10.0, 0.001), Silent())
    assert (found.outcome, len(found.log_ratios), len(found.block_seconds)) == ("inconclusive", 1, 1)
    assert 0 < found.ratio < 1000
    assert any(note.startswith("both are the same file") for note in found.notes)


@pytest.mark.slow
def test_files_with_other_outputs_are_refused_in_real_processes(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(PROBES / "probe.onnx")
    last = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("ReduceSum", [last.name], ["sum"], keepdims=0))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.FLOAT, []))
    other = tmp_path / "other.onnx"
    onnx.save(model, other)
    with pytest.raises(UsageError, match="different outputs: a number, and 1 × "):
        measure_regression(request((other, PROBES / "probe.onnx"), 0.05, 0.001), Silent())
