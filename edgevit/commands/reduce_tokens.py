"""Token reduction alone: a captured program with fewer tokens, and what that costs in PyTorch."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from edgevit.artifacts.accuracy import score
from edgevit.artifacts.decisions import decided
from edgevit.artifacts.evaluate import LogitsFile
from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits
from edgevit.data.images import ImageSet, open_images
from edgevit.data.output_labels import match_labels
from edgevit.data.prepared import PreparedImages
from edgevit.data.sampling import check_images, sample_images
from edgevit.errors import UsageError
from edgevit.model.program.capture import capture, count_macs, save_program
from edgevit.pipeline.classifier_only import check_kind
from edgevit.pipeline.model_inputs import open_model
from edgevit.results.artifact import Preprocessing
from edgevit.results.reduction import ReductionReport
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import Form, Plan, check_form, parse_plans
from edgevit.tokens.plan import carry_out, check_plan
from edgevit.tokens.reduction import ReducedModel


def reduce_model(spec: Spec, out: Path, progress: Progress) -> ReductionReport:
    """Carries out one token plan and writes the captured program.

    Args:
        spec: Model, plan, form and, to see what it costs, evaluation images; all else does not matter. Form "auto" is
            the gather form here, for no runtime is asked.
        out: File to write, ``.pt2``.
        progress: Progress callback.

    Raises:
        UsageError: the spec has no single plan, or the model cannot carry it out.
    """
    plan = _only_plan(spec)
    check_form(spec.passes.form, (plan,))
    if spec.model.random_weights and spec.data.evaluation:
        raise UsageError("accuracy of random weights is not reported", "leave out --data, or give weights")
    if out.is_dir() or out.suffix != ".pt2":
        raise UsageError(f"--out {out} is not a .pt2 file", "such as --out reduced.pt2")
    model = open_model(spec.model, spec.seed)
    for note in model.notes:
        progress.message(note)
    check_kind(spec, model)
    before = model.preprocessing
    form: Form = "gather" if spec.passes.form == "auto" else spec.passes.form
    sites = check_plan(model.module, plan, before.input_size)
    made = carry_out(model.module, plan, form, before.input_size)
    module, size = made.module, made.input_size
    images = _images(spec, model.num_classes, before, progress)
    after = replace(before, input_size=size)
    original = capture(model.module, before.input_size, before.channels)
    program = capture(module, size, before.channels)
    report = ReductionReport(
        model=spec.model.name,
        plan=str(plan),
        form=form if sites else None,
        program=str(out),
        input_size=size,
        patches=module.patches if isinstance(module, ReducedModel) else _patches(module),
        sites=sites,
        macs_before=count_macs(original),
        macs_after=count_macs(program),
    )
    if images is not None:
        with (
            tempfile.TemporaryDirectory() as temporary,
            child_runner(progress, spec.measure.timeout_seconds) as children,
        ):
            logits = []
            for name, one, preprocessing in (("before", original, before), ("after", program, after)):
                file = Path(temporary, f"{name}.pt2")
                save_program(one, file)
                job = ReferenceJob(file, PreparedImages(images.samples, preprocessing), file.with_suffix(".npy"))
                task = Task(reference_logits, job, LogitsFile)
                logits.append(np.load(children.run(f"evaluate {name} in PyTorch", task).logits))
        report = _evaluated(report, images, *logits)
    save_program(program, out)
    return report


def _only_plan(spec: Spec) -> Plan:
    plans = parse_plans(spec.passes.tokens)
    if len(plans) != 1:
        raise UsageError(f"--tokens {spec.passes.tokens!r}: give exactly one plan", "such as squeeze:0.8@4,7")
    if isinstance(plans[0], str):
        raise UsageError(
            "--tokens auto searches for one runtime, and none is asked here", "use edgevit compress --tokens auto"
        )
    return plans[0]


def _images(spec: Spec, num_classes: int, contract: Preprocessing, progress: Progress) -> ImageSet | None:
    if spec.data.evaluation is None:
        return None
    images = match_labels(open_images(spec.data.evaluation), num_classes, spec.data.class_offset)
    if spec.data.samples:
        images = sample_images(images, spec.data.samples, spec.seed, "evaluation")
    check_images(images, num_classes, contract, functools.partial(progress.stage, "check evaluation images"))
    return images


def _patches(module: nn.Module) -> int | None:
    found = getattr(getattr(module, "patch_embed", None), "num_patches", None)
    return int(found) if isinstance(found, int) else None


def _evaluated(report: ReductionReport, images: ImageSet, before: np.ndarray, after: np.ndarray) -> ReductionReport:
    return replace(
        report,
        samples=len(images),
        top1_before=score(before, images.labels, None).top1,
        top1_after=score(after, images.labels, None).top1,
        agreement=float((decided(before) == decided(after)).mean()),
    )
