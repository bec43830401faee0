"""The model and the teacher that a spec names, loaded, and the files that hold their weights."""

from __future__ import annotations

from pathlib import Path

from edgevit.backends import all_backends
from edgevit.distillation.student import open_student
from edgevit.errors import UsageError
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.load import Model, load_model
from edgevit.model.names import is_captured
from edgevit.spec.spec import ModelSpec, Spec


def open_model_of(spec: Spec) -> Model:
    """Loads the model of a spec; one that is to be trained may begin with weights that do not quite fit.

    Raises:
        UsageError: see :func:`open_model`, and :func:`edgevit.distillation.student.open_student`.
    """
    if spec.distill is None or spec.quick:
        return open_model(spec.model, spec.seed)
    _refuse_artifacts(spec.model)
    return open_student(spec.model, spec.distill, spec.seed)


def open_model(spec: ModelSpec, seed: int) -> Model:
    """Loads a model, unless its name or its weights are an exported artifact.

    Raises:
        UsageError: they are, or the model cannot be loaded; see :func:`edgevit.model.load.load_model`.
    """
    _refuse_artifacts(spec)
    return load_model(spec, seed)


def open_teacher(spec: Spec, model: Model) -> Model | None:
    """Loads the model to distill from, where the spec asks for it.

    Args:
        spec: What to do.
        model: The student.

    Raises:
        UsageError: the teacher cannot be loaded, it has other classes than the student or takes other images, or one of them cannot be trained.
    """
    if spec.distill is None or spec.quick:
        return None
    given = spec.distill.teacher
    for role, name in (("student", spec.model.name), ("teacher", given.name if given else "")):
        if is_captured(name):
            raise UsageError(
                f"the {role} {name} is a captured program, which takes one image at a time: it cannot be in a distillation",
                "name the model that it was captured from: timm's name, or package.module:factory",
            )
    if given is None:
        return None
    teacher = open_model(given, seed=0)
    if teacher.num_classes != model.num_classes:
        raise UsageError(
            f"the teacher has {teacher.num_classes} classes, the model {model.num_classes}",
            "give a teacher of the same classes",
        )
    mine, theirs = model.preprocessing, teacher.preprocessing
    if (mine.input, mine.channels) != (theirs.input, theirs.channels):
        raise UsageError(
            f"the teacher takes {theirs.channels} channels ({theirs.input}), the model {mine.channels} ({mine.input})",
            "give a teacher that takes the same images: distill.teacher.preprocessing has channels and input",
        )
    return teacher


def input_files(spec: Spec) -> tuple[Path, ...]:
    """Returns the files that hold the weights of a run, or its classes; they must not change while it goes on."""
    models = [spec.model, *([spec.distill.teacher] if spec.distill and spec.distill.teacher else [])]
    bundled = [BUNDLED_MODELS[model.name].weights for model in models if model.name in BUNDLED_MODELS]
    programs = [Path(model.name) for model in models if is_captured(model.name)]
    weights = [file for model in models for file in (model.weights, model.class_embeddings) if file]
    return (*bundled, *(file for file in (*programs, *weights) if file.is_file()))


def _refuse_artifacts(spec: ModelSpec) -> None:
    for given in (spec.name, spec.weights):
        if given is not None:
            _refuse_artifact(Path(given))


def _refuse_artifact(file: Path) -> None:
    for backend in all_backends():
        if file.suffix.lower() == backend.suffix:
            raise UsageError(
                f"{file} is a file for {backend.title}, not a PyTorch model or its weights",
                "to compress, name the PyTorch model and give its float checkpoint: MODEL --weights FILE;"
                f" `edgevit inspect {file}`, and eval and bench, take the file as it is",
            )
