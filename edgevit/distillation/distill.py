"""Trains a model on the predictions of a teacher, on labels, or on both.

Teacher and student see the same augmented view of each image, without which long training does not help: Beyer et al.,
"Knowledge distillation: A good teacher is patient and consistent", CVPR 2022. The losses are in
:mod:`edgevit.distillation.losses`. The weights of the look that is best on images kept apart are taken.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edgevit.data.images import open_samples
from edgevit.distillation.checkpoint import load_checkpoint, save_checkpoint
from edgevit.distillation.distill_job import Distilled, DistillJob, LabelledImages
from edgevit.distillation.kept_images import Images, KeptImages
from edgevit.distillation.processes import Group, join_group, launched, run_in_processes
from edgevit.distillation.student_gradients import StudentGradients
from edgevit.distillation.teacher import Teacher
from edgevit.distillation.train_data import Batches, TrainingViews
from edgevit.distillation.training import Look, Score, Training, TrainingPlan
from edgevit.distillation.training_log import LOG, TrainingLog
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.load import Model, load_model
from edgevit.model.save import save_weights
from edgevit.model.user_code import user_code
from edgevit.results.artifact import Preprocessing
from edgevit.results.distillation import DistillPoint, Evaluated, TopOne
from edgevit.results.document import to_document
from edgevit.results.proportions import PairedCounts, paired_difference_interval, proportion_interval
from edgevit.spec.spec import DistillSpec
from edgevit.spec.token_plan import NONE, parse_plan
from edgevit.tokens.plan import carry_out
from edgevit.tokens.reduction import ReducedModel

RATE, RATE_FROM_SCRATCH = 3e-5, 1e-3
"""Largest of the schedule where none is given."""
LAST_GOOD = "last-good.safetensors"
"""The best weights of a training that failed, beside where its weights would have been."""
_MOST_LOOKS = 100
_MOST_WORKERS = 8


def distill(job: DistillJob) -> Distilled:
    """Trains a student; one seed gives equal weights on one machine, as long as the numbers of threads and processes stay.

    One that was stopped goes on where its checkpoint is, beside ``job.weights``.

    Raises:
        UsageError: models or images cannot be read, or there is nothing to train.
        CandidateFailed: the loss, the gradients or the predictions are not finite; the best weights before are kept.
    """
    if job.settings.processes > 1 and launched()[1] == 1:
        threads = max(1, job.threads // job.settings.processes)
        found: Distilled = run_in_processes(_distill, replace(job, threads=threads), job.settings.processes)
        return found
    return _distill(job)


def _distill(job: DistillJob) -> Distilled:
    sys.path.extend(place for place in job.search_path if place not in sys.path)
    torch.set_num_threads(job.threads)
    group = join_group(job.device)
    student = open_student(job)
    module = student.module.to(group.device)
    teacher = Teacher(load_model(job.settings.teacher), group.device) if job.settings.teacher else None
    with user_code(f"training {student.model.name}"):
        return _Distillation(job, group, student.model, module, student.preprocessing, teacher).carry_out()


@dataclass(frozen=True)
class Student:
    """A model to train."""

    model: Model
    """As it begins."""
    module: nn.Module
    """What is trained: ``model.module`` itself, or in it one that reduces its tokens."""
    preprocessing: Preprocessing
    """Of ``module``."""


def open_student(job: DistillJob) -> Student:
    """Loads the student of a job with all its parameters to be trained, and carries out its token plan."""
    model = load_model(job.student, job.seed, as_initialized=True)
    module, size = model.module, model.preprocessing.input_size
    if job.tokens != NONE:
        reduced = carry_out(module, parse_plan(job.tokens), "gather", size)
        module, size = reduced.module, reduced.input_size
    return Student(model, module.requires_grad_(True), replace(model.preprocessing, input_size=size))


@dataclass(frozen=True)
class _Distillation:
    """See :func:`distill`."""

    job: DistillJob
    group: Group
    model: Model
    module: nn.Module
    contract: Preprocessing
    """Of ``module``."""
    teacher: Teacher | None

    def carry_out(self) -> Distilled:
        job, group = self.job, self.group
        labels = self._labels
        kept = KeptImages(self.module, self._kept, self.contract, group, self._taught)
        batches = Batches(
            len(job.images), job.settings.batch_size, job.settings.epochs, job.seed, group.rank, group.size
        )
        views = TrainingViews(job.images.samples, self._view, job.settings.augmentation, job.seed)
        gradients = StudentGradients(
            self.module,
            self.contract,
            self.teacher,
            views,
            batches,
            labels,
            classes=self.model.num_classes,
            settings=job.settings,
            seed=job.seed,
            group=group,
            workers=min(_MOST_WORKERS, job.threads),
        )
        before = self._correct(job.evaluation)
        values = self.module.state_dict(keep_vars=True)
        training = Training(values, self._groups(), self._plan(batches), gradients.scaler)
        checkpoint, key = job.weights.with_suffix(".checkpoint"), _key(job)
        log = TrainingLog(job.weights.with_name(LOG), job.tensorboard)

        def looked() -> None:
            if group.rank == 0:
                log.write(_points(training.curve, batches.steps_per_epoch))

        training.run(
            gradients,
            kept.score,
            lambda state: save_checkpoint(checkpoint, key, state) if group.rank == 0 else None,
            load_checkpoint(checkpoint, key),
            on_look=looked,
        )
        self._set(training.best)
        if training.failed:
            if group.rank == 0:
                self._save(job.weights.with_name(LAST_GOOD))
            raise CandidateFailed(
                f"training stopped: {training.note}; the best weights before, of step {training.best_step}, are in"
                f" {job.weights.with_name(LAST_GOOD)}",
                f"try a learning rate below {self._rate:g}: --set distill.learning_rate={self._rate / 3:.1g}",
            )
        if group.rank == 0:
            self._save(job.weights)
        evaluated = self._evaluated(before)
        group.wait()
        checkpoint.unlink(missing_ok=True)
        return Distilled(
            weights=job.weights,
            steps=training.done,
            best_step=training.best_step,
            seconds=training.seconds,
            curve=_points(training.curve, batches.steps_per_epoch),
            evaluated=evaluated,
            notes=(*self.model.notes, *([training.note] if training.note else [])),
        )

    @property
    def _labels(self) -> Tensor | None:
        """int64 [n] of the training images; None where they are not used."""
        given = self.job.images.labels
        return None if given is None or not self._uses_labels else torch.tensor(given)

    @property
    def _uses_labels(self) -> bool:
        return self.teacher is None or self.job.settings.use_labels == "auto"

    @property
    def _kept(self) -> LabelledImages:
        return self.job.kept if self._uses_labels else replace(self.job.kept, labels=None)

    @property
    def _view(self) -> Preprocessing:
        """Views are as large as the larger of the two models needs them."""
        mine = self.contract.input_size
        theirs = self.teacher.preprocessing.input_size if self.teacher else mine
        return replace(self.contract, input_size=(max(mine[0], theirs[0]), max(mine[1], theirs[1])))

    @property
    def _rate(self) -> float:
        from_scratch = self.model.random_weights
        return self.job.settings.learning_rate or (RATE_FROM_SCRATCH if from_scratch else RATE)

    def _plan(self, batches: Batches) -> TrainingPlan:
        settings, kept = self.job.settings, self._kept
        has_labels = kept.labels is not None

        def describe(score: Score) -> str:
            on_kept = f"of {len(kept)} images kept apart"
            return f"top-1 {1 - score[0]:.1%} {on_kept}" if has_labels else f"KL {score[0]:.4f} {on_kept}"

        return TrainingPlan(
            what="training",
            steps=batches.steps_per_epoch * settings.epochs,
            looks=min(settings.epochs, _MOST_LOOKS),
            learning_rate=self._rate,
            weight_decay=settings.weight_decay,
            warmup_share=settings.warmup_share,
            patience=settings.patience,
            describe=describe,
            no_better=f"no better on the images kept apart in {settings.patience} looks",
        )

    def _groups(self) -> list[dict[str, object]]:
        from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined]

        trained = [value for value in self.module.parameters() if value.requires_grad]
        if not trained:
            raise UsageError(f"{self.model.name} has nothing to train", "freeze fewer blocks")
        groups: list[dict[str, object]] = param_groups_weight_decay(self.module, self.job.settings.weight_decay)
        return groups

    def _set(self, weights: dict[str, Tensor]) -> None:
        self.module.load_state_dict(weights)

    def _save(self, file: Path) -> None:
        save_weights(self.module.original if isinstance(self.module, ReducedModel) else self.module, file)

    def _taught(self, images: LabelledImages) -> Tensor:
        assert self.teacher is not None  # without a teacher images have labels
        return Images(images, self.teacher.preprocessing).logits(self.teacher.module, self.group.device)

    def _correct(self, images: LabelledImages | None, *, of_teacher: bool = False) -> Tensor | None:
        """Whether each image is recognized, bool [n]; None where nothing is to be evaluated, or by another process."""
        if images is None or images.labels is None or self.group.rank:
            return None
        if of_teacher:
            logits = self._taught(images)
        else:
            logits = Images(images, self.contract).logits(self.module, self.group.device)
        return logits.argmax(dim=1) == torch.tensor(images.labels)

    def _evaluated(self, before: Tensor | None) -> Evaluated | None:
        after = self._correct(self.job.evaluation)
        if before is None or after is None:
            return None
        teacher = self._correct(self.job.evaluation, of_teacher=True) if self.teacher else None
        counts = PairedCounts(
            both=int((before & after).sum()),
            first_only=int((after & ~before).sum()),
            second_only=int((before & ~after).sum()),
            neither=int((~before & ~after).sum()),
        )
        gain = paired_difference_interval(counts)
        return Evaluated(
            images=len(after),
            before=_top_one(before),
            after=_top_one(after),
            gain=replace(gain, low=100 * gain.low, high=100 * gain.high),
            teacher=None if teacher is None else _top_one(teacher),
        )


def _top_one(correct: Tensor) -> TopOne:
    found, count = int(correct.sum()), len(correct)
    return TopOne(found / count, proportion_interval(found, count))


def _points(curve: Sequence[Look], steps_per_epoch: int) -> tuple[DistillPoint, ...]:
    return tuple(
        DistillPoint(
            step=look.step,
            epoch=look.step / steps_per_epoch,
            loss=None if math.isnan(look.loss) else look.loss,
            learning_rate=look.learning_rate,
            kept_loss=look.score[-1],
            kept_top1=1 - look.score[0] if len(look.score) == 2 else None,
        )
        for look in curve
    )


def _key(job: DistillJob) -> str:
    """Of all that the weights depend on."""
    return hashlib.sha256(json.dumps(to_document(job), sort_keys=True).encode()).hexdigest()
