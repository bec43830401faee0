"""Image classifiers of transformers, and image towers of its CLIP models, from a folder or a repository of Hugging Face."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from edgevit.errors import UsageError, first_line
from edgevit.model.names import TRANSFORMERS, folder_of
from edgevit.model.quantized import shortened
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.run.packages import is_installed
from edgevit.spec.spec import ModelSpec

_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of what an image processor is told to resample by."""
_SQUASHED_FROM = 384
"""Side from which ConvNeXt's processor resizes to a square and crops nothing."""
_FAILURES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError)
"""What transformers raises on a folder or repository that holds no such model, or another one than it says."""


def check_transformers(name: str) -> None:
    """Refuses a model of transformers where that is not installed.

    Args:
        name: "transformers:" and a folder or a repository.

    Raises:
        UsageError: transformers is not installed, or nothing is named.
    """
    if not name.removeprefix(TRANSFORMERS):
        raise UsageError(f"{name} names no model", f"give {TRANSFORMERS}ORGANIZATION/MODEL, or {TRANSFORMERS}FOLDER")
    if not is_installed("transformers"):
        raise UsageError("transformers is not installed", "pip install 'edgevit[transformers]'")


def transformers_model(spec: ModelSpec) -> nn.Module:
    """Makes a model of transformers that states its preprocessing as timm's do, in ``default_cfg``.

    Args:
        spec: Its name, its settings, and whether its own weights are taken. With class embeddings it is the image tower of a CLIP
            model, else an image classifier.

    Raises:
        UsageError: there is no such model, its weights lack tensors, or its image processor does what edgevit does not.
    """
    ensure_torchvision_schemas()
    import transformers

    folder = folder_of(spec.name)
    place = str(folder or spec.name.removeprefix(TRANSFORMERS))
    options = {"local_files_only": folder is not None}
    own_weights = spec.pretrained or (folder is not None and not spec.weights and not spec.random_weights)
    try:
        config: Any = transformers.AutoConfig.from_pretrained(place, **options)
        if spec.num_classes is not None and not own_weights:
            config.num_labels = spec.num_classes
        kind: Any = transformers.AutoModelForImageClassification
        if spec.class_embeddings is not None:
            kind = _clip_tower(spec.name, config)
        if own_weights:
            model, loading = kind.from_pretrained(place, config=config, output_loading_info=True, **options)
        else:
            model, loading = _untrained(kind, config), {}
    except _FAILURES as error:
        raise _not_made(spec.name, error, is_local=folder is not None) from error
    _check_loading(spec, loading)
    if own_weights and spec.num_classes not in (None, getattr(config, "num_labels", None)):
        raise UsageError(
            f"{spec.name} has {config.num_labels} classes, not {spec.num_classes}", "leave out num_classes"
        )
    processor = _processor(place, options)
    if processor is not None:
        model.default_cfg = _configuration(spec.name, processor, _channels(config))
    return cast(nn.Module, model)


def _clip_tower(name: str, config: Any) -> Any:
    import transformers

    if config.model_type not in ("clip", "clip_vision_model"):
        raise UsageError(
            f"{name} is a model of the kind {config.model_type}, and class embeddings need an image tower of CLIP",
            "for another one, name a factory that makes its image tower: package.module:factory",
        )
    return transformers.CLIPVisionModelWithProjection


def _untrained(kind: Any, config: Any) -> Any:
    if hasattr(kind, "from_config"):
        return kind.from_config(config)
    return kind(getattr(config, "vision_config", config))


def _check_loading(spec: ModelSpec, loading: Mapping[str, Any]) -> None:
    lacking = sorted(map(str, loading.get("missing_keys", ())))
    other = sorted(str(key[0] if isinstance(key, tuple) else key) for key in loading.get("mismatched_keys", ()))
    if lacking or other:
        raise UsageError(
            f"the weights of {spec.name} are of another model: {len(lacking)} tensors are missing, {len(other)} have another"
            f" shape: {shortened(lacking or other)}",
            "name an image classifier; a model without a trained head has to be fine-tuned first",
        )


def _not_made(name: str, error: Exception, *, is_local: bool) -> UsageError:
    if isinstance(error, UsageError):
        return error
    return UsageError(
        f"transformers cannot load {name}: {type(error).__name__}: {first_line(error)}",
        "is it the folder that save_pretrained wrote?"
        if is_local
        else f"offline, or no such repository? a local copy is {TRANSFORMERS}FOLDER",
    )


def _processor(place: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The settings of the image processor; None where there is none."""
    import transformers

    try:
        return dict(transformers.AutoImageProcessor.from_pretrained(place, **options).to_dict())
    except _FAILURES:
        return None


def _channels(config: Any) -> int:
    return int(getattr(getattr(config, "vision_config", config), "num_channels", 3))


def _configuration(name: str, processor: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """What an image processor does, in timm's terms.

    Raises:
        UsageError: it does something else.
    """
    rescaled = processor.get("do_rescale", True) and math.isclose(processor.get("rescale_factor") or 1 / 255, 1 / 255)
    if not rescaled or not processor.get("do_resize", True) or processor.get("do_pad"):
        raise UsageError(
            f"the image processor of {name} does not resize and divide by 255, or pads",
            "set [model.preprocessing] to what it does, and take a copy of the model without preprocessor_config.json",
        )
    normalized = processor.get("do_normalize", True)
    height, width, crop_pct, mode = _geometry(name, processor)
    return {
        "input_size": (channels, height, width),
        "mean": tuple(processor["image_mean"]) if normalized else (0.0,) * channels,
        "std": tuple(processor["image_std"]) if normalized else (1.0,) * channels,
        "interpolation": _RESAMPLING.get(int(processor.get("resample", 2)), "another"),
        "crop_pct": crop_pct,
        "crop_mode": mode,
    }


def _geometry(name: str, processor: Mapping[str, Any]) -> tuple[int, int, float, str]:
    """Height, width, share of the resized image that the crop keeps, and how it is resized."""
    size, crop = _sides(processor.get("size")), _sides(processor.get("crop_size"))
    shortest = (processor.get("size") or {}).get("shortest_edge")
    share = processor.get("crop_pct")
    if shortest and share and not processor.get("do_center_crop"):  # ConvNeXt's
        crops = shortest < _SQUASHED_FROM
        return shortest, shortest, share if crops else 1.0, "center" if crops else "squash"
    if not processor.get("do_center_crop"):
        if size is not None:
            return (*size, 1.0, "squash")
    elif crop is not None and crop[0] == crop[1]:
        if shortest:
            return (*crop, _share(crop[0], shortest), "center")
        if size is not None and size[0] == size[1]:
            return (*crop, _share(crop[0], size[0]), "squash")
    raise UsageError(
        f"the image processor of {name} resizes to {processor.get('size')} and crops to {processor.get('crop_size')}, which"
        " edgevit does not",
        "set [model.preprocessing] to what is nearest, and take a copy of the model without preprocessor_config.json",
    )


def _sides(size: Any) -> tuple[int, int] | None:
    if isinstance(size, Mapping) and size.get("height") and size.get("width"):
        return int(size["height"]), int(size["width"])
    return None


def _share(crop: int, resized: int) -> float:
    """The share with which an image is resized to exactly so many pixels, see :class:`edgevit.results.artifact.Preprocessing`."""
    share = crop / resized
    while math.floor(crop / share) < resized:
        share = math.nextafter(share, 0)
    return share
