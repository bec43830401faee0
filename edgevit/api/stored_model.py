"""A module given in memory, written once so that any process can load it."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save as safetensors_bytes
from torch import nn

from edgevit.api.overrides import overrides_of_model
from edgevit.errors import UsageError
from edgevit.model.captured import save_captured
from edgevit.model.class_names import stated_class_names
from edgevit.model.load import load_model, weights_sha256
from edgevit.model.own_preprocessing import preprocessing_of
from edgevit.model.program.outputs import NamedOutputs, unwrapped
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.user_code import user_code
from edgevit.results.artifact import Preprocessing
from edgevit.run.files import write_atomically
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides


def stored_model(
    module: nn.Module, preprocessing: Preprocessing | None, folder: Path, *, no_classes: bool = False
) -> ModelSpec:
    """Writes a module: a model of timm as its name and its weights, any other as a captured program.

    Args:
        module: float32 [n, channels, h, w] to logits [n, classes], or to other outputs; left as it is.
        preprocessing: Of its images; that which timm's configuration of the module states when None.
        folder: Where to write; an equal module is written once.
        no_classes: Whether a row that it returns is features and no logits; so it is where ``module.num_classes`` is 0.

    Raises:
        UsageError: it states no preprocessing and none is given, or it cannot be captured.
        DiskFull: there is no space left.
    """
    own = copy.deepcopy(module).cpu().float().eval().requires_grad_(False)
    name = type(module).__name__
    contract = preprocessing or preprocessing_of(own, name, PreprocessingOverrides())
    overrides = overrides_of_model(contract)
    digest = hashlib.sha256(f"{name} {weights_sha256(own)}".encode()).hexdigest()[:16]
    described = _by_name(own, overrides, folder / f"{name}-{digest}.safetensors") or _as_program(
        own, overrides, folder / f"{name}-{digest}.pt2"
    )
    embeds = no_classes or getattr(own, "num_classes", None) == 0
    return described.model_copy(update={"num_classes": 0}) if embeds else described


def class_names_of(module: nn.Module, spec: ModelSpec) -> tuple[str, ...]:
    """Returns the names of the classes that a module states itself, see :func:`stated_class_names`; it is run once.

    Args:
        module: Left as it is.
        spec: What :func:`stored_model` returned for it.

    Returns:
        One for each output of a classifier; none where it states fewer or more, or none.
    """
    size = spec.preprocessing.input_size
    assert size is not None
    own = copy.deepcopy(module).cpu().float().eval()
    with torch.inference_mode():
        answer = own(torch.zeros(1, spec.preprocessing.channels or 3, *size))
    answer = getattr(answer, "logits", answer)
    is_row = isinstance(answer, torch.Tensor) and answer.dim() == 2 and spec.num_classes != 0
    return stated_class_names(own, answer.shape[1]) if is_row else ()


def _by_name(module: nn.Module, overrides: PreprocessingOverrides, weights: Path) -> ModelSpec | None:
    """A model that timm makes under the same name computes the same; None where there is none."""
    ensure_torchvision_schemas()
    import timm

    config = getattr(module, "pretrained_cfg", None)
    architecture = config.get("architecture") if isinstance(config, dict) else None
    classes = getattr(module, "num_classes", None)
    if architecture is None or not timm.is_model(architecture) or not isinstance(classes, int) or classes < 0:
        return None
    if not weights.is_file():
        state = {key: value.contiguous().clone() for key, value in module.state_dict().items()}
        write_atomically(weights, safetensors_bytes(state))
    spec = ModelSpec(name=architecture, weights=weights, num_classes=classes, preprocessing=overrides)
    try:
        again = unwrapped(load_model(spec).module)
    except UsageError:  # changed since timm made it
        again = None
    if again is None or not _computes_the_same(module, again, overrides):
        weights.unlink()
        return None
    return spec


def _computes_the_same(module: nn.Module, other: nn.Module, overrides: PreprocessingOverrides) -> bool:
    assert overrides.input_size is not None
    assert overrides.channels is not None
    image = torch.rand(1, overrides.channels, *overrides.input_size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return torch.allclose(module(image), other(image), rtol=1e-4, atol=1e-5)


def _as_program(module: nn.Module, overrides: PreprocessingOverrides, program: Path) -> ModelSpec:
    assert overrides.input_size is not None
    assert overrides.channels is not None
    if not program.is_file():
        program.parent.mkdir(parents=True, exist_ok=True)
        save_captured(_with_names(module, overrides), overrides.input_size, program, overrides.channels)
    return ModelSpec(name=str(program), preprocessing=overrides)


def _with_names(module: nn.Module, overrides: PreprocessingOverrides) -> nn.Module:
    """The module as it is if it returns a tensor; else with its outputs in a dict, whose names a program keeps."""
    assert overrides.input_size is not None
    assert overrides.channels is not None
    with user_code(f"running {type(module).__name__}"), torch.inference_mode():
        given = module(torch.zeros(1, overrides.channels, *overrides.input_size))
    return module if isinstance(given, torch.Tensor) else NamedOutputs(module)
