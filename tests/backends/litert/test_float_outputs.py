"""Outputs that the quantizer left as integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("litert_torch")
torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.backends.litert import export as exporting  # noqa: E402
from edgevit.backends.litert.float_outputs import with_float_outputs  # noqa: E402
from edgevit.backends.litert.quantize import quantize  # noqa: E402
from edgevit.backends.litert.session import RuntimeSession  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.outputs import NamedOutputs  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402


class PooledAndScaled(nn.Module):
    """A row that is an output and is read again by what makes another one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns "pooled" [n, 8] and "map" [n, 4, 1, 1]."""
        pooled = self.conv(images).mean((2, 3))
        return {"pooled": pooled, "map": self.head(pooled[:, :, None, None])}


def test_a_row_that_is_read_again_stays_float(tmp_path: Path) -> None:
    parent = exporting.export(capture(NamedOutputs(PooledAndScaled().eval()), (8, 8)), tmp_path)
    images = np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(np.float32)
    folder = tmp_path / "int8"
    folder.mkdir()
    path = quantize(parent, Recipe("static_wi8_ai8"), images, folder)
    session, original = RuntimeSession(path, 1, "f32"), RuntimeSession(parent, 1, "f32")
    assert [spec.dtype for spec in session.outputs] == ["float32", "float32"]
    assert ["pooled" in spec.name for spec in session.outputs] == [True, False]
    for found, wanted in zip(session.run((images[:1],)), original.run((images[:1],)), strict=True):
        assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
    content = path.read_bytes()
    assert with_float_outputs(content) == content  # nothing is left to do
    before = parent.read_bytes()
    assert with_float_outputs(before) == before
