"""Makes points by the stages of a run: what several points have in common is made once."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.backends import Backend
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.pipeline.candidate import begin, build, make, measure
from edgevit.pipeline.choose import counted_drop, mark_failed
from edgevit.pipeline.context import CandidateDraft, RunContext, Variant
from edgevit.pipeline.finetuning import Untuned
from edgevit.pipeline.images import calibration_images, evaluation_images
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.tasks import inference_task, reference_task
from edgevit.pipeline.token_passes import make_variants
from edgevit.pipeline.token_search.effort import evenly
from edgevit.pipeline.tuned_candidates import divergences, make_tuned
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval
from edgevit.results.search import NONE, Estimate, PointSettings
from edgevit.results.statistics import median_interval
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts
from edgevit.search.space import FLOAT
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Rung
from edgevit.spec.token_plan import parse_any_plan

DIVERGENCE_IMAGES = 128
"""Calibration images that divergences are measured on, at most."""


class PointMaker:
    """Makes points of one model; may be used by several threads at once."""

    def __init__(self, model: str, context: RunContext, trained: TrainedModel) -> None:
        """Begins with nothing made.

        Args:
            model: Name in the settings of its points.
            context: The run of the model.
            trained: The model after the passes that change its weights.
        """
        self._model, self._context, self._trained = model, context, trained
        self._backends = {backend.name: backend for backend in context.inputs.backends}
        self._locks: dict[object, threading.Lock] = {}
        self.candidates: dict[PointSettings, Candidate] = {}
        self._variants: dict[str, tuple[Variant, ...]] = {}

    def make(self, point: PointSettings, on_made: Callable[[Evaluation], None]) -> Candidate:
        """Makes a point after its parents, each once, and tells of each.

        Args:
            point: What to make.
            on_made: Called with each that is new.
        """
        with self._made_by_one(point):
            if point not in self.candidates:
                candidate = self._build(point, on_made)
                self.candidates[point] = candidate
                on_made(self._evaluation(point, candidate))
            return self.candidates[point]

    @contextmanager
    def _made_by_one(self, what: object) -> Iterator[None]:
        """Holds others up that want the same; while they wait, something may be timed."""
        lock = self._locks.setdefault(what, threading.Lock())
        if not lock.acquire(blocking=False):
            with self._context.stages.executor.waiting():
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _build(self, point: PointSettings, on_made: Callable[[Evaluation], None]) -> Candidate:
        backend = self._backends[point.backend]
        dense_point = PointSettings(point.model, point.backend, FLOAT)
        dense = None if point == dense_point else self.make(dense_point, on_made)
        variant = self._variant(point)
        if point.finetune != NONE:
            return self._tuned(point, backend, variant, on_made)
        if point.scheme == FLOAT:
            return build(self._context, backend, FLOAT, variant, dense)
        parent = self.make(replace(point, scheme=FLOAT, float_layers=()), on_made)
        candidate = begin(backend, point.scheme, variant, parent)
        if parent.artifact is None:
            return mark_failed(candidate, f"not made: {parent.id} {parent.status}")
        if point.float_layers:
            candidate = replace(candidate, id=f"{candidate.id}-float-{point.layers_digest}")
        draft = CandidateDraft(backend, variant, parent, candidate, float_modules=point.float_layers)
        return measure(self._context, make(self._context, draft))

    def _tuned(
        self, point: PointSettings, backend: Backend, variant: Variant, on_made: Callable[[Evaluation], None]
    ) -> Candidate:
        dense = self.make(PointSettings(point.model, point.backend, FLOAT), on_made)
        untuned = self.make(replace(point, finetune=NONE), on_made)
        if untuned.artifact is None:
            failed = begin(backend, point.scheme, replace(variant, slug=f"{variant.slug}-{point.finetune}"), untuned)
            return mark_failed(failed, f"not made: {untuned.id} {untuned.status}")
        if point.scheme != FLOAT:  # tuned in its own numbers, so that nothing else has its weights
            own = "-".join(filter(None, (point.scheme.split("_")[0], point.layers_digest)))
            variant = replace(variant, slug=f"{variant.slug}-{own}")
        rung: Rung = "quick" if point.finetune == "quick" else "full"
        tuned = make_tuned(self._context, self._trained, backend, Untuned(untuned, variant), rung, dense)
        if tuned.candidates:
            return tuned.candidates[-1]
        failed = begin(backend, point.scheme, replace(variant, slug=f"{variant.slug}-{rung}"), untuned)
        return mark_failed(failed, tuned.note or "no step of the fine-tuning answered more like the model")

    def _variant(self, point: PointSettings) -> Variant:
        if point.tokens == NONE:
            return self._trained.dense
        with self._made_by_one(point.tokens):
            if point.tokens not in self._variants:
                plan = parse_any_plan(point.tokens)
                self._variants[point.tokens] = make_variants(self._context, self._trained, plan)
        return next(each for each in self._variants[point.tokens] if each.form in (None, point.form))

    def _evaluation(self, point: PointSettings, candidate: Candidate) -> Evaluation:
        reasons, artifact = candidate.reasons, candidate.artifact
        drop = counted_drop(candidate.accuracy) if candidate.accuracy else None
        if artifact is None or drop is None or candidate.status == "failed":
            return Evaluation(point, None, "failed", reasons, candidate.id)
        ms = self._latency(candidate)
        judged = candidate.accuracy.judged if candidate.accuracy else None
        amounts = Amounts(self._divergence(candidate), drop, ms.value if ms else None, float(artifact.size_bytes))
        if ms is None and candidate.status == "ok":
            missing = candidate.predictions[0].unsupported_ops if candidate.predictions else ()
            reasons = (*reasons, f"{self.target} cannot run it: {', '.join(missing)}")
        return Evaluation(
            point,
            amounts,
            "measured" if candidate.status == "ok" and ms else "rejected",
            reasons,
            candidate.id,
            value=_estimate(judged.value, judged.interval) if judged else None,
            drop=_estimate(drop, judged.drop_interval if judged else None),
            ms=ms,
        )

    @property
    def target(self) -> str:
        """What latencies are of: the first device of the spec, or this host."""
        devices = self._context.inputs.devices
        return devices[0].name if devices else HOST

    def _latency(self, candidate: Candidate) -> Estimate | None:
        """On the target; on this host by the ratios to its parents, which were measured in turn, so that drift cancels."""
        if self.target != HOST:
            prediction = candidate.prediction(self.target)
            if prediction is None or prediction.latency_ms is None:
                return None
            found = prediction.latency_ms
            return Estimate(found.p50, found.low, found.high, "predicted")
        measurement = candidate.measurement()
        if measurement is None:
            return None
        dense = self.candidates.get(PointSettings(self._model, candidate.backend, FLOAT))
        base = dense.p50_ms if dense and dense.p50_ms else measurement.latency_ms.p50
        ms = base * math.prod(step.ms_after / step.ms_before for step in candidate.contributions)
        spread = median_interval(measurement.samples_ms)
        scale = ms / measurement.latency_ms.p50
        return Estimate(ms, min(ms, scale * spread.low), max(ms, scale * spread.high), "measured")

    def _divergence(self, candidate: Candidate) -> float:
        """KL(original || artifact) in nats, mean over calibration images."""
        assert candidate.artifact is not None
        stages = self._context.stages
        images = divergence_images(self._context, candidate.artifact.preprocessing)
        job = InferenceJob(
            backend=candidate.backend,
            artifact=stages.folder.path / candidate.artifact.path,
            images=images,
            threads=self._context.inputs.spec.measure.threads,
            precision=SCHEMES[candidate.scheme].precision,
            logits=stages.folder.work(f"{candidate.id.replace('/', '--')}.divergence.npy"),
        )
        stage = f"divergence of {candidate.id}"
        found = stages.run_in_child(stage, candidate.id, inference_task(job)).logits
        return divergence_from_original(self._context, self._trained, found)


def divergence_images(context: RunContext, preprocessing: Preprocessing) -> PreparedImages:
    """Returns the images that divergences are measured on: for calibration, or where there are none for evaluation.

    Args:
        context: The run.
        preprocessing: Of the model that takes them.
    """
    images = calibration_images(context.stages, context.inputs, preprocessing)
    if images is None:
        images = evaluation_images(context.stages, context.inputs, preprocessing)
    return images.select(evenly(len(images), DIVERGENCE_IMAGES))


def divergence_from_original(context: RunContext, trained: TrainedModel, logits: Path) -> float:
    """Returns the mean KL(original || other) over the images of :func:`divergence_images`, in nats.

    Args:
        context: The run.
        trained: Whose dense model is the original.
        logits: Of the other, float32 [images, classes].
    """
    dense = trained.dense
    job = ReferenceJob(
        dense.program,
        divergence_images(context, dense.preprocessing),
        context.stages.folder.work("original.divergence.npy"),
    )
    stage = "divergence: the original model in PyTorch"
    expected = context.stages.run_in_child(stage, "divergence-original", reference_task(job)).logits
    return float(divergences(read_rows(expected), read_rows(logits)).mean())


def _estimate(value: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(value, value, value, "measured")
    return Estimate(value, interval.low, interval.high, "measured")
