"""Everything that a spec names, resolved once and checked before anything heavy starts."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from edgevit.backends import Backend, all_backends, check_makers, check_scheme, check_size, get_backend
from edgevit.data.calibration_warnings import calibration_warnings
from edgevit.data.class_order import IMAGENET_CLASSES, imagenet_order
from edgevit.data.images import NOISE, ImageSet, Samples, open_images, order_sha256, set_sha256, sorted_digests
from edgevit.data.labels_file import read_labels
from edgevit.data.output_labels import match_labels
from edgevit.data.sampling import (
    DEFAULT_CALIBRATION_SAMPLES,
    RunData,
    TuningImages,
    check_images,
    choose_data,
    refuse_overlap,
    sample_images,
    split_for_tuning,
)
from edgevit.devices.device import Device, load_device
from edgevit.distillation.accelerator import find_device
from edgevit.errors import UsageError
from edgevit.measure.host import check_threads, has_precision, host_fingerprint
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.captured import is_captured
from edgevit.model.class_names import imagenet_class_names
from edgevit.model.factory import source_files
from edgevit.model.load import Model, load_model, sample_logits, weights_sha256
from edgevit.quantization.policy import Target
from edgevit.results.artifact import Preprocessing
from edgevit.results.contract import Contract, names_by_output
from edgevit.results.document import to_document
from edgevit.results.measurement import Host
from edgevit.results.run import CalibrationRecord, EvaluationRecord
from edgevit.run.folder import RunFolder
from edgevit.run.packages import tool_versions
from edgevit.run.progress import Progress
from edgevit.spec.recipe import IntegerIo
from edgevit.spec.schemes import AUTO as AUTO_SCHEME
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import ModelSpec, Spec
from edgevit.spec.token_plan import AUTO, FORMS, Form, Plan, check_form, parse_plans
from edgevit.tokens.plan import check_plan, check_searchable, is_reducible
from edgevit.version import __version__

NOISE_SAMPLES = 16
"""Synthetic images to verify with when a run has no real ones."""

_QUICK_IMAGES = 20
"""At least so many images for a quick run, where there are as many."""
_QUICK_CALIBRATION = 32
"""At most so many calibration images for a quick run, unless the spec says how many."""

RequestedPlan = Plan | Literal["auto"]


@dataclass(frozen=True)
class Inputs:
    """What a run works with."""

    spec: Spec
    backends: tuple[Backend, ...]
    devices: tuple[Device, ...]
    """To predict latency and memory for."""
    host: Host
    model: Model
    """As the user brought it; its module is left untouched."""
    teacher: Model | None
    """To distill from; None where the spec does not ask for it."""
    training_images: ImageSet | None
    """To distill with."""
    tuning_images: TuningImages | None
    """To fine-tune with; None where the spec does not ask for it."""
    training_device: str
    """What fine-tuning runs on, as torch names it."""
    data: RunData
    calibration_record: CalibrationRecord | None
    plans: tuple[RequestedPlan, ...]
    """Token plans, each for a candidate of its own."""
    forms: tuple[Form, ...]
    """How graphs may select tokens."""
    class_names: tuple[str, ...] = ()
    """Name of the class of each output, for artifacts to carry; none where nobody named them all."""

    def contract(self, preprocessing: Preprocessing, scheme: str) -> Contract:
        """Returns what an artifact of the run carries.

        Args:
            preprocessing: Of the variant that it is made from.
            scheme: Of its numerics.
        """
        return Contract(preprocessing, "NCHW", self.class_names, scheme, self.spec.sha256, __version__)

    @cached_property
    def images(self) -> Samples:
        """Images that artifacts are verified with, and evaluated on where there are labels; synthetic if none were given."""
        images = self.data.evaluation or self.data.calibration
        return images.samples if images else open_images(f"{NOISE}:{NOISE_SAMPLES}").samples

    @property
    def labels(self) -> tuple[int, ...] | None:
        """Class index of each of ``images``; None where there are none."""
        return self.data.evaluation.labels if self.data.evaluation else None

    @property
    def has_real_images(self) -> bool:
        """Whether ``images`` are real, so that agreement on them means something."""
        return self.data.evaluation is not None or self.data.calibration is not None

    @property
    def evaluation_record(self) -> EvaluationRecord | None:
        """What accuracy is taken on; None without evaluation images."""
        images = self.data.evaluation
        if images is None:
            return None
        classes = images.classes.index if images.classes else {}
        return EvaluationRecord(images.source, classes, self.spec.data.class_offset, images.notes)

    @property
    def calibration(self) -> Samples | None:
        """Images that quantizers are calibrated with."""
        return self.data.calibration.samples if self.data.calibration else None

    def target(self, transformer: bool) -> Target:
        """What artifacts are made for, as far as quantization depends on it.

        Args:
            transformer: Whether the captured model is a transformer.
        """
        return target_of(transformer, self.devices, self.host, self.spec.quantize.integer_io)

    def schemes(self, automatic: tuple[str, ...]) -> tuple[str, ...]:
        """Schemes to quantize in: those of the spec, or the automatic ones, as far as they fit its integer I/O."""
        possible = tuple(name for name in automatic if has_precision(SCHEMES[name].precision, self.host.isa))
        names = possible if self.is_automatic else self.spec.export.schemes
        if self.spec.quantize.integer_io != "none":
            names = tuple(filter(_fits_integer_io, names))
        return tuple(name for name in names if name != "fp32")

    @cached_property
    def searches_tokens(self) -> bool:
        """Whether a plan that is searched for may remove tokens; else it can only make the image smaller.

        Finding that out may take a capture of the model.
        """
        return is_reducible(self.model.module, self.model.preprocessing.input_size)

    @property
    def is_automatic(self) -> bool:
        """Whether the policy chooses the scheme."""
        return self.spec.export.schemes == (AUTO_SCHEME,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the weights and images: what of them was left out, and a poor calibration set."""
        sets = (self.data.evaluation, self.data.calibration)
        left_out = (note for images in sets if images for note in images.notes)
        calibration = self.calibration_record.warnings if self.calibration_record else ()
        return tuple(dict.fromkeys((*self.model.notes, *left_out, *calibration)))

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns what has to be known of these inputs to read the results."""
        evaluation, calibration = self.data.evaluation, self.data.calibration
        notes = list(self.warnings)
        if self.model.random_weights:
            notes.append("random weights: accuracy is not reported")
        elif evaluation is None:
            notes.append("no evaluation images: accuracy is not reported")
        elif evaluation.labels is None:
            notes.append("no labels: candidates are judged by agreement with the float model")
        if self.spec.quick:
            notes.append(
                "quick: a first look on a fifth of the images, without distillation, token plans, rewrites before int8, the"
                " repair ladder and the final round; a whole run may find faster and more accurate candidates"
            )
        if evaluation is None and calibration is not None:
            notes.append("candidates are judged by agreement with the float model on the calibration images")
        schemes = self.spec.export.schemes
        if calibration is None and any(name == AUTO_SCHEME or SCHEMES[name].calibrated for name in schemes):
            notes.append("no calibration images: static schemes were not possible")
        return tuple(notes)


def open_inputs(spec: Spec, progress: Progress) -> Inputs:
    """Resolves every name of a spec, opens its images, and loads its models.

    Args:
        spec: What to do.
        progress: Progress callback.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit together.
    """
    check_threads(spec.measure.threads)
    backends, host = _open_backends(spec), host_fingerprint(spec.measure.threads)
    _check_precisions(spec, host)
    _check_images_asked(spec)
    devices = tuple(map(load_device, spec.devices))
    model = open_model(spec.model, spec.seed)
    for backend in backends:
        check_size(backend, model.params)
    data = _open_data(spec, model, progress)
    teacher, training_images = _open_teacher(spec, model, data)
    plans = () if spec.quick else parse_plans(spec.passes.tokens)
    check_plans(plans, model, data)
    return Inputs(
        spec=spec,
        backends=backends,
        devices=devices,
        host=host,
        model=model,
        teacher=teacher,
        training_images=training_images,
        tuning_images=_open_tuning_images(spec, data, progress),
        training_device=find_device(spec.finetune.accelerator) if spec.finetune.rungs else "cpu",
        data=data,
        calibration_record=_record_calibration(data, spec.seed, progress),
        plans=plans,
        forms=FORMS if spec.passes.form == "auto" else (spec.passes.form,),
        class_names=_class_names(spec, model, data),
    )


def _class_names(spec: Spec, model: Model, data: RunData) -> tuple[str, ...]:
    """The names of a labels file, else of class folders, else those of the model itself."""
    if spec.export.labels is not None:
        return read_labels(spec.export.labels, model.num_classes)
    order = data.evaluation.classes if data.evaluation else None
    if order is None:
        return model.class_names
    if model.num_classes == IMAGENET_CLASSES and imagenet_order(tuple(order.index)):
        return imagenet_class_names()
    return names_by_output(order.index, model.num_classes) or model.class_names


def target_of(transformer: bool, devices: tuple[Device, ...], host: Host, integer_io: IntegerIo = "none") -> Target:
    """Returns what artifacts are made for, as far as quantization depends on it.

    Args:
        transformer: Whether the captured model is a transformer.
        devices: That artifacts are for.
        host: That they are made on.
        integer_io: Number format of their input and output.
    """
    return Target("transformer" if transformer else "cnn", bool(_npus(devices)), integer_io, host.isa)


def open_model(spec: ModelSpec, seed: int) -> Model:
    """Loads a model, unless its name or its weights are an exported artifact.

    Raises:
        UsageError: they are, or the model cannot be loaded; see :func:`edgevit.model.load.load_model`.
    """
    for given in (spec.name, spec.weights):
        if given is not None:
            _refuse_artifact(Path(given))
    return load_model(spec, seed)


def input_files(spec: Spec) -> tuple[Path, ...]:
    """Returns the files that hold the weights of a run; they must not change while it goes on."""
    models = [spec.model, *([spec.passes.distill.teacher] if spec.passes.distill else [])]
    bundled = [BUNDLED_MODELS[model.name].weights for model in models if model.name in BUNDLED_MODELS]
    programs = [Path(model.name) for model in models if is_captured(model.name)]
    weights = [model.weights for model in models if model.weights]
    return (*bundled, *(file for file in (*programs, *weights) if file.is_file()))


def pin_inputs(folder: RunFolder, inputs: Inputs) -> None:
    """Ties a run to all that its stages read, so that a resumed one cannot mix two.

    That is this version of edgevit and of what it runs on, this machine, the images in their order with their ids and
    labels, and each model: its weights, its preprocessing, and of a factory its source and what it computes.

    Raises:
        UsageError: the run began with others; names what.
    """
    folder.pin("version of edgevit", __version__)
    folder.pin("names of the classes", json.dumps(inputs.class_names))
    folder.pin("processor", _machine(inputs.host))
    folder.pin_each("installed versions", {"Python": inputs.host.python, **tool_versions()})
    tuning = inputs.tuning_images
    sets: dict[str, ImageSet | None] = {
        "evaluation": inputs.data.evaluation,
        "calibration": inputs.data.calibration,
        "training": inputs.training_images,
        "fine-tuning": tuning.train if tuning else None,
        "kept-apart": tuning.kept if tuning else None,
    }
    for name, images in sets.items():
        if images is not None:
            folder.pin(f"{name} images", order_sha256(images))
    models = {"model": inputs.model, "teacher": inputs.teacher}
    for role, model in models.items():
        if model is not None:
            _pin_model(folder, role, model)


def _pin_model(folder: RunFolder, role: str, model: Model) -> None:
    if ":" in model.name:
        folder.pin_files(f"source of the {role}", source_files(model.name))
        folder.pin_numbers(f"output of the {role}", sample_logits(model))
    if not model.random_weights:  # the seed makes those, but for rounding
        folder.pin(f"weights of the {role}", weights_sha256(model.module))
    folder.pin(f"preprocessing of the {role}", json.dumps(to_document(model.preprocessing), indent=1))


def _machine(host: Host) -> str:
    return f"{host.cpu}, {host.cores} cores, {' '.join(host.isa)}"


def check_plans(plans: tuple[RequestedPlan, ...], model: Model, data: RunData) -> None:
    """Refuses token plans that a model cannot carry out.

    Raises:
        UsageError: says which and why.
    """
    for plan in plans:
        if plan != AUTO:
            check_plan(model.module, plan, model.preprocessing.input_size)
        else:
            check_searchable(model.module, model.preprocessing.input_size)
            if data.evaluation is None and data.calibration is None:
                raise UsageError(
                    "--tokens auto needs images to see what plans lose",
                    "give --data, best with labels, or --calibration",
                )


def _npus(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    return tuple(device for device in devices if device.needs_static_int8)


def _open_backends(spec: Spec) -> tuple[Backend, ...]:
    backends = tuple({backend.name: backend for backend in map(get_backend, spec.export.backends)}.values())
    if not backends:
        raise UsageError("no backend is asked for", "give --export onnx,openvino,tflite")
    if spec.quantize.integer_io != "none":
        _check_integer_io(spec, backends)
    for backend in backends:
        check_makers(backend)
        for scheme in spec.export.schemes:
            if scheme != AUTO_SCHEME:
                check_scheme(backend, scheme)
    return backends


def _check_precisions(spec: Spec, host: Host) -> None:
    for name in spec.export.schemes:
        if name != AUTO_SCHEME and not has_precision(SCHEMES[name].precision, host.isa):
            raise UsageError(
                f"{name} needs a processor with {SCHEMES[name].precision}; {host.cpu} has none",
                "leave it out of --scheme, or run on one that has it",
            )


def _check_images_asked(spec: Spec) -> None:
    """Refuses, before a model is loaded, schemes and sources that do not fit together."""
    if spec.model.random_weights and spec.data.evaluation:
        raise UsageError("accuracy of random weights is not reported", "leave out --data, or give weights")
    calibrated = [name for name in spec.export.schemes if name != AUTO_SCHEME and SCHEMES[name].calibrated]
    if calibrated and spec.data.calibration is None:
        raise UsageError(
            f"{calibrated[0]} needs images to calibrate with",
            "give --calibration: a source, or a part of --data such as 20%",
        )
    check_form(spec.passes.form, parse_plans(spec.passes.tokens))


def _check_integer_io(spec: Spec, backends: tuple[Backend, ...]) -> None:
    for backend in backends:
        if not backend.has_integer_io:
            raise UsageError(
                f"{backend.title} artifacts have float inputs and outputs",
                "integer I/O works only with --export tflite",
            )
    others = [name for name in spec.export.schemes if name != AUTO_SCHEME and not _fits_integer_io(name)]
    if others:
        raise UsageError(f"integer I/O needs static int8, not {others[0]}", "give --scheme static_wi8_ai8")


def _fits_integer_io(scheme: str) -> bool:
    return SCHEMES[scheme].numerics == "int8_static"


def _refuse_artifact(file: Path) -> None:
    for backend in all_backends():
        if file.suffix.lower() == backend.suffix:
            raise UsageError(
                f"{file} is a file for {backend.title}, not a PyTorch model or its weights",
                "to compress, name the PyTorch model and give its float checkpoint: MODEL --weights FILE;"
                f" `edgevit inspect {file}`, and eval and bench, take the file as it is",
            )


def _open_data(spec: Spec, model: Model, progress: Progress) -> RunData:
    data = choose_data(
        spec.data.evaluation,
        spec.data.calibration,
        spec.data.samples,
        spec.data.calibration_samples,
        spec.seed,
        _QUICK_CALIBRATION if spec.quick else DEFAULT_CALIBRATION_SAMPLES,
    )
    if data.evaluation:
        data = replace(data, evaluation=match_labels(data.evaluation, model.num_classes, spec.data.class_offset))
    if spec.quick and data.evaluation:
        count = max(len(data.evaluation) // 5, min(len(data.evaluation), _QUICK_IMAGES))
        data = replace(data, evaluation=sample_images(data.evaluation, count, spec.seed, "evaluation"))
    for images, name in ((data.evaluation, "evaluation"), (data.calibration, "calibration")):
        if images is not None:
            # labels of calibration images stay as their source has them: they may count from 1
            classes = model.num_classes + (spec.data.class_offset == -1)
            check_images(images, classes, functools.partial(progress.stage, f"check {name} images"))
    return data


def _open_teacher(spec: Spec, model: Model, data: RunData) -> tuple[Model | None, ImageSet | None]:
    """The teacher to distill from and the images to do it with, which share none with the others."""
    if spec.passes.distill is None or spec.quick:
        return None, None
    for role, name in (("student", spec.model.name), ("teacher", spec.passes.distill.teacher.name)):
        if is_captured(name):
            raise UsageError(
                f"the {role} {name} is a captured program, which takes one image at a time: it cannot be in a distillation",
                "name the model that it was captured from: timm's name, or package.module:factory",
            )
    teacher = open_model(spec.passes.distill.teacher, seed=0)
    if teacher.num_classes != model.num_classes:
        raise UsageError(
            f"the teacher has {teacher.num_classes} classes, the model {model.num_classes}",
            "give a teacher of the same classes",
        )
    assert spec.data.train is not None  # a spec with a teacher has it
    images = open_images(spec.data.train, "training")
    for other in (data.evaluation, data.calibration):
        if other is not None:
            refuse_overlap(other, images, "training")
    return teacher, images


def _open_tuning_images(spec: Spec, data: RunData, progress: Progress) -> TuningImages | None:
    """The images to fine-tune with: of the calibration source, or others, and none that candidates are judged on."""
    if not spec.finetune.rungs or spec.quick:
        return None
    if spec.data.train is None and data.calibration is None:
        raise UsageError("fine-tuning needs images, without labels", "give --calibration, or --train")
    if spec.data.train is None and data.evaluation is None:
        raise UsageError(
            "fine-tuning would train on the calibration images, on which candidates are judged here",
            "give other images: --data to judge on, or --train to train on",
        )
    images = _tuning_source(spec, data)
    judging = data.evaluation or data.calibration
    if judging is not None:
        refuse_overlap(judging, images, "training")
    split = split_for_tuning(images, spec.seed)
    for part in (split.train, split.kept):
        check_images(replace(part, labels=None), 1, functools.partial(progress.stage, "check images to fine-tune with"))
    return split


def _tuning_source(spec: Spec, data: RunData) -> ImageSet:
    """All images of ``--train``, or of the calibration source unless it is a part of the evaluation images."""
    if spec.data.train is not None:
        return open_images(spec.data.train, "training")
    assert data.calibration is not None
    if data.evaluation is not None and data.calibration.source == data.evaluation.source:
        return data.calibration
    return open_images(data.calibration.source, "training")


def _record_calibration(data: RunData, seed: int, progress: Progress) -> CalibrationRecord | None:
    images = data.calibration
    if images is None:
        return None
    warnings = calibration_warnings(images, functools.partial(progress.stage, "look for calibration warnings"))
    return CalibrationRecord(
        source=images.source,
        ids=images.ids,
        sha256=set_sha256(images),
        seed=seed,
        images_sha256=sorted_digests(images),
        count=len(images),
        warnings=warnings,
    )
