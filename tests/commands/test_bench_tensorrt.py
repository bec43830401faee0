"""Measuring ONNX files with TensorRT: a fake trtexec on this machine."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgevit.cli.app import run  # noqa: E402
from edgevit.commands.bench_tensorrt import bench_with_tensorrt, check_for_tensorrt, read_numbers  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.measure.machine import this_machine  # noqa: E402
from edgevit.results.measurement import Measurement  # noqa: E402
from edgevit.run.files import file_sha256  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.spec import MeasureSpec  # noqa: E402
from tests.loopback import PYTHON, Loopback  # noqa: E402
from tests.measure.boards.trtexec_program import make_trtexec  # noqa: E402

pytestmark = pytest.mark.skipif(os.name != "posix", reason="TensorRT is measured on Linux")


def save(path: Path, zero_point: int | None = None) -> Path:
    """Writes a matrix product: in float, or with Q/DQ on both sides."""
    constants = {"weights": np.eye(8, dtype=np.float32)}
    nodes = [("MatMul", ("input", "weights"), "output")]
    if zero_point is not None:
        constants |= {"scale": np.float32(0.1), "zero": np.int8(zero_point), "none": np.int8(0)}
        constants["weights"] = np.eye(8, dtype=np.int8)
        nodes = [
            ("QuantizeLinear", ("input", "scale", "zero"), "input_q"),
            ("DequantizeLinear", ("input_q", "scale", "zero"), "input_dq"),
            ("DequantizeLinear", ("weights", "scale", "none"), "weights_dq"),
            ("MatMul", ("input_dq", "weights_dq"), "output"),
        ]
    graph = helper.make_graph(
        [helper.make_node(op, list(inputs), [output]) for op, inputs, output in nodes],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a trtexec that is on PATH, where temporary files go too."""
    folder = tmp_path / "board"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def bench(path: Path, precision: str = "fastest") -> Measurement:
    return bench_with_tensorrt(this_machine(1), path, precision, MeasureSpec(min_seconds=1.0), Silent())


@pytest.mark.parametrize(
    ("zero_point", "precision", "flags"),
    [
        (None, "fastest", ["--fp16"]),
        (None, "f32", []),
        (0, "fastest", ["--int8", "--fp16"]),
    ],
)
def test_measured(zero_point: int | None, precision: str, flags: list[str], board: Path, tmp_path: Path) -> None:
    make_trtexec(board)
    path = save(tmp_path / "model one.onnx", zero_point)
    found = bench(path, precision)
    words = (board / "asked").read_text(encoding="utf-8").splitlines()
    assert words[0] == f"--onnx={path}"
    assert [word for word in words if word in ("--int8", "--fp16")] == flags
    assert found.conditions.runtime == "TensorRT"
    assert len(found.samples_ms) == 29
    assert found.device == "host/tensorrt"
    assert found.conditions.machine is not None
    assert sorted(each.name for each in board.iterdir()) == ["asked", "says", "times", "trtexec"]


@pytest.mark.parametrize(
    ("transcript", "words"),
    [
        ("trt80_unsupported_op", "lacks the op Round"),
        ("trt103_out_of_memory", "ran out of memory"),
        ("trt7_no_gpu", "cannot use the GPU"),
    ],
)
def test_failure_names_the_file_and_the_cause(transcript: str, words: str, board: Path, tmp_path: Path) -> None:
    make_trtexec(board, transcript, code=1)
    with pytest.raises(UsageError, match=words) as error:
        bench(save(tmp_path / "model.onnx"))
    assert str(tmp_path / "model.onnx") in error.value.message
    assert sorted(each.name for each in board.iterdir()) == ["asked", "says", "times", "trtexec"]


def test_no_trtexec(board: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trtexec"):
        bench(save(tmp_path / "model.onnx"))


def test_file_that_tensorrt_does_not_take_is_refused_before_it_is_sent(board: Path, tmp_path: Path) -> None:
    make_trtexec(board)
    with pytest.raises(UsageError, match="does not take .*Linear with a zero point other than 0") as error:
        bench(save(tmp_path / "model.onnx", zero_point=3))
    assert "--profile jetson-orin" in str(error.value.hint)
    assert not (board / "asked").exists()


def test_what_is_read_of_a_file(tmp_path: Path) -> None:
    assert read_numbers(save(tmp_path / "a.onnx")).int8 is False
    assert read_numbers(save(tmp_path / "b.onnx", 0)).int8 is True


def test_other_formats_and_precisions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\0\0\0\0TFL3")
    with pytest.raises(UsageError, match=r"reads \.onnx files"):
        check_for_tensorrt(tmp_path / "model.tflite", "f32")
    with pytest.raises(UsageError, match="bf16"):
        check_for_tensorrt(save(tmp_path / "model.onnx"), "bf16")


def test_on_a_board(
    loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = make_trtexec(tmp_path)
    monkeypatch.setattr("edgevit.commands.bench_tensorrt.PROGRAM", str(program))
    path = save(tmp_path / "model.onnx", 0)
    words = ["--on", "board", "--python", PYTHON, "--wait", "0"]
    assert run(["bench", str(path), *words, "--runtime", "tensorrt", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["measurement"]["device"] == "board/tensorrt"
    assert document["measurement"]["conditions"]["precision"] == "int8+fp16"
    assert document["measurement"]["conditions"]["machine"]["during"]["busy_mhz"] == []
    assert document["sha256"] == {str(path): file_sha256(path)}
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[0].startswith(f"--onnx={loopback.cache}")
    folder = Path(asked[-1].partition("=")[2]).parent
    assert not folder.exists()
    assert loopback.is_quiet()
    capsys.readouterr()

    make_trtexec(tmp_path, "trt8_no_kernel", code=1)
    assert run(["bench", str(path), *words, "--runtime", "tensorrt"]) == 2
    assert "model.onnx" in capsys.readouterr().err
    assert run(["bench", *words, "--clean"]) == 0
