"""Everything that a spec names, resolved once and checked before anything heavy starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgevit.artifacts.embed import check_embeddable
from edgevit.artifacts.metrics.metric import Metric
from edgevit.backends import Backend, check_size
from edgevit.data.images import ImageSet, Samples, open_images
from edgevit.data.noise import noise_source
from edgevit.data.sampling import RunData, TuningImages
from edgevit.devices.device import Device, load_device
from edgevit.distillation.accelerator import find_device
from edgevit.errors import UsageError
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.boards.fleet import fleet_of
from edgevit.measure.host import check_threads, has_precision, host_fingerprint
from edgevit.model.load import Model
from edgevit.pipeline.classifier_only import check_kind
from edgevit.pipeline.data_inputs import open_data, open_training_images, open_tuning_images, record_calibration
from edgevit.pipeline.export_inputs import check_float_layers, check_schemes, fits_integer_io, open_backends, target_of
from edgevit.pipeline.metric_inputs import check_metric, default_metric, open_metric, with_masks
from edgevit.pipeline.model_inputs import open_model_of, open_teacher
from edgevit.pipeline.output_names import output_names
from edgevit.pipeline.requested_plans import RequestedPlan, RequestedPruning, check_plans, check_pruning
from edgevit.pipeline.tiled_run import check_tiled_run
from edgevit.quantization.policy import Target
from edgevit.results.artifact import Preprocessing
from edgevit.results.contract import Contract
from edgevit.results.measurement import Host
from edgevit.results.run import CalibrationRecord, EvaluationRecord
from edgevit.run.progress import Progress
from edgevit.spec.pruning_plan import parse_pruning
from edgevit.spec.schemes import AUTO as AUTO_SCHEME
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import FORMS, Form, check_form, parse_plans
from edgevit.tokens.plan import is_reducible
from edgevit.version import __version__

NOISE_SAMPLES = 16
"""Synthetic images to verify with when a run has no real ones."""


@dataclass(frozen=True)
class Inputs:
    """What a run works with."""

    spec: Spec
    backends: tuple[Backend, ...]
    devices: tuple[Device, ...]
    """To predict latency and memory for."""
    boards: tuple[BoardSpec, ...]
    """To measure on, and to choose for."""
    host: Host
    model: Model
    """As the user brought it; its module is left untouched."""
    teacher: Model | None
    """To distill from; None where the spec does not ask for it."""
    training_images: TuningImages | None
    """To distill with; None where the spec does not ask for it."""
    tuning_images: TuningImages | None
    """To fine-tune with; None where the spec does not ask for it."""
    training_device: str
    """What fine-tuning runs on, as torch names it; distillation has its own."""
    data: RunData
    calibration_record: CalibrationRecord | None
    plans: tuple[RequestedPlan, ...]
    """Token plans, each for a candidate of its own."""
    pruning: RequestedPruning | None
    """What leaves the model as a whole."""
    forms: tuple[Form, ...]
    """How graphs may select tokens."""
    class_names: tuple[str, ...] = ()
    """Name of the class of each output, for artifacts to carry; none where nobody named them all."""
    metric: Metric | None = None
    """What candidates are judged by; None for top-1, or without labels agreement with the float model. Always one of a model that is
    no classifier."""

    def contract(self, preprocessing: Preprocessing, scheme: str) -> Contract:
        """Returns what an artifact of the run carries.

        Args:
            preprocessing: Of the variant that it is made from.
            scheme: Of its numerics.
        """
        embeds = self.spec.export.embed_preprocessing
        return Contract(
            preprocessing=preprocessing,
            layout="NHWC" if embeds else "NCHW",
            classes=self.class_names,
            scheme=scheme,
            spec_sha256=self.spec.sha256,
            edgevit_version=__version__,
            outputs=self.model.named_outputs,
            embeds_preprocessing=embeds,
        )

    @cached_property
    def images(self) -> Samples:
        """Images that artifacts are verified with, and evaluated on where there are labels; synthetic if none were given."""
        images = self.data.evaluation or self.data.calibration
        return images.samples if images else open_images(noise_source(NOISE_SAMPLES, self.model.preprocessing)).samples

    @property
    def labels(self) -> tuple[int, ...] | None:
        """Class index of each of ``images``; None where there are none."""
        return self.data.evaluation.labels if self.data.evaluation else None

    @property
    def targets(self) -> np.ndarray | None:
        """Labels of ``images`` as metrics read them, [n, ...], see :attr:`edgevit.data.images.ImageSet.targets`."""
        return self.data.targets

    @property
    def has_real_images(self) -> bool:
        """Whether ``images`` are real, so that agreement on them means something."""
        return self.data.evaluation is not None or self.data.calibration is not None

    @property
    def evaluation_record(self) -> EvaluationRecord | None:
        """What accuracy is taken on; None without evaluation images."""
        return self._record(self.data.evaluation) if self.data.evaluation else None

    @property
    def other_evaluations(self) -> tuple[EvaluationRecord, ...]:
        """What else candidates are scored on."""
        return tuple(map(self._record, self.data.others))

    def _record(self, images: ImageSet) -> EvaluationRecord:
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
            names = tuple(filter(fits_integer_io, names))
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
        sets = (self.data.evaluation, *self.data.others, self.data.calibration)
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
        elif self.metric:
            notes.append(f"candidates are judged by {self.metric.name}")
        elif evaluation.labels is None:
            notes.append("no labels: candidates are judged by agreement with the float model")
        if self.spec.quick:
            notes.append(
                "quick: a first look on a fifth of the images, without distillation, pruning, token plans, rewrites before int8, the"
                " repair ladder and the final round; a whole run may find faster and more accurate candidates"
            )
        if evaluation is None and calibration is not None:
            judge = self.metric.name if self.metric else "agreement with the float model"
            notes.append(f"candidates are judged by {judge} on the calibration images")
        schemes = self.spec.export.schemes
        if calibration is None and any(name == AUTO_SCHEME or SCHEMES[name].calibrated for name in schemes):
            notes.append("no calibration images: static schemes were not possible")
        return tuple(notes)


def open_inputs(spec: Spec, progress: Progress, host: Host | None = None) -> Inputs:
    """Resolves every name of a spec, opens its images, and loads its models.

    Args:
        spec: What to do.
        progress: Progress callback.
        host: The machine that candidates are measured on; this one when None.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit together.
    """
    check_threads(spec.measure.threads, host.cores if host else None)
    devices = tuple(map(load_device, spec.devices))
    asked = spec.boards
    boards = tuple(board.spec for board in fleet_of(asked.on, asked.python, 60 * asked.wait_minutes))
    backends = open_backends(spec, devices)
    host = replace(host, threads=spec.measure.threads) if host else host_fingerprint(spec.measure.threads)
    if spec.model.random_weights and spec.data.evaluation and (spec.distill is None or spec.quick):
        raise UsageError("accuracy of random weights is not reported", "leave out --data, or give weights")
    check_schemes(spec, host)
    check_form(spec.passes.form, parse_plans(spec.passes.tokens))
    metric = open_metric(spec)
    model = open_model_of(spec)
    check_kind(spec, model)
    check_float_layers(spec, model)
    metric = metric or default_metric(spec, model)
    for backend in backends:
        check_size(backend, model.params)
    if spec.export.embed_preprocessing:
        check_embeddable(model.preprocessing)
    check_tiled_run(spec, model)
    data = with_masks(spec, model, open_data(spec, model, progress))
    check_metric(spec, model, data)
    teacher = open_teacher(spec, model)
    plans = () if spec.quick else parse_plans(spec.passes.tokens)
    check_plans(plans, model, data)
    pruning = None if spec.quick else parse_pruning(spec.passes.prune)
    check_pruning(pruning, model, data)
    return Inputs(
        spec=spec,
        backends=backends,
        devices=devices,
        boards=boards,
        host=host,
        model=model,
        teacher=teacher,
        training_images=open_training_images(spec, model, data, progress),
        tuning_images=open_tuning_images(spec, model, data, progress),
        training_device=find_device(spec.finetune.accelerator) if spec.finetune.rungs else "cpu",
        data=data,
        calibration_record=record_calibration(data, spec.seed, progress),
        plans=plans,
        pruning=pruning,
        forms=FORMS if spec.passes.form == "auto" else (spec.passes.form,),
        class_names=output_names(spec, model, data),
        metric=metric,
    )
