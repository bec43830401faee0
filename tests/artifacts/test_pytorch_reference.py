"""Logits and latency of a captured program in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.artifacts import evaluate, pytorch_reference  # noqa: E402
from edgevit.artifacts.pytorch_reference import LatencyJob, ReferenceJob, batched, pytorch_latency, reference_logits  # noqa: E402
from edgevit.data import in_order  # noqa: E402
from edgevit.data.images import Samples, open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.program.capture import capture, save_program  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.token_plan import Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.reduction import CutMargins  # noqa: E402
from tests.models import SIDE, images, small_vit, wide_residual  # noqa: E402

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
    assert told == [(2, 2)]


def single(module: Any, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(image[None])).numpy() for image in pixels])


def reduced(plan: str, form: Form) -> nn.Module:
    return reduce_tokens(small_vit(), parse_plan(plan), form)


@pytest.mark.parametrize(
    "module",
    [
        small_vit,
        lambda: reduced("evit:0.6@1", "gather"),
        lambda: reduced("evit:0.6@1", "arithmetic"),
        lambda: reduced("tome:0.6@1", "gather"),
        lambda: reduced("squeeze:0.6@1", "arithmetic"),
        lambda: CutMargins(reduced("evit:0.6@1", "gather")),
        digits_cnn,
        wide_residual,
    ],
)
def test_a_batch_gives_what_single_images_give(
    module: Callable[[], nn.Module], capsys: pytest.CaptureFixture[str]
) -> None:
    captured = cast(nn.Module, capture(module().eval(), (SIDE, SIDE)).module())
    pixels = images(7)
    expected = single(captured, pixels)
    found = batched(captured, pixels[:4])(pixels)
    assert capsys.readouterr().out == ""
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_logits_do_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_program(capture(small_vit(), (SIDE, SIDE)), tmp_path / "p.pt2")
    contract = Preprocessing((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    chosen = PreparedImages(open_images("noise:10").samples, contract)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(in_order, "cores", lambda number=threads: number)
        found.append(np.load(reference_logits(ReferenceJob(tmp_path / "p.pt2", chosen, tmp_path / "l.npy")).logits))
    assert found[0].shape == (10, 5)
    np.testing.assert_array_equal(*found)


class NotVectorizable(nn.Module):
    """Means of the channels, by a number that only a single image has."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean(dim=(2, 3)) * (1 if float(image[0, 0, 0, 0]) < 1e9 else 0)


def test_what_cannot_be_vectorized_is_run_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    pixels = images(3)
    found = batched(NotVectorizable(), pixels)(pixels)
    assert "images are run one by one: the program cannot be vectorized: " in capsys.readouterr().out
    np.testing.assert_allclose(found, pixels.mean(axis=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("wrong", [2e-5, float("nan")])
def test_what_is_vectorized_wrongly_is_run_one_by_one(
    wrong: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, pixels = Means(), images(3)
    monkeypatch.setattr(torch, "vmap", lambda function: lambda batch: module(batch) * (1 + wrong))
    found = batched(module, pixels)(pixels)
    assert "images are run one by one: in a batch their outputs differ by " in capsys.readouterr().out
    np.testing.assert_array_equal(found, single(module, pixels))


def test_latency_is_positive_and_ordered(program: Path) -> None:
    found = pytorch_latency(LatencyJob(program, threads=1, min_runs=20, min_seconds=0.0))
    assert 0 < found.min <= found.p50 <= found.p90 <= found.p99


def test_a_program_without_example_inputs_cannot_be_timed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = pytorch_reference.load_program(program)
    loaded.example_inputs = None
    monkeypatch.setattr(pytorch_reference, "load_program", lambda path: loaded)
    with pytest.raises(ValueError, match="without example inputs"):
        pytorch_latency(LatencyJob(program, 1, 1, 0.0))
