"""The images of a run: preprocessed once per set and geometry, in one array for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.data.sampling import RunData
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import calibration_images, evaluation_images
from edgevit.run import executor
from edgevit.spec.spec import Spec
from tests.pipeline.contexts import CONTRACT, make_context, make_inputs, run_here


@pytest.fixture(autouse=True)
def no_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "run_in_child", run_here)


def begun(folder: Path, data: RunData) -> RunContext:
    spec = Spec.model_validate({"model": {"name": "digits_vit"}})
    return make_context(make_inputs(spec, data=data), folder, np.eye(4))


def stages_of(context: RunContext) -> list[str]:
    return [stage.name for stage in context.stages.folder.stages]


def test_each_set_is_preprocessed_once(tmp_path: Path) -> None:
    context = begun(tmp_path, RunData(open_images("noise:4"), open_images("noise:2")))
    with context.stages.folder:
        evaluation = evaluation_images(context.stages, context.inputs, CONTRACT)
        calibration = calibration_images(context.stages, context.inputs, CONTRACT)
        assert evaluation_images(context.stages, context.inputs, CONTRACT) == evaluation
        assert calibration is not None and calibration.pixels is not None and evaluation.pixels is not None
        names = ["preprocess evaluation images 4x4", "preprocess calibration images 4x4"]
        assert stages_of(context) == names
    assert calibration.pixels != evaluation.pixels
    assert (len(evaluation), len(calibration)) == (4, 2)
    streamed = PreparedImages(evaluation.samples, CONTRACT)
    np.testing.assert_array_equal(evaluation.array(), streamed.array())


def test_a_smaller_input_has_an_array_of_its_own(tmp_path: Path) -> None:
    context = begun(tmp_path, RunData(open_images("noise:2"), None))
    with context.stages.folder:
        first = evaluation_images(context.stages, context.inputs, CONTRACT)
        smaller = evaluation_images(context.stages, context.inputs, replace(CONTRACT, input_size=(2, 3)))
        assert calibration_images(context.stages, context.inputs, CONTRACT) is None
        assert stages_of(context) == ["preprocess evaluation images 4x4", "preprocess evaluation images 2x3"]
    assert (first.array().shape, smaller.array().shape) == ((2, 3, 4, 4), (2, 3, 2, 3))


def test_calibration_images_that_serve_for_both_are_one_array(tmp_path: Path) -> None:
    context = begun(tmp_path, RunData(None, open_images("noise:3")))
    with context.stages.folder:
        found: Any = calibration_images(context.stages, context.inputs, CONTRACT)
        assert evaluation_images(context.stages, context.inputs, CONTRACT) == found
        assert stages_of(context) == ["preprocess calibration images 4x4"]


def test_a_run_without_images_has_synthetic_ones(tmp_path: Path) -> None:
    context = begun(tmp_path, RunData(None, None))
    with context.stages.folder:
        assert evaluation_images(context.stages, context.inputs, CONTRACT).samples.source == "noise:16"
