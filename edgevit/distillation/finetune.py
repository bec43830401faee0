"""Label-free fine-tuning: trains a compressed model to answer like the dense float one that it was made from.

Self-distillation on a few unlabelled images: KL divergence of the predictions (Hinton et al. 2015, at temperature 1) and
squared error of the features that the last layer reads (Romero et al., "FitNets", 2015), both on the same augmented
views (Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022). The step that answers
most like the teacher on images kept apart is taken.
"""

from __future__ import annotations

import hashlib
import json
import math
from concurrent.futures import ThreadPoolExecutor

import torch
from safetensors.torch import save_file
from torch import nn

from edgevit.distillation.checkpoint import load_checkpoint, save_checkpoint
from edgevit.distillation.finetune_job import Finetuned, FinetuneJob, FinetuneSettings, Parameters
from edgevit.distillation.gradients import Gradients
from edgevit.distillation.judge import Judge
from edgevit.distillation.parameters import is_small
from edgevit.distillation.training import Groups, Training, TrainingPlan
from edgevit.errors import UsageError
from edgevit.model.program.capture import load_program
from edgevit.model.program.trainable import Trainable
from edgevit.quantization.simulate import simulate
from edgevit.results.document import to_document
from edgevit.results.finetune import FinetunePoint

_WEIGHT_DECAY = 0.01
_WARMUP_SHARE = 0.05
_LOOKS = 10
"""At the images kept apart, after equal numbers of steps."""


def finetune(job: FinetuneJob) -> Finetuned:
    """Tunes a model; one seed gives equal weights on one machine, whatever the number of threads, unless time runs out.

    One that was stopped goes on after its last look at the images kept apart.

    Raises:
        UsageError: it has no parameter to train.
        CandidateFailed: its predictions or its loss are not finite at once, or its int8 numbers cannot be simulated.
    """
    threads = job.settings.threads if job.settings.device == "cpu" else 1
    with ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        return _finetune(job, pool)


def _finetune(job: FinetuneJob, pool: ThreadPoolExecutor) -> Finetuned:
    settings, checkpoint = job.settings, job.weights.with_suffix(".checkpoint")
    torch.backends.cudnn.allow_tf32 = (
        False  # GPUs would round what convolutions read to 10 bits, nearly as coarse as int8
    )
    teacher, student = Trainable(load_program(job.teacher)), Trainable(load_program(job.student))
    ranges = simulate(student.graph, job.int8.scheme, job.int8.calibration.array()) if job.int8 else None
    teacher.move_to(settings.device)
    student.move_to(settings.device)
    trained = _choose_parameters(student, settings.parameters)
    judge, training = Judge(teacher, student, job, pool), Training(trained, _groups(trained), _plan(settings))
    key = hashlib.sha256(json.dumps(to_document(job), sort_keys=True).encode()).hexdigest()
    training.run(
        Gradients(teacher, student, list(trained.values()), job, pool),
        lambda: (judge.divergence(),),
        lambda state: save_checkpoint(checkpoint, key, state),
        load_checkpoint(checkpoint, key),
        ranges.measure if ranges else lambda: None,
    )
    save_file(training.best, job.weights)
    checkpoint.unlink(missing_ok=True)
    return Finetuned(
        weights=job.weights,
        images_seen=training.best_step * settings.batch_size,
        seconds=training.seconds,
        curve=tuple(FinetunePoint(look.step * settings.batch_size, look.score[0]) for look in training.curve),
        note=training.note,
    )


def _plan(settings: FinetuneSettings) -> TrainingPlan:
    return TrainingPlan(
        what="fine-tuning",
        steps=math.ceil(settings.images_seen / settings.batch_size),
        looks=_LOOKS,
        learning_rate=settings.learning_rate,
        weight_decay=_WEIGHT_DECAY,
        warmup_share=_WARMUP_SHARE,
        patience=settings.patience,
        describe=lambda score: f"divergence on images kept apart {score[0]:.4f}",
        no_better="the divergence no longer fell",
        max_seconds=settings.max_seconds,
        goes_back=True,
    )


def _groups(trained: dict[str, nn.Parameter]) -> Groups:
    weights = [value for value in trained.values() if not is_small(value)]
    small = [value for value in trained.values() if is_small(value)]
    return [{"params": weights}, {"params": small, "weight_decay": 0.0}]


def _choose_parameters(student: Trainable, which: Parameters) -> dict[str, nn.Parameter]:
    trained = {name: value for name, value in student.parameters.items() if which == "all" or is_small(value)}
    if not trained:
        raise UsageError("the model has no parameter to fine-tune", "give --finetune none")
    for value in trained.values():
        value.requires_grad_(True)
    return trained
