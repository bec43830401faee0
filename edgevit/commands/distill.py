"""Trains a model on the predictions of a teacher, on labels or on both: weights, a document, a log and a picture."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from edgevit import units
from edgevit.data.images import set_sha256
from edgevit.data.output_place import check_output_place
from edgevit.distillation.distill import open_cache
from edgevit.distillation.parameters import parameter_groups
from edgevit.distillation.processes import check_accelerate, launched
from edgevit.distillation.student import prepare_student
from edgevit.distillation.student_gradients import find_precision
from edgevit.distillation.train_data import check_augmentation
from edgevit.distillation.training_log import check_tensorboard
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint
from edgevit.model.program.outputs import unwrapped
from edgevit.pipeline.classifier_only import check_kind
from edgevit.pipeline.data_inputs import open_data, open_training_images
from edgevit.pipeline.distilling import distill_job, training_doubts
from edgevit.pipeline.model_inputs import open_model_of, open_teacher
from edgevit.pipeline.tasks import distill_task
from edgevit.report.plots.distillation import draw_distillation
from edgevit.results.distillation import DistillReport, TrainingImages
from edgevit.results.document import from_json, to_json
from edgevit.run.files import file_sha256, new_folder, write_atomically
from edgevit.run.packages import tool_versions
from edgevit.run.progress import Progress, Silent
from edgevit.run.stages import ChildRunner
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import AUTO, NONE, parse_plans
from edgevit.version import __version__

DOCUMENT, WEIGHTS, PICTURE, LOG, EVENTS = (
    "distill.json",
    "weights.safetensors",
    "curve.png",
    "distill.log",
    "tensorboard",
)


def distill_model(
    spec: Spec, out: Path, progress: Progress, *, resume: bool = False, tensorboard: bool = False
) -> DistillReport | None:
    """Trains the model of a spec and writes what came out.

    Started by ``torchrun`` or ``accelerate launch``, the processes train together; the first alone writes into ``out``, and
    returns what was found.

    Args:
        spec: With a section ``distill``, training images, and at most one token plan.
        out: Folder for ``weights.safetensors``, ``distill.json``, ``log.csv``, ``curve.png`` where matplotlib is installed, and
            while it goes on a checkpoint.
        progress: Progress callback.
        resume: Go on with the checkpoint in ``out``, if there is one.
        tensorboard: Write a log for TensorBoard, too.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit, or ``out`` holds a result already; nothing was
            trained.
        CandidateFailed: the loss is not finite, or the process of the training failed.
    """
    progress = Silent() if launched()[0] else progress
    if (finished := _finished(spec, out, resume=resume)) is not None:
        return finished
    tokens = _check(spec, out, tensorboard=tensorboard)
    model = open_model_of(spec)
    check_kind(spec, model)
    data = open_data(spec, model, progress)
    teacher = open_teacher(spec, model)
    images = open_training_images(spec, model, data, progress)
    assert spec.distill is not None
    assert images is not None
    with _own_folder(out) as folder:
        job = distill_job(
            spec,
            images,
            folder / WEIGHTS,
            tokens=tokens,
            evaluation=data.evaluation,
            tensorboard=folder / EVENTS if tensorboard else None,
        )
        find_precision(spec.distill.precision, job.device)
        doubts = training_doubts(spec, model, images)
        for note in (*model.notes, *doubts):
            progress.message(note)
        student = prepare_student(model, spec.distill, tokens)
        check_augmentation(spec.distill.augmentation, student.preprocessing)
        parameter_groups(unwrapped(student.original), spec.distill.weight_decay, spec.distill.layer_decay)
        if teacher and (cache := open_cache(job, student, teacher)):
            progress.message(f"the teacher's predictions: up to {units.size(cache.bytes)} in {cache.folder}")
        children = ChildRunner(spec.measure.timeout_seconds, folder / LOG, progress)
        found = children.run(f"train {model.name}", distill_task(job))
        if launched()[0]:
            return None
        report = DistillReport(
            edgevit_version=__version__,
            created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            student=model.name,
            teacher=teacher.name if teacher else None,
            spec=spec.model_dump(mode="json"),
            images=TrainingImages(
                source=images.train.source,
                images=len(images.train),
                kept=len(images.kept),
                labels=images.train.labels is not None and (teacher is None or spec.distill.use_labels == "auto"),
                sha256=set_sha256(images.train),
            ),
            evaluation=found.evaluated,
            weights=WEIGHTS,
            weights_sha256=file_sha256(found.weights),
            steps=found.steps,
            best_step=found.best_step,
            seconds=found.seconds,
            device=job.device,
            curve=found.curve,
            host=host_fingerprint(spec.measure.threads),
            tool_versions=tool_versions(),
            notes=(*found.notes, *doubts),
        )
        if importlib.util.find_spec("matplotlib") is None:
            progress.message(f"no {PICTURE}: matplotlib is not installed; pip install 'edgevit[report]'")
        else:
            draw_distillation(report, folder / PICTURE)
        write_atomically(folder / DOCUMENT, to_json(report))
    return report


def _finished(spec: Spec, out: Path, *, resume: bool) -> DistillReport | None:
    """What a run that has ended found; None where there is none."""
    document = out / DOCUMENT
    if launched()[0]:
        return None
    if not resume and (out / WEIGHTS).with_suffix(".checkpoint").exists():
        raise UsageError(f"{out} holds the checkpoint of a training", "add --resume to go on, or choose another --out")
    if not document.exists():
        return None
    if not resume:
        raise UsageError(f"{out} holds a {DOCUMENT} already", "choose another --out")
    report = from_json(DistillReport, document.read_bytes())
    if report.spec != spec.model_dump(mode="json"):
        raise UsageError(f"{document} is of another training", "choose another --out, or give the options of that one")
    return report


def _check(spec: Spec, out: Path, *, tensorboard: bool) -> str:
    """Refuses what can be refused before a model is loaded; returns the token plan."""
    check_output_place(out, (spec.data.evaluation, spec.data.train))
    if spec.distill is None:
        raise UsageError("the spec has no section [distill]", "give --train, or write the section")
    if spec.quick:
        raise UsageError("quick is for compress, which leaves out distillation then", "leave it out")
    plans = parse_plans(spec.passes.tokens)
    if len(plans) > 1 or AUTO in plans:
        raise UsageError(
            f"one token plan can be trained with, not {spec.passes.tokens}", "give one, or leave out --tokens"
        )
    if tensorboard:
        check_tensorboard()
    if spec.distill.processes > 1:
        if launched()[1] > 1:
            raise UsageError(
                "--processes is given, and this process is one of several that a launcher started",
                "leave out --processes",
            )
        check_accelerate()
    return spec.passes.tokens if plans else NONE


@contextmanager
def _own_folder(out: Path) -> Iterator[Path]:
    """The folder that this process writes to: of several that train together, the first alone keeps what it writes."""
    if launched()[0]:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        with new_folder(out):
            yield out.resolve()
