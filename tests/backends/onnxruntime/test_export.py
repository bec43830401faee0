"""ONNX files: opset, names and what is one op."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from edgevit.backends.onnxruntime.export import FUSED_OPSET, OPSET, export  # noqa: E402
from edgevit.backends.onnxruntime.session import RuntimeSession  # noqa: E402
from tests.models import DEPTH, images, program, vit  # noqa: E402


@pytest.mark.parametrize(
    ("fused", "opset", "expected"),
    [
        (False, OPSET, {"Attention": 0, "Gelu": 0, "Erf": DEPTH, "Softmax": DEPTH}),
        (True, FUSED_OPSET, {"Attention": DEPTH, "Gelu": DEPTH, "Erf": 0, "Softmax": 0}),
    ],
)
def test_fused_ops_are_written_only_when_asked_for(
    fused: bool, opset: int, expected: dict[str, int], tmp_path: Path
) -> None:
    exported = program(vit())
    path = export(exported, tmp_path, fused=fused)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    model = onnx.load(path)
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset
    count = Counter(node.op_type for node in model.graph.node)
    assert {name: count[name] for name in expected} == expected
    session = RuntimeSession(path, 1, "f32")
    assert [spec.name for spec in (*session.inputs, *session.outputs)] == ["input", "logits"]
    logits = exported.module()(torch.from_numpy(images(1))).detach().numpy()
    np.testing.assert_allclose(session.run((images(1),))[0], logits, rtol=0, atol=1e-4 * np.abs(logits).max())


@pytest.mark.parametrize("fused", [False, True])
def test_nothing_of_the_machine_that_wrote_it_is_in_the_file(fused: bool, tmp_path: Path) -> None:
    written = export(program(vit()), tmp_path, fused=fused).read_bytes()
    assert b"stack_trace" not in written
    assert b".py" not in written
    assert str(Path.cwd()).encode() not in written
