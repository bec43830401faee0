"""What a run is tied to, so that a resumed one cannot mix two."""

from __future__ import annotations

import hashlib
import json

from edgevit.data.images import ImageSet, order_sha256
from edgevit.model.load import Model, sample_logits, weights_sha256
from edgevit.model.names import kind_of
from edgevit.model.user_names import own_code, source_files
from edgevit.pipeline.inputs import Inputs
from edgevit.results.document import to_document
from edgevit.results.measurement import Host
from edgevit.run.folder import RunFolder
from edgevit.run.packages import tool_versions
from edgevit.version import __version__


def pin_inputs(folder: RunFolder, inputs: Inputs) -> None:
    """Ties a run to all that its stages read, so that a resumed one cannot mix two.

    That is this version of edgevit and of what it runs on, this machine, the images in their order with their ids and
    labels, each model: its weights, its preprocessing, and of a factory its source and what it computes, and the source of
    a metric of the user's own.

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
        "training": inputs.training_images.train if inputs.training_images else None,
        "training, kept apart": inputs.training_images.kept if inputs.training_images else None,
        "fine-tuning": tuning.train if tuning else None,
        "kept-apart": tuning.kept if tuning else None,
    }
    sets |= {f"evaluation-{number}": images for number, images in enumerate(inputs.data.others, 2)}
    for name, images in sets.items():
        if images is not None:
            folder.pin(f"{name} images", order_sha256(images))
    if inputs.data.masks is not None:
        folder.pin("masks", hashlib.sha256(inputs.data.masks.tobytes()).hexdigest())
    if inputs.metric and ":" in inputs.metric.name:
        if not inputs.metric.name.startswith("__main__:"):  # a script may well be edited to resume the run
            folder.pin_files("source of the metric", source_files(inputs.metric.name))
        folder.pin("code of the metric", own_code(inputs.metric.name))
    models = {"model": inputs.model, "teacher": inputs.teacher}
    for role, model in models.items():
        if model is not None:
            _pin_model(folder, role, model)


def _pin_model(folder: RunFolder, role: str, model: Model) -> None:
    if kind_of(model.name) == "factory":
        folder.pin_files(f"source of the {role}", source_files(model.name))
        folder.pin_numbers(f"output of the {role}", sample_logits(model))
    if not model.random_weights:  # the seed makes those, but for rounding
        folder.pin(f"weights of the {role}", weights_sha256(model.module))
    folder.pin(f"preprocessing of the {role}", json.dumps(to_document(model.preprocessing), indent=1))


def _machine(host: Host) -> str:
    return f"{host.cpu}, {host.cores} cores, {' '.join(host.isa)}"
