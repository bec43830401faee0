"""Logits and latency of a captured program in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.artifacts import evaluate, pytorch_reference  # noqa: E402
from edgevit.artifacts.pytorch_reference import LatencyJob, ReferenceJob, pytorch_latency, reference_logits  # noqa: E402
from edgevit.data.images import Samples  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.model.program.capture import capture, save_program  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402

CONTRACT = Preprocessing((4, 4), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "nearest", 1.0)

pytestmark = pytest.mark.usefixtures("threads_as_before")


@pytest.fixture
def threads_as_before() -> Iterator[None]:
    """The jobs run in child processes and leave their number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Means(nn.Module):
    """The mean of each channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    save_program(capture(Means().eval(), (4, 4)), tmp_path / "p.pt2")
    return tmp_path / "p.pt2"


def test_logits_are_those_of_the_chosen_images_in_their_order(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shades = np.array([0, 51, 102, 255], np.uint8)
    np.savez(tmp_path / "i.npz", images=np.broadcast_to(shades[:, None, None, None], (4, 4, 4, 3)))
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(evaluate, "report_progress", lambda done, total: told.append((done, total)))
    samples = Samples(str(tmp_path / "i.npz"), ("3", "1"))
    found = reference_logits(ReferenceJob(program, PreparedImages(samples, CONTRACT), tmp_path / "logits.npy"))
    logits = np.load(found.logits)
    assert (logits.dtype, logits.shape) == (np.float32, (2, 3))
    np.testing.assert_allclose(logits, [[1.0] * 3, [0.2] * 3], rtol=1e-6)
    assert told == [(1, 2), (2, 2)]


def test_latency_is_positive_and_ordered(program: Path) -> None:
    found = pytorch_latency(LatencyJob(program, threads=1, min_runs=20, min_seconds=0.0))
    assert 0 < found.min <= found.p50 <= found.p90 <= found.p99


def test_a_program_without_example_inputs_cannot_be_timed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = pytorch_reference.load_program(program)
    loaded.example_inputs = None
    monkeypatch.setattr(pytorch_reference, "load_program", lambda path: loaded)
    with pytest.raises(ValueError, match="without example inputs"):
        pytorch_latency(LatencyJob(program, 1, 1, 0.0))
