"""Runs that have begun, made from the few values that a test cares about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from edgevit.backends import get_backend
from edgevit.data.images import ImageSet, open_images
from edgevit.data.sampling import RunData
from edgevit.devices.device import load_device
from edgevit.model.load import Model
from edgevit.pipeline.candidate import COMPRESS_STEPS
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.snapshot import Captured, Snapshot
from edgevit.quantization.policy import Target
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import Baseline
from edgevit.run.deadline import Deadline
from edgevit.run.executor import Executor
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Silent
from edgevit.run.stages import Stages
from edgevit.run.task import Task
from edgevit.spec.pruning_plan import parse_pruning
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import FORMS, parse_plans
from tests.factories import make_run

CONTRACT = Preprocessing((4, 4), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CONTRACT_32 = replace(CONTRACT, input_size=(32, 32))
DIGITS = {"evaluation": "digits", "calibration": "calibration:digits", "samples": 20}
TUNED = {"passes": {"tokens": "evit:0.7"}, "finetune": {"mode": "auto"}}


def digits_spec(**sections: Any) -> Spec:
    """A spec for the bundled transformer, unless a section says otherwise."""
    return resolve_spec(None, None, {"model": {"name": "digits_vit"}, **sections})


def noise(count: int, labels: tuple[int, ...] | None = None) -> ImageSet:
    """Images of noise that pass for real ones, with labels if there are any."""
    images = open_images(f"noise:{count}")
    return ImageSet(images.source, images.ids, labels, images._read)


def make_inputs(spec: Spec, **changes: Any) -> Inputs:
    """Inputs of a model of four classes and no images, with changes."""
    values: dict[str, Any] = {
        "spec": spec,
        "backends": tuple(map(get_backend, spec.export.backends)),
        "devices": tuple(map(load_device, spec.devices)),
        "host": make_run().host,
        "model": Model("small", nn.Identity(), CONTRACT, 4, random_weights=False),
        "teacher": None,
        "training_images": None,
        "data": RunData(None, None),
        "calibration_record": None,
        "tuning_images": None,
        "training_device": "cpu",
        "plans": parse_plans(spec.passes.tokens),
        "pruning": parse_pruning(spec.passes.prune),
        "forms": FORMS if spec.passes.form == "auto" else (spec.passes.form,),
        "boards": (),
    }
    return Inputs(**(values | changes))


def make_context(
    inputs: Inputs, folder: Path, logits: np.ndarray, *, resume: bool = False, **changes: Any
) -> RunContext:
    """A run in ``folder`` / "run" that has begun.

    Args:
        inputs: What it works with.
        folder: Holds the run folder, and the logits of the model as brought.
        logits: Of the model as brought, float32 [images, classes].
        resume: Continue the run that is there.
        **changes: Of the context.
    """
    np.save(folder / "original.npy", logits)
    run_folder = RunFolder(folder / "run", inputs.spec, (), resume)
    values: dict[str, Any] = {
        "inputs": inputs,
        "stages": Stages(run_folder, make_executor(folder), Silent()),
        "steps": COMPRESS_STEPS,
        "original": Snapshot(Captured(folder / "original.pt2", 1000, True), folder / "original.npy", 1.0),
        "baseline": Baseline(1.0 if inputs.labels else None, None, len(logits), 10, 1000, None),
        "target": Target("transformer", False, "none", ("avx2", "avx512_vnni")),
        "deadline": Deadline(None),
    }
    return RunContext(**(values | changes))


def make_executor(folder: Path, jobs: int = 1) -> Executor:
    """An executor whose servers would log into ``folder``; none is started until a task asks for one."""
    return Executor(jobs, 60.0, folder / "servers.log")


def run_here(task: Task[Any, Any], **_: Any) -> Any:
    """Carries out a task in this process, in place of :func:`edgevit.run.child_process.run_in_child`."""
    return task.function(task.argument)
