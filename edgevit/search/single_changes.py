"""Measures what single changes of one model cost: plans and sizes in PyTorch and in float on the target, layers in int8."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edgevit.artifacts.int8_scheme import ReadInt8Job
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.backends import Backend
from edgevit.devices.predict import PredictDevicesJob
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.measure.bench import BenchJob
from edgevit.measure.paired import BenchWithParentJob
from edgevit.pipeline.context import RunContext, Variant
from edgevit.pipeline.images import calibration_images
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.snapshot import capture_module
from edgevit.pipeline.tasks import (
    PYTORCH,
    artifact_files,
    bench_task,
    bench_with_parent_task,
    decodes_here,
    int8_scheme_task,
    pixel_files,
    predict_task,
    reference_task,
)
from edgevit.results.artifact import Artifact
from edgevit.results.candidate import Candidate
from edgevit.results.search import NONE, AdditivityRecord, LayerSingle, PlanSingle, Struck
from edgevit.run.task import Task
from edgevit.search.additivity import check_additivity
from edgevit.search.divergence import divergence_from_original, divergence_images
from edgevit.search.layer_singles import LayerSingles, LayerSinglesJob, measure_layers
from edgevit.search.space import FLOAT, Change
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.token_plan import Plan, ResizePlan
from edgevit.tokens.plan import carry_out

_AS_FAST = 1.1
"""A form that takes more than that many times as long as the other one is left out."""
LEAST_NATS = 2e-3
"""Divergence of int8 below which no layer is worth to be kept in float."""


def measure_dense(context: RunContext, trained: TrainedModel) -> dict[str, float]:
    """Returns the latency of the dense float model in each runtime on the target, in ms; what fails there is left out.

    Args:
        context: The run.
        trained: The model after the passes that change its weights.

    Raises:
        CandidateFailed: it runs in none.
    """
    found, failures = dict[str, float](), list[str]()
    for backend in context.inputs.backends:
        try:
            found[backend.name] = _dense_ms(context, trained, backend)
        except (CandidateFailed, CheckFailed, UsageError) as error:
            failures.append(f"{backend.title}: {error.message}")
    if not found:
        raise CandidateFailed(f"the float model runs in no runtime: {'; '.join(failures)}")
    return found


def _dense_ms(context: RunContext, trained: TrainedModel, backend: Backend) -> float:
    """Measured by the same stages as the float candidate."""
    artifact = context.float_export(trained.dense).export(context.stages, backend).main
    name = f"{backend.name}/{FLOAT}/{trained.dense.slug}"
    if context.inputs.devices:
        return _predicted_ms(context, backend, name, artifact)
    settings = context.inputs.spec.measure
    job = BenchJob(
        backend.name, artifact, settings.threads, SCHEMES[FLOAT].precision, settings.min_runs, settings.min_seconds
    )
    return context.stages.run_in_child(f"measure {name}", name, bench_task(job)).latency_ms.p50


def _predicted_ms(context: RunContext, backend: Backend, name: str, artifact: Path) -> float:
    job = PredictDevicesJob(backend.name, artifact, context.inputs.devices)
    found = context.stages.run_in_child(f"predict {name}", name, predict_task(job)).predictions[0]
    if found.latency_ms is None:
        raise CandidateFailed(f"{found.device} cannot run {', '.join(found.unsupported_ops)}")
    return found.latency_ms.p50


@dataclass(frozen=True)
class PlanSingles:
    """What plans and sizes cost alone."""

    singles: tuple[PlanSingle, ...]
    speeds: dict[tuple[str, Change], float]
    """Latency in float over that of the dense model, by backend."""
    struck: tuple[Struck, ...]
    """Changes that a backend cannot run, or that compute the same as another more slowly."""


def measure_plans(
    context: RunContext,
    trained: TrainedModel,
    plans: Sequence[Plan],
    backend: Backend,
    has_time: Callable[[], bool] = lambda: True,
) -> PlanSingles:
    """Measures the divergence of each plan in PyTorch, and its latency in float in one runtime.

    Both forms of a graph are timed for the first plan that has them; for the others the faster one of these is.

    Args:
        context: The run.
        trained: The model after the passes that change its weights.
        plans: That the model can carry out.
        backend: To time in; in the others, the share of the latency that a plan leaves is taken to be the same.
        has_time: After it says no, no further plan is timed.
    """
    measuring = _Plans(context, trained)
    stages, inputs = context.stages, context.inputs
    singles = stages.side_by_side([partial(measuring.single, plan) for plan in plans]) if plans else []
    reducing = [plan for plan in plans if not isinstance(plan, ResizePlan)]
    first: list[tuple[Plan, str]] = [(plan, form) for plan in reducing[:1] for form in inputs.forms]
    answers = stages.side_by_side([partial(measuring.speed, backend, *each) for each in first]) if first else []
    found: dict[tuple[Plan, str], float | str | None] = dict(zip(first, answers, strict=True))
    timed = {form: speed for (_, form), speed in found.items() if isinstance(speed, float)}
    form: str = min(timed, key=lambda each: timed[each], default=inputs.forms[0])
    resizing = [plan for plan in plans if isinstance(plan, ResizePlan)]
    others: list[tuple[Plan, str]] = [*((plan, form) for plan in reducing[1:]), *((plan, NONE) for plan in resizing)]
    calls = [partial(measuring.speed_in_time, backend, *each, has_time) for each in others]
    found |= zip(others, stages.side_by_side(calls) if calls else [], strict=True)
    speeds = {(backend.name, Change(str(plan), form)): s for (plan, form), s in found.items() if isinstance(s, float)}
    struck = tuple(
        Struck(f"{backend.name} × {plan} ({form})", why, 0)
        for (plan, form), why in found.items()
        if isinstance(why, str)
    )
    return PlanSingles(tuple(singles), speeds, struck)


def slower_form(speeds: Mapping[tuple[str, Change], float]) -> str:
    """Returns the form of graphs that is clearly slower than the other one, in the plan that both were timed for; "" for none.

    Args:
        speeds: See :class:`PlanSingles`.
    """
    by_plan: dict[str, dict[str, float]] = {}
    for (_, change), speed in speeds.items():
        by_plan.setdefault(change.tokens, {})[change.form] = speed
    both = next((forms for forms in by_plan.values() if len(forms) > 1), {})
    slowest = max(both, key=lambda form: both[form], default="")
    return slowest if both and both[slowest] > _AS_FAST * min(both.values()) else ""


def _forms(plan: Plan, forms: Sequence[str]) -> Sequence[str]:
    return (NONE,) if isinstance(plan, ResizePlan) else forms


class _Plans:
    """Single plans of one model."""

    def __init__(self, context: RunContext, trained: TrainedModel) -> None:
        self._context, self._trained = context, trained

    def single(self, plan: Plan) -> PlanSingle:
        """The divergence and MACs of a plan, whatever the form of its graph."""
        variant, macs = self._variant(plan, _forms(plan, self._context.inputs.forms)[0])
        stages = self._context.stages
        job = ReferenceJob(
            variant.program,
            divergence_images(self._context, variant.preprocessing),
            stages.folder.work(f"{variant.slug}.divergence.npy"),
        )
        stage = f"divergence of {plan} in PyTorch"
        logits = stages.run_in_child(stage, f"divergence-{variant.slug}", reference_task(job)).logits
        divergence = divergence_from_original(self._context, self._trained, logits)
        return PlanSingle(str(plan), divergence, macs / self._trained.snapshot.captured.macs)

    def speed_in_time(
        self, backend: Backend, plan: Plan, form: str, has_time: Callable[[], bool]
    ) -> float | str | None:
        """As :meth:`speed`; None where there was no time."""
        return self.speed(backend, plan, form) if has_time() else None

    def speed(self, backend: Backend, plan: Plan, form: str) -> float | str | None:
        """Latency over that of the dense model, both in float; or why there is none."""
        try:
            return self._speed(backend, plan, form)
        except (CandidateFailed, CheckFailed, UsageError) as error:
            return error.message

    def _speed(self, backend: Backend, plan: Plan, form: str) -> float:
        context = self._context
        variant, _ = self._variant(plan, form)
        dense = context.float_export(self._trained.dense).export(context.stages, backend).main
        reduced = context.float_export(variant).export(context.stages, backend).main
        name = f"{backend.name}/{FLOAT}/{variant.slug}"
        if context.inputs.devices:
            dense_name = f"{backend.name}/{FLOAT}/{self._trained.dense.slug}"
            before = _predicted_ms(context, backend, dense_name, dense)
            return _predicted_ms(context, backend, name, reduced) / before
        settings = context.inputs.spec.measure
        precision = SCHEMES[FLOAT].precision
        bench = BenchJob(backend.name, reduced, settings.threads, precision, settings.min_runs, settings.min_seconds)
        job = BenchWithParentJob(bench=bench, parent=dense, parent_precision=precision)
        # the same stage as that of the float candidate of this plan
        found = context.stages.run_in_child(f"measure {name}", name, bench_with_parent_task(job))
        return 1 / found.compared.speed_up

    def _variant(self, plan: Plan, form: str) -> tuple[Variant, int]:
        """The captured model under a plan, as the candidate that may follow has it, and its MACs."""
        inputs, dense = self._context.inputs, self._trained.dense
        made = carry_out(
            self._trained.module,
            plan,
            "arithmetic" if form == "arithmetic" else "gather",
            dense.preprocessing.input_size,
        )
        slug = plan.slug if isinstance(plan, ResizePlan) else f"{plan.slug}-{form}"
        takes = replace(inputs.model.preprocessing, input_size=made.input_size)
        captured = capture_module(self._context.stages, slug, made.module, takes)
        return Variant(slug, captured.program, takes, (), dense.reference, plan=plan), captured.macs


@dataclass(frozen=True)
class PrecisionSingles:
    """What int8 costs layer by layer."""

    layers: tuple[LayerSingle, ...]
    """None where no layer is worth to be kept in float."""
    additivity: AdditivityRecord | None


NOT_MEASURED = PrecisionSingles((), None)


def measure_precision(
    context: RunContext, trained: TrainedModel, backend: Backend, int8: Candidate, divergence: float
) -> PrecisionSingles:
    """Measures what each module costs in int8, and whether mixes of modules cost the sum.

    Args:
        context: The run.
        trained: The model after the passes that change its weights.
        backend: Of the artifact.
        int8: A dense artifact in static int8.
        divergence: Of that artifact, in nats.
    """
    if divergence < LEAST_NATS:
        note = f"not checked: int8 of all layers costs {divergence:.1e} nats, so that none is worth to be kept in float"
        return PrecisionSingles((), AdditivityRecord(0, None, None, holds=True, note=note))
    try:
        found = _layer_singles(context, trained, backend, int8)
    except (CandidateFailed, CheckFailed, UsageError) as error:
        note = f"not checked: {error.message}; layers are not chosen one by one"
        return PrecisionSingles((), AdditivityRecord(0, None, None, holds=True, note=note))
    if not found.layers:
        note = "not checked: layers cannot be matched with modules, and are not chosen one by one"
        return PrecisionSingles((), AdditivityRecord(0, None, None, holds=True, note=note))
    return PrecisionSingles(found.layers, check_additivity(np.array(found.sums), np.array(found.mixed)))


def _layer_singles(context: RunContext, trained: TrainedModel, backend: Backend, int8: Candidate) -> LayerSingles:
    stages, inputs = context.stages, context.inputs
    artifact: Artifact | None = int8.artifact
    assert artifact is not None
    assert int8.recipe is not None
    read = ReadInt8Job(backend.name, stages.folder.path / artifact.path, int8.recipe)
    scheme = stages.run_in_child(f"read {int8.id}", int8.id, int8_scheme_task(read))
    calibration = calibration_images(stages, inputs, trained.dense.preprocessing)
    assert calibration is not None  # static int8 was made
    images = divergence_images(context, trained.dense.preprocessing)
    job = LayerSinglesJob(
        program=trained.dense.program,
        scheme=scheme,
        calibration=calibration,
        images=images.select(tuple(range(0, len(images), 2))),
        threads=stages.executor.at_once,
        seed=inputs.spec.seed,
    )
    files = (
        job.program,
        *artifact_files(stages.folder.path / artifact.path),
        *pixel_files(calibration),
        *pixel_files(images),
    )
    here = decodes_here(calibration, images)
    task = Task(measure_layers, job, LayerSingles, inputs=files, preload=PYTORCH, here=here)
    return stages.run_in_child(f"divergence of single layers of {int8.id}", "layer-singles", task)
