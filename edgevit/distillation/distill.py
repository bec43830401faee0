"""Trains a model on the predictions of a teacher, on labels, or on both.

Teacher and student see the same augmented view of each image, without which long training does not help: Beyer et al.,
"Knowledge distillation: A good teacher is patient and consistent", CVPR 2022. The losses are in
:mod:`edgevit.distillation.losses`. The weights of the look that is best on images kept apart are taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from edgevit.distillation.checkpoint import load_checkpoint, save_checkpoint
from edgevit.distillation.distill_job import Distilled, DistillJob, LabelledImages
from edgevit.distillation.features import check_features
from edgevit.distillation.kept_images import Images, KeptImages
from edgevit.distillation.parameters import parameter_groups
from edgevit.distillation.processes import Group, join_group, launched, processes_here, run_in_processes
from edgevit.distillation.student import Student, open_student, prepare_student
from edgevit.distillation.student_gradients import StudentGradients
from edgevit.distillation.teacher import Teacher
from edgevit.distillation.teacher_cache import MOST_KEPT, CacheKey, TeacherCache
from edgevit.distillation.train_data import Batches, TrainingData, TrainingViews
from edgevit.distillation.training import Look, Score, Training, TrainingPlan
from edgevit.distillation.training_log import LOG, TrainingLog
from edgevit.errors import CandidateFailed
from edgevit.model.load import Model, load_model, weights_sha256
from edgevit.model.program.outputs import unwrapped
from edgevit.model.save import save_weights
from edgevit.model.user_code import user_code
from edgevit.results.artifact import Preprocessing
from edgevit.results.distillation import DistillPoint, Evaluated, TopOne
from edgevit.results.document import to_document
from edgevit.results.proportions import PairedCounts, paired_difference_interval, proportion_interval

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
        found: Distilled = run_in_processes(_distill, job, job.settings.processes)
        return found
    return _distill(job)


def _distill(job: DistillJob) -> Distilled:
    sys.path.extend(place for place in job.search_path if place not in sys.path)
    job = replace(job, threads=max(1, job.threads // processes_here()))
    torch.set_num_threads(job.threads)
    group = join_group(job.device)
    model = open_student(job.student, job.settings, job.seed)
    teacher = load_model(job.settings.teacher) if job.settings.teacher else None
    with user_code(f"training {model.name}"):
        return train_student(job, prepare_student(model, job.settings, job.tokens), teacher, group)


def train_student(job: DistillJob, student: Student, teacher: Model | None, group: Group) -> Distilled:
    """Trains a student that is loaded, in place; see :func:`distill`.

    Args:
        job: What to train it on, and how.
        student: Its parameters that ask for gradients are trained.
        teacher: To learn from; None for labels alone.
        group: The processes that train together.
    """
    cache = open_cache(job, student, teacher) if teacher else None
    key = _key(job, student, teacher)
    student.module.to(group.device)
    taught_by = Teacher(teacher, group.device, cache) if teacher else None
    if taught_by and job.settings.feature_weight:
        check_features(student, taught_by, group.device)
    return _Distillation(job, group, student, taught_by, _view(student, teacher), key).carry_out()


def open_cache(job: DistillJob, student: Student, teacher: Model) -> TeacherCache | None:
    """Opens the folder that keeps the predictions of a teacher, or makes it; None where the job asks for none.

    Raises:
        DiskFull: the disk does not have the room.
        UsageError: there is a folder of another kind in its place.
    """
    settings = job.settings
    if settings.teacher_cache is None:
        return None
    views = [to_document(_view(student, teacher)), settings.augmentation.model_dump(mode="json"), job.seed]
    key = CacheKey(
        teacher=teacher.name,
        teacher_sha256=weights_sha256(teacher.module),
        preprocessing=teacher.preprocessing,
        images_sha256=job.images_sha256,
        images=len(job.images),
        views=json.dumps(views, sort_keys=True),
        classes=teacher.num_classes,
        kept=min(MOST_KEPT, teacher.num_classes),
    )
    return TeacherCache(settings.teacher_cache, key, settings.epochs)


def _view(student: Student, teacher: Model | None) -> Preprocessing:
    """Views are as large as the larger of the two models needs them."""
    mine = student.preprocessing.input_size
    theirs = teacher.preprocessing.input_size if teacher else mine
    return replace(student.preprocessing, input_size=(max(mine[0], theirs[0]), max(mine[1], theirs[1])))


@dataclass(frozen=True)
class _Distillation:
    """See :func:`distill`."""

    job: DistillJob
    group: Group
    student: Student
    teacher: Teacher | None
    view: Preprocessing
    """Of the views that both see."""
    key: str
    """Of all that the weights depend on."""

    def carry_out(self) -> Distilled:
        job, group, student = self.job, self.group, self.student
        settings = job.settings
        kept = KeptImages(student.module, self._kept, student.preprocessing, group, self._taught)
        batches = Batches(len(job.images), settings.batch_size, settings.epochs, job.seed, group.rank, group.size)
        data = TrainingData(
            views=TrainingViews(job.images.samples, self.view, settings.augmentation, job.seed),
            batches=batches,
            labels=self._labels,
            workers=min(_MOST_WORKERS, job.threads),
        )
        gradients = StudentGradients(student, self.teacher, data, settings, job.seed, group)
        before = self._correct(job.evaluation)
        groups = parameter_groups(unwrapped(student.original), settings.weight_decay, settings.layer_decay)
        training = Training(student.module.state_dict(keep_vars=True), groups, self._plan(batches), gradients.scaler)
        checkpoint, key = job.weights.with_suffix(".checkpoint"), self.key
        log = TrainingLog(job.weights.with_name(LOG), job.tensorboard)

        def looked() -> None:
            if group.rank == 0:
                log.write(_points(training.curve, batches.steps_per_epoch))

        with contextlib.closing(gradients):
            training.run(
                gradients,
                kept.score,
                lambda state: save_checkpoint(checkpoint, key, state) if group.rank == 0 else None,
                group.share(load_checkpoint(checkpoint, key) if group.rank == 0 else None),
                on_look=looked,
            )
        student.module.load_state_dict(training.best)
        if training.failed:
            if group.rank == 0:
                save_weights(student.original, job.weights.with_name(LAST_GOOD))
            raise CandidateFailed(
                f"training stopped: {training.note}; the best weights before, of step {training.best_step}, are in"
                f" {job.weights.with_name(LAST_GOOD)}",
                f"try a learning rate below {self._rate:g}: --set distill.learning_rate={self._rate / 3:.1g}",
            )
        if group.rank == 0:
            save_weights(student.original, job.weights)
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
            notes=(*student.notes, *([training.note] if training.note else [])),
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
    def _rate(self) -> float:
        start = RATE_FROM_SCRATCH if self.job.student.random_weights else RATE
        return self.job.settings.learning_rate or start

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
            logits = Images(images, self.student.preprocessing).logits(self.student.module, self.group.device)
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


def _key(job: DistillJob, student: Student, teacher: Model | None) -> str:
    """Of all that the weights depend on, but for the number of threads."""
    alike = replace(job, weights=Path(), tensorboard=None, search_path=(), evaluation=None, threads=1)
    models = [weights_sha256(student.module), weights_sha256(teacher.module) if teacher else ""]
    return hashlib.sha256(json.dumps([to_document(alike), models], sort_keys=True).encode()).hexdigest()
