"""TFLite files: names, static shapes and PyTorch's logits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402

from edgevit.backends.litert.export import export  # noqa: E402
from edgevit.backends.litert.session import RuntimeSession  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402


def test_names_and_shapes_are_pytorchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    path = export(capture(network.eval(), (8, 8)), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]
    session = RuntimeSession(path, 1, "f32")
    (given,), (logits,) = session.inputs, session.outputs
    assert "input" in given.name
    assert "logits" in logits.name
    assert (given.shape, given.layout, logits.shape) == ((1, 3, 8, 8), "NCHW", (1, 5))
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(session.run((image,))[0], expected, rtol=0, atol=1e-5)


def test_a_program_without_example_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without example inputs"):
        export(cast(ExportedProgram, SimpleNamespace(example_inputs=None)), tmp_path)
