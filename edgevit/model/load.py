"""Loads a model: a bundled one, any of timm, one of transformers, a user's own ``package.module:factory``, or a captured program."""

from __future__ import annotations

import hashlib
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from edgevit.data.class_embeddings import ClassEmbeddings, read_class_embeddings
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.captured import load_captured
from edgevit.model.class_names import own_class_names
from edgevit.model.factory import call_factory
from edgevit.model.names import LOCAL, TRANSFORMERS, folder_of, has_own_weights, kind_of
from edgevit.model.own_preprocessing import preprocessing_of
from edgevit.model.program.outputs import NamedOutputs, OnlyLogits, as_rows, named_tensors, outputs_of, unwrapped
from edgevit.model.quantized import refuse_quantized_module, shortened
from edgevit.model.random_weights import randomize
from edgevit.model.timm_models import check_timm_folder, check_timm_name, timm_model
from edgevit.model.transformers_models import check_transformers, transformers_model
from edgevit.model.user_code import user_code
from edgevit.model.weights import load_weights, refuse_non_finite, refuse_unusual_storage
from edgevit.model.zero_shot import zero_shot_classifier
from edgevit.results.artifact import Preprocessing
from edgevit.results.output import LOGITS, Output, classifier_outputs, is_classifier
from edgevit.run.progress import Silent
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.input_file import require_file
from edgevit.spec.spec import ModelSpec


@dataclass(frozen=True)
class Model:
    """A PyTorch model and what its images need."""

    name: str
    module: nn.Module
    """In eval mode, float32, on the CPU: float32 [n, channels, h, w] to logits float32 [n, classes], or, of a model that is no
    classifier, to each output float32 [n, ...] by name."""
    preprocessing: Preprocessing
    num_classes: int
    """0 of a model that is no classifier."""
    random_weights: bool
    notes: tuple[str, ...] = ()
    """What has to be known of the choice of its weights."""
    class_names: tuple[str, ...] = ()
    """Name of the class of each output, where it states them itself."""
    named_outputs: tuple[Output, ...] = ()
    """Of a model that is no classifier."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Returns what it gives for one image."""
        return self.named_outputs or classifier_outputs(self.num_classes)

    @property
    def params(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.module.parameters())


@dataclass(frozen=True)
class LoadJob:
    """A model to load on trial."""

    spec: ModelSpec
    seed: int
    search_path: tuple[str, ...]
    """Where the parent finds modules."""


@dataclass(frozen=True)
class Loaded:
    """What is told of a model that could be loaded."""

    num_classes: int


def load_model(spec: ModelSpec, seed: int = 0, *, as_initialized: bool = False) -> Model:
    """Builds the module, loads its weights and reads its preprocessing.

    A factory is called in a child process first, with a time limit: what it may do there, crash or never end, cannot
    harm this process.

    Args:
        spec: Which model, and where its weights come from.
        seed: Of random weights, so that a run can be repeated.
        as_initialized: Leaves random weights as the module initializes them, for training; else what begins as zeros or ones
            is random, too, for verification.

    Returns:
        The model in eval mode, float32, on the CPU, without gradients.

    Raises:
        UsageError: unknown name, no source of weights, weights that cannot be read, do not fit, are quantized already
            or hold NaN or infinity, preprocessing that neither the model nor the spec states, or a factory that raises,
            exits, crashes or does not end.
    """
    _check_source(spec)
    if kind_of(spec.name) == "factory":
        _try_in_child(LoadJob(spec, seed, tuple(filter(None, sys.path))))
    return _load(spec, seed, as_initialized)


def load_on_trial(job: LoadJob) -> Loaded:
    """Loads a model in the child process that this is called in; raises what :func:`load_model` does."""
    sys.path.extend(place for place in job.search_path if place not in sys.path)
    model = _load(job.spec, job.seed)
    if job.spec.pretrained:
        torch.manual_seed(job.seed + 1)
        again = call_factory(job.spec.name, job.spec.num_classes, pretrained=True)
        _check_own_weights(job.spec.name, unwrapped(model.module), again.float())
    return Loaded(model.num_classes)


def _try_in_child(job: LoadJob) -> None:
    limit = job.spec.factory_seconds
    try:
        with child_runner(Silent(), limit) as children:
            children.run(f"call {job.spec.name}", Task(load_on_trial, job, Loaded))
    except CandidateFailed as error:
        reason = error.message.removeprefix("load on trial: ")
        raise UsageError(
            f"{job.spec.name} cannot be called: {reason}",
            f"a factory has {limit:g} s, more with --set model.factory_seconds=…"
            if "no result within" in reason
            else error.hint or "call it in Python first, and correct what ends the process",
        ) from error


def weights_sha256(module: nn.Module) -> str:
    """Returns the sha256, in hexadecimal, of all parameters and buffers of a module: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def classifier_modules(module: nn.Module) -> tuple[str, ...]:
    """Returns the names of the modules that are the classifier of a model of timm, which its ``pretrained_cfg`` states."""
    config = getattr(module, "pretrained_cfg", None)
    named = config.get("classifier") if isinstance(config, dict) else None
    return (named,) if isinstance(named, str) else tuple(named or ())


def sample_logits(model: Model) -> tuple[float, ...]:
    """Returns the outputs for a fixed random image, by which a model that computes something else is told.

    Raises:
        UsageError: the model raises an error.
    """
    contract = model.preprocessing
    image = torch.rand(1, contract.channels, *contract.input_size, generator=torch.Generator().manual_seed(0))
    with user_code(f"running {model.name}"), torch.inference_mode():
        return tuple(as_rows(model.module(image))[0].tolist())


def _check_source(spec: ModelSpec) -> None:
    kind = kind_of(spec.name)
    if kind == "captured":
        _check_captured(spec)
        return
    if kind == "timm":
        check_timm_name(spec.name)
    elif kind == "local":
        check_timm_folder(spec.name)
    elif kind == "transformers":
        check_transformers(spec.name)
    _check_download(spec)
    if not has_own_weights(spec.name) and not (spec.weights or spec.pretrained or spec.random_weights):
        meaning = "the factory loads its own" if kind == "factory" else "needs the network"
        raise UsageError(
            f"where do the weights of {spec.name} come from?",
            f"give --weights FILE, --pretrained ({meaning}) or --random-weights",
        )
    if spec.features_only and (spec.weights or ":" in spec.name or spec.name in BUNDLED_MODELS):
        what = "with --weights" if spec.weights else f"of {spec.name}"
        raise UsageError(
            f"features_only {what} is not possible: timm makes such a model by its own name, with other names of weights",
            "return the maps from a module of your own: package.module:factory, which loads its weights, with --pretrained",
        )
    if spec.weights:
        require_file(spec.weights, "weights file", "give a safetensors file, or a torch file that holds a state dict")
    elif spec.no_ema:
        raise UsageError("--no-ema chooses among the weights of a file, and none is given", "give --weights FILE")


def _check_download(spec: ModelSpec) -> None:
    """Refuses a repository unless the user said that it may be downloaded: its configuration is not on this machine either."""
    kind = kind_of(spec.name)
    if spec.pretrained or kind not in ("hub", "transformers") or folder_of(spec.name) is not None:
        return
    start, _, repository = spec.name.partition(":")
    copy = f"{LOCAL}FOLDER" if kind == "hub" else f"{TRANSFORMERS}FOLDER"
    raise UsageError(
        f"{spec.name} is a repository: its configuration and weights would be downloaded from huggingface.co/{repository}",
        f"allow that with --pretrained, or name a local copy of it, {copy}; {start} names have no other weights",
    )


def _check_captured(spec: ModelSpec) -> None:
    others = {"weights": spec.weights, "pretrained": spec.pretrained, "random_weights": spec.random_weights}
    given = [
        name
        for name, value in {**others, "num_classes": spec.num_classes, "features_only": spec.features_only}.items()
        if value
    ]
    if given:
        raise UsageError(
            f"{spec.name} is a captured program, which has its weights and classes", f"leave out {', '.join(given)}"
        )


def _make(spec: ModelSpec, classes: ClassEmbeddings | None) -> nn.Module:
    match kind_of(spec.name):
        case "captured":
            return load_captured(Path(spec.name))
        case "factory":
            return call_factory(spec.name, spec.num_classes, pretrained=spec.pretrained)
        case "bundled":
            return _bundled(spec)
        case "transformers":
            return transformers_model(spec)
        case _:
            return timm_model(spec, classes.width if classes else None)


def _load(spec: ModelSpec, seed: int, as_initialized: bool = False) -> Model:
    classes = None if spec.class_embeddings is None else read_class_embeddings(spec.class_embeddings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _make(spec, classes)
    refuse_quantized_module(module, spec.name)
    notes: tuple[str, ...] = ()
    if spec.weights:
        without = classifier_modules(module) if spec.num_classes == 0 else ()
        notes = load_weights(module, spec.weights, no_ema=spec.no_ema, without=without)
    elif spec.name in BUNDLED_MODELS and not spec.random_weights:
        load_weights(module, BUNDLED_MODELS[spec.name].weights)
    with user_code(f"preparing {spec.name}"):
        module = module.float().eval().requires_grad_(False)
    refuse_unusual_storage(module, str(spec.weights or spec.name))
    refuse_non_finite(module, str(spec.weights or spec.name))
    preprocessing = preprocessing_of(module, spec.name, spec.preprocessing)
    given = _run_once(spec.name, module, preprocessing)
    if classes is not None:
        module, outputs = (
            zero_shot_classifier(module, given, classes, spec.name),
            classifier_outputs(len(classes.names)),
        )
        notes = (
            *notes,
            f"a zero-shot classifier: cosines with {len(classes.names)} embeddings, times {classes.logit_scale:g}",
        )
    else:
        module, outputs = _by_kind(module, given, is_embedding=spec.num_classes == 0)
    count = outputs[0].shape[0] if is_classifier(outputs) else 0
    if spec.random_weights and not as_initialized:
        with user_code(f"running {spec.name}"):
            randomize(module, preprocessing.input_size, seed, preprocessing.channels)
        refuse_non_finite(module, spec.name)
    names = classes.names if classes else own_class_names(unwrapped(module), spec, count) if count else ()
    return Model(
        name=spec.name,
        module=module,
        preprocessing=preprocessing,
        num_classes=count,
        random_weights=spec.random_weights,
        notes=notes,
        class_names=names,
        named_outputs=() if count else outputs,
    )


def _check_own_weights(name: str, module: nn.Module, again: nn.Module) -> None:
    """Refuses a factory whose module has other weights at each call: then it does not load them.

    Args:
        name: Of the factory.
        module: What it returned.
        again: What it returned with another seed.

    Raises:
        UsageError: names the first tensors that differ.
    """
    mine, others = module.state_dict(), again.state_dict()
    random = [
        key
        for key, value in mine.items()
        if isinstance(value, torch.Tensor)
        and not (key in others and value.shape == others[key].shape and torch.equal(value, others[key]))
    ]
    if random:
        raise UsageError(
            f"{name} does not load all its weights: {len(random)} tensors differ from call to call: {shortened(random)}",
            "let it load them, or give --weights FILE; --random-weights is for trying out",
        )


def _bundled(spec: ModelSpec) -> nn.Module:
    if spec.pretrained or spec.num_classes not in (None, 10):
        raise UsageError(
            f"{spec.name} is bundled with its weights and 10 classes", "leave out --pretrained and num_classes"
        )
    module_name, _, factory_name = BUNDLED_MODELS[spec.name].factory.partition(":")
    return cast(nn.Module, getattr(importlib.import_module(module_name), factory_name)())


def _run_once(name: str, module: nn.Module, preprocessing: Preprocessing) -> Any:
    """Runs the module once on zeros and returns whatever it returns."""
    height, width = preprocessing.input_size
    channels = preprocessing.channels
    doing = f"{name} does not take an image [1, {channels}, {height}, {width}]"
    hint = "is input_size right? if it is, correct the forward of the model"
    try:
        with user_code(doing, hint), torch.inference_mode():
            return module(torch.zeros(1, channels, height, width))
    except UsageError as error:
        others = _other_channels(module, preprocessing)
        if others is None:
            raise
        raise UsageError(
            f"{name} takes images of {others} channel{'s'[: others > 1]}, not {channels}",
            f"say so, with mean and std of as many: --set model.preprocessing.channels={others}",
        ) from error


def _by_kind(module: nn.Module, given: Any, *, is_embedding: bool) -> tuple[nn.Module, tuple[Output, ...]]:
    """A module by what it returned for one image: a classifier as one that returns logits, any other with its outputs named.

    A classifier returns one row for an image, alone or as "logits" of a mapping; one that says of itself that it has no classes
    returns features.

    Raises:
        UsageError: what it returned is no output of a model.
    """
    tensors = named_tensors(given)
    (name, first), *others = tensors.items()
    is_row = first.ndim == 2 and first.shape[0] == 1 and first.is_floating_point() and not others
    no_classes = is_embedding or (getattr(module, "num_classes", None) == 0)
    if is_row and not no_classes and isinstance(given, torch.Tensor):
        return module, classifier_outputs(first.shape[1])
    if is_row and not no_classes and name == LOGITS:
        return OnlyLogits(module), classifier_outputs(first.shape[1])
    return NamedOutputs(module), outputs_of(given)


def _other_channels(module: nn.Module, preprocessing: Preprocessing) -> int | None:
    """The number of channels that a module takes in place of those that are stated; None if it takes none of the usual."""
    for channels in {1, 2, 3, 4} - {preprocessing.channels}:
        try:
            with user_code("trying other channels"), torch.inference_mode():
                module(torch.zeros(1, channels, *preprocessing.input_size))
        except UsageError:
            continue
        return channels
    return None
