"""OpenVINO files: names, static shapes and the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.backends.openvino.export import export  # noqa: E402
from edgevit.backends.openvino.session import RuntimeSession  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402


def test_names_shapes_and_bytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    program = capture(network.eval(), (8, 8))
    contents = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        path = export(program, folder)
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert sorted(contents[0]) == ["model.bin", "model.xml"]
    assert contents[0] == contents[1]
    session = RuntimeSession(path, 1, "f32")
    (given,), (logits,) = session.inputs, session.outputs
    assert (given.name, given.shape, logits.name, logits.shape) == ("input", (1, 3, 8, 8), "logits", (1, 5))
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.run((image,))[0], expected, rtol=0, atol=1e-5)


def test_a_program_without_example_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without example inputs"):
        export(cast(ExportedProgram, SimpleNamespace(example_inputs=None)), tmp_path)
