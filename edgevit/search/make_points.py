"""Makes points by the stages of a run: what several points have in common is made once."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from edgevit.artifacts.evaluate import InferenceJob
from edgevit.backends import Backend
from edgevit.pipeline.candidate import begin, build, make, measure
from edgevit.pipeline.choose import counted_drop, mark_failed
from edgevit.pipeline.context import CandidateDraft, RunContext, Variant
from edgevit.pipeline.finetuning import Untuned
from edgevit.pipeline.tasks import inference_task
from edgevit.pipeline.token_passes import make_variants
from edgevit.pipeline.tuned_candidates import make_tuned
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval
from edgevit.results.search import NONE, Estimate, PointSettings
from edgevit.results.statistics import median_interval
from edgevit.search.divergence import divergence_from_original, divergence_images
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts
from edgevit.search.pruned_models import PrunedModels
from edgevit.search.space import FLOAT
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Rung
from edgevit.spec.token_plan import parse_any_plan


class PointMaker:
    """Makes points of one model; may be used by several threads at once."""

    def __init__(self, model: str, context: RunContext, pruned: PrunedModels) -> None:
        """Begins with nothing made.

        Args:
            model: Name in the settings of its points.
            context: The run of the model.
            pruned: The model after the passes that change its weights, and smaller ones made of it.
        """
        self._model, self._context, self._pruned = model, context, pruned
        self._backends = {backend.name: backend for backend in context.inputs.backends}
        self._locks: dict[object, threading.Lock] = {}
        self.candidates: dict[PointSettings, Candidate] = {}
        self._tuned_parents: dict[str, Candidate] = {}
        """Float models that fine-tuned int8 ones were made from, by their id; they are no points."""
        self._variants: dict[tuple[str, str], tuple[Variant, ...]] = {}

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
        tuned = make_tuned(
            self._context, self._pruned.beside(point.prune), backend, Untuned(untuned, variant), rung, dense
        )
        if tuned.candidates:
            self._tuned_parents |= {each.id: each for each in tuned.candidates[:-1]}
            return tuned.candidates[-1]
        failed = begin(backend, point.scheme, replace(variant, slug=f"{variant.slug}-{rung}"), untuned)
        return mark_failed(failed, tuned.note or "no step of the fine-tuning answered more like the model")

    def _variant(self, point: PointSettings) -> Variant:
        model = self._pruned.model(point.prune)
        if point.tokens == NONE:
            return model.dense
        key = (point.prune, point.tokens)
        with self._made_by_one(key):
            if key not in self._variants:
                self._variants[key] = make_variants(self._context, model, parse_any_plan(point.tokens))
        return next(each for each in self._variants[key] if each.form in (None, point.form))

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
        ms = measurement.latency_ms.p50
        if dense and dense.p50_ms and len(candidate.contributions) == self._steps_from_dense(candidate):
            ms = dense.p50_ms * math.prod(step.ms_after / step.ms_before for step in candidate.contributions)
        spread = median_interval(measurement.samples_ms)
        scale = ms / measurement.latency_ms.p50
        return Estimate(ms, min(ms, scale * spread.low), max(ms, scale * spread.high), "measured")

    def _steps_from_dense(self, candidate: Candidate) -> int:
        """Of which one is not among the contributions where a parent was not timed, because it lost too much."""
        known = self._tuned_parents | {each.id: each for each in self.candidates.values()}
        steps = 0
        while candidate.parent:
            candidate, steps = known[candidate.parent], steps + 1
        return steps

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
        return divergence_from_original(self._context, self._pruned.trained, found)


def _estimate(value: float, interval: Interval | None) -> Estimate:
    if interval is None:
        return Estimate(value, value, value, "measured")
    return Estimate(value, interval.low, interval.high, "measured")
