"""Preparing a program on disk: the steps in their order, and a note of what they did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.data.images import Samples, open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import capture, load_program, save_program  # noqa: E402
from edgevit.model.program.layers import find_layers, run_images  # noqa: E402
from edgevit.quantization.bias_correction import correct_bias  # noqa: E402
from edgevit.quantization.equalize import equalize  # noqa: E402
from edgevit.quantization.prepare import CHANGE_WEIGHTS, Prepared, PrepareJob, prepare  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.recipe import WEIGHT_CHANGES  # noqa: E402

CONTRACT = Preprocessing((8, 8), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def job(tmp_path: Path) -> PrepareJob:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 10),
    )  # fmt: skip
    save_program(capture(module.eval(), (8, 8)), tmp_path / "before.pt2")
    samples = Samples("digits:calibration", open_images("digits:calibration").ids[:8])
    steps = ("equalize", "bias_correction")
    return PrepareJob(tmp_path / "before.pt2", PreparedImages(samples, CONTRACT), steps, tmp_path / "after.pt2")


def calibration(job: PrepareJob) -> np.ndarray:
    assert job.calibration is not None
    return job.calibration.array()


def test_both_steps(job: PrepareJob) -> None:
    prepared = prepare(job)
    note = "equalized 1 pairs (left out: 1 for gelu); corrected the bias of 3 layers"
    assert prepared == Prepared(job.target, note)
    images = calibration(job)
    expected = correct_bias(equalize(load_program(job.program), images).program, images).program
    actual = load_program(job.target)
    assert torch.equal(run_images(actual.module(), images), run_images(expected.module(), images))


def test_no_step_changes_nothing(job: PrepareJob) -> None:
    prepared = prepare(PrepareJob(job.program, job.calibration, (), job.target))
    assert prepared == Prepared(job.target, "")
    before, after = (find_layers(load_program(path).module()) for path in (job.program, job.target))
    assert all(torch.equal(one.weight, other.weight) for one, other in zip(before, after, strict=True))


def test_every_weight_change_has_its_function() -> None:
    assert tuple(CHANGE_WEIGHTS) == WEIGHT_CHANGES


def test_rewrites_come_first_then_weight_changes_as_given(job: PrepareJob) -> None:
    given = replace(job, steps=("bias_correction", "split_massive_neurons", "equalize", "class_token_only"))
    assert [note.partition(":")[0] for note in prepare(given).note.split("; ")] == [
        "class_token_only",
        "split_massive_neurons",
        "corrected the bias of 3 layers",
        "equalized 1 pairs (left out",
    ]


def test_options_of_the_exporter_and_the_quantizer_are_passed_over(job: PrepareJob) -> None:
    assert prepare(replace(job, steps=("fused_ops", "polynomial_gelu"))).note == ""


@pytest.mark.parametrize("step", WEIGHT_CHANGES)
def test_a_weight_change_needs_images(job: PrepareJob, step: str) -> None:
    with pytest.raises(UsageError, match=f"{step} needs calibration images"):
        prepare(replace(job, calibration=None, steps=(step,)))
    assert not job.target.exists()


def test_a_rewrite_needs_none(job: PrepareJob) -> None:
    assert prepare(replace(job, calibration=None, steps=("class_token_only",))).note == "class_token_only: 0 places"
