"""Makes fine-tuned candidates, and compares each with the untuned one: by the answers of their files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.backends import Backend
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.distillation.finetune_job import Finetuned
from edgevit.errors import CandidateFailed, UsageError
from edgevit.pipeline.candidate import build
from edgevit.pipeline.choose import mark_rejected
from edgevit.pipeline.context import Alternatives, RunContext, Variant
from edgevit.pipeline.finetuning import Untuned, keep_weights, tune, tuned_variant, tuning_teacher
from edgevit.pipeline.images import tuning_images
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.tasks import inference_task, reference_task
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Candidate
from edgevit.results.finetune import Finetune
from edgevit.results.measurement import Interval
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Rung

_SHARE = 0.5
"""Of the run's minutes; fine-tuning begins no later, for what it makes has to be exported, quantized and measured."""

_LITTLE = 0.1
"""Share by which int8 may raise a divergence for training to leave it out; see :meth:`_Tuning._int8_adds_little`."""

_LEAST_VIEWS = 240
"""Of all images kept apart together, that tell files apart: where there are fewer images, centre crops of them count, too."""
_SMALLEST_CROP = 0.5
"""Of the height and width of what the model takes."""


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning a candidate gave."""

    candidates: tuple[Candidate, ...] = ()
    """The tuned one last, after the float one that it was quantized from; none where no step was better."""
    replaced: Candidate | None = None
    """The untuned one, where the tuned one takes its place."""
    record: Finetune | None = None
    """None where it could not be tuned."""
    note: str = ""
    """Why it could not be tuned."""


def candidate_to_tune(alternatives: Alternatives, candidates: tuple[Candidate, ...]) -> Untuned | None:
    """Returns the candidate of a plan that is worth tuning: the fastest of the int8 ones, or of the float ones if there are none.

    Args:
        alternatives: The variants of the plan.
        candidates: Made from them.
    """
    variants = {variant.slug: variant for variant in alternatives}
    made = [c for c in candidates if c.artifact is not None and c.id.rpartition("/")[2] in variants]
    integers = [c for c in made if SCHEMES[c.scheme].is_int8 and c.recipe is not None]
    floats = [c for c in made if c.scheme == "fp32" and c.status != "failed"]
    best = min(integers or floats, key=lambda candidate: candidate.p50_ms or float("inf"), default=None)
    return Untuned(best, variants[best.id.rpartition("/")[2]]) if best else None


def make_tuned(
    context: RunContext, trained: TrainedModel, backend: Backend, untuned: Untuned, rung: Rung, dense: Candidate
) -> Tuned:
    """Fine-tunes a candidate, and makes it again with the tuned weights by the recipe that it has.

    An int8 candidate is trained with its int8 simulated, unless int8 adds little to what the plan diverges by: then in
    float, once for all backends.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; it is the teacher.
        backend: Of the candidate.
        untuned: What to tune.
        rung: How much is trained.
        dense: The backend's dense float candidate.
    """
    return _Tuning(context, trained, backend, untuned, rung).carry_out(dense)


@dataclass(frozen=True)
class _Tuning:
    """See :func:`make_tuned`."""

    context: RunContext
    trained: TrainedModel
    backend: Backend
    untuned: Untuned
    rung: Rung

    def carry_out(self, dense: Candidate) -> Tuned:
        if not self.context.deadline.has_time(_SHARE):
            return self._not_tuned("too few of the run's minutes were left")
        try:
            tuning = replace(self, untuned=replace(self.untuned, in_float=self._int8_adds_little()))
            found = tune(self.context, self.trained, self.backend, tuning.untuned, self.rung)
        except (CandidateFailed, UsageError) as error:
            return self._not_tuned(error.message)
        return tuning._made_again(found, dense)

    def _int8_adds_little(self) -> bool:
        """Whether int8 raises the divergence of a plan by no more than a little, as far as the images kept apart can tell.

        Rounding changes which tokens stay, which makes the answers of single images better or worse by chance.
        """
        candidate, variant = self.untuned.candidate, self.untuned.variant
        if not SCHEMES[candidate.scheme].is_int8 or variant.plan is None:
            return False
        in_int8, in_float = self._divergences(candidate, variant), self._divergences_in_float(variant)
        return bool(_mean_interval(in_int8 - in_float).low <= _LITTLE * in_float.mean())

    def _made_again(self, found: Finetuned, dense: Candidate) -> Tuned:
        """The candidates with the weights found, and whether they are better."""
        if not found.images_seen:
            return Tuned(record=self._record(found, np.full(2, found.curve[0].divergence), Interval(0.0, 0.0)))
        variant = tuned_variant(self.context, self.trained, self.untuned, self.rung, found.weights)
        made = self._make(variant, dense)
        if made[-1].artifact is None or made[-1].scheme != self.untuned.candidate.scheme:
            return Tuned(made, note=f"{self._name}, but could not be made again with the weights found")
        return self._compared(found, variant, made)

    @property
    def _name(self) -> str:
        return f"{self.untuned.candidate.id} was fine-tuned ({self.rung})"

    def _not_tuned(self, why: str) -> Tuned:
        note = f"{self.untuned.candidate.id} was not fine-tuned ({self.rung}): {why}"
        self.context.stages.progress.message(note)
        return Tuned(note=note)

    def _make(self, variant: Variant, dense: Candidate) -> tuple[Candidate, ...]:
        """The float candidate with the tuned weights and, unless that failed or is what was tuned, the quantized one."""
        before = self.untuned.candidate
        parent = build(self.context, self.backend, "fp32", variant, dense if variant.is_compressed else None)
        if before.scheme == "fp32" or parent.status == "failed":
            return (parent,)
        recipe = before.recipe
        if recipe is not None and self.untuned.simulates_int8:
            recipe = recipe.after_tuning(corrects_biases=self.backend.arithmetic.corrects_biases)
        return parent, build(self.context, self.backend, before.scheme, variant, parent, recipe)

    def _compared(self, found: Finetuned, variant: Variant, made: tuple[Candidate, ...]) -> Tuned:
        before, after = self.untuned.candidate, made[-1]
        pair = [self._divergences(before, self.untuned.variant), self._divergences(after, variant)]
        means, change = np.array([each.mean() for each in pair]), _mean_interval(pair[1] - pair[0])
        if change.high >= 0:
            words = f"KL {means[0]:.4f} untuned, {means[1]:.4f} tuned"
            why = f"does not answer more like the model than {before.id}, beyond chance: {words}"
            return Tuned((*made[:-1], mark_rejected(after, why)), record=self._record(found, means, change, after.id))
        weights = keep_weights(self.context, self.trained, self.untuned, self.rung, found.weights)
        replaced = None
        if before.status == after.status == "ok":
            replaced = mark_rejected(before, f"replaced by {after.id}, which answers more like the model")
        return Tuned(made, replaced, self._record(found, means, change, after.id, weights))

    def _record(
        self, found: Finetuned, means: np.ndarray, change: Interval, tuned: str = "", weights: Path | None = None
    ) -> Finetune:
        """What came of it; ``means`` are the divergences before and after, in nats."""
        images = self.context.inputs.tuning_images
        assert images is not None
        return Finetune(
            variant=self.untuned.variant.slug,
            rung=self.rung,
            images=len(images.train),
            kept=len(images.kept),
            images_seen=found.images_seen,
            seconds=found.seconds,
            before=float(means[0]),
            after=float(means[1]),
            change=change,
            weights=self.context.stages.folder.relative(weights) if weights else None,
            curve=found.curve,
            note=found.note,
            untuned=self.untuned.candidate.id,
            tuned=tuned,
            teacher=tuning_teacher(self.context, self.trained).name,
            simulated=self.untuned.candidate.scheme if self.untuned.simulates_int8 else "",
        )

    def _divergences(self, candidate: Candidate, variant: Variant) -> np.ndarray:
        """KL(teacher || candidate) of each image kept apart, in nats, float64 [n]: of PyTorch's answers and the file's."""
        return np.asarray(np.mean([self._of_views(candidate, variant, crop) for crop in self._crops()], axis=0))

    def _divergences_in_float(self, variant: Variant) -> np.ndarray:
        """KL(teacher || variant) of each image kept apart, in nats, float64 [n]: of PyTorch's answers."""
        found = [
            divergences(
                self._teacher_logits(crop),
                self._reference_logits(variant.slug, variant.program, variant.preprocessing, crop),
            )
            for crop in self._crops()
        ]
        return np.asarray(np.mean(found, axis=0))

    def _crops(self) -> tuple[float, ...]:
        """Shares of height and width at which each image kept apart is looked at, 1 first."""
        images = self.context.inputs.tuning_images
        assert images is not None
        return tuple(np.linspace(1.0, _SMALLEST_CROP, -(-_LEAST_VIEWS // len(images.kept))).round(3).tolist())

    def _of_views(self, candidate: Candidate, variant: Variant, crop: float) -> np.ndarray:
        stages = self.context.stages
        assert candidate.artifact is not None
        inference = InferenceJob(
            backend=self.backend.name,
            artifact=stages.folder.path / candidate.artifact.path,
            images=self._kept_apart(variant.preprocessing, crop),
            threads=self.context.inputs.spec.measure.threads,
            precision=SCHEMES[candidate.scheme].precision,
            logits=stages.folder.work(f"{candidate.id.replace('/', '--')}.{_kept(crop)}.npy"),
        )
        stage = f"evaluate {candidate.id} on the images kept apart{_of(crop)}"
        found = stages.run_in_child(stage, candidate.id, inference_task(inference))
        return divergences(self._teacher_logits(crop), read_rows(found.logits))

    def _teacher_logits(self, crop: float) -> np.ndarray:
        """Of the images kept apart, float32 [n, classes]."""
        teacher = tuning_teacher(self.context, self.trained)
        return self._reference_logits(teacher.name or "dense", teacher.program, teacher.preprocessing, crop)

    def _reference_logits(self, name: str, program: Path, preprocessing: Preprocessing, crop: float) -> np.ndarray:
        """Of the images kept apart, by a captured program in PyTorch, float32 [n, classes]."""
        stages = self.context.stages
        logits = stages.folder.work(f"{name}.{_kept(crop)}.logits.npy")
        job = ReferenceJob(program, self._kept_apart(preprocessing, crop), logits)
        stage = f"evaluate {name} on the images kept apart{_of(crop)}"
        return read_rows(stages.run_in_child(stage, "pytorch-kept-apart", reference_task(job)).logits)

    def _kept_apart(self, preprocessing: Preprocessing, crop: float) -> PreparedImages:
        images = self.context.inputs.tuning_images
        assert images is not None
        closer = replace(preprocessing, crop_pct=crop * preprocessing.crop_pct)
        return tuning_images(self.context.stages, images.kept.samples, closer)


def _kept(crop: float) -> str:
    """Part of a file's name."""
    return "kept-apart" if crop == 1 else f"kept-apart-{crop:g}"


def _of(crop: float) -> str:
    return "" if crop == 1 else f", {crop:.0%} of each"


def divergences(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns KL(expected || found) of the predictions for each image in nats, float64 [n].

    Args:
        expected: Logits, float [n, classes].
        found: Logits, float [n, classes].
    """
    from scipy.special import log_softmax  # takes a second to import

    p, q = (log_softmax(np.asarray(logits, np.float64), axis=1) for logits in (expected, found))
    return np.asarray((np.exp(p) * (p - q)).sum(axis=1))


def _mean_interval(values: np.ndarray) -> Interval:
    """95 % bootstrap interval of a mean."""
    if np.all(values == values[0]):
        return Interval(float(values[0]), float(values[0]))
    from scipy.stats import bootstrap  # takes a second to import

    found = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    return Interval(float(found.low), float(found.high))
