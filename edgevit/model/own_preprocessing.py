"""What a model's own configuration says of the preprocessing of its images."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from torch import nn

from edgevit.data.tiles import check_tiles, tiles_of
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.spec.normalization import normalization_problem, per_channel
from edgevit.spec.spec import PreprocessingOverrides

_RGB = 3


def preprocessing_of(module: nn.Module, name: str, given: PreprocessingOverrides) -> Preprocessing:
    """Returns timm's configuration of a module, each value replaced by the one given where there is one.

    Args:
        module: With or without a configuration.
        name: Of the model, for errors.
        given: Replaces single values.

    Raises:
        UsageError: there is no input size, mean or standard deviation, or one that cannot be used.
    """
    config = dict(getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None) or {})
    overrides = given.model_dump(exclude_none=True)
    stated_size = tuple(config.get("input_size") or ())
    channels = overrides.pop("channels", None) or _stated_channels(stated_size)
    is_array = given.input == "array"
    normalization = {"mean": (0.0,), "std": (1.0,)} if is_array else _normalization(config, channels)
    resizing = {} if is_array else {key: config.get(key) for key in ("interpolation", "crop_pct", "crop_mode")}
    values = {**normalization, **resizing, "input_size": stated_size[-2:] or None}
    merged: dict[str, Any] = {key: value for key, value in {**values, **overrides}.items() if value is not None}
    missing = [key for key in ("input_size", "mean", "std") if key not in merged]
    if missing:
        of = f" of {channels} channel{'s'[: channels > 1]}" if channels != _RGB else ""
        raise UsageError(
            f"{name} states no {', '.join(missing)}{of}", "set them in [model.preprocessing], or on the command line"
        )
    if merged.get("crop_mode", "center") not in ("center", "squash"):
        raise UsageError(
            f"{name} asks for crop_mode {merged['crop_mode']!r}, which edgevit lacks",
            "override it: center or squash",
        )
    if merged.get("interpolation", "bicubic") not in ("nearest", "bilinear", "bicubic", "lanczos"):
        raise UsageError(
            f"{name} asks for interpolation {merged['interpolation']!r}, which edgevit lacks",
            "override it: nearest, bilinear, bicubic or lanczos",
        )
    for key in ("input_size", "mean", "std", "crop_pct"):
        value = merged.get(key, ())
        if not all(isinstance(number, Real) for number in (value if isinstance(value, tuple | list) else (value,))):
            raise UsageError(
                f"{name} states {key} {value!r}, which is no number",
                "correct it in the model's configuration, or override it",
            )
    problem = None if is_array else normalization_problem(merged["mean"], merged["std"])
    if problem:
        raise UsageError(f"{name}: {problem}", "correct it in the model's configuration, or override it")
    try:
        spread = {key: per_channel(merged[key], channels, key) for key in ("mean", "std")}
    except ValueError as error:
        raise UsageError(
            f"{name}: {error}", "give one for each channel; the number of channels is model.preprocessing.channels"
        ) from error
    contract = Preprocessing(**{**merged, **spread, "tiles": tiles_of(given.tiles)})
    check_tiles(contract)
    return contract


def _stated_channels(stated_size: tuple[int, ...]) -> int:
    """The channels in a configuration's input size, which is channels, height and width; three where it has none."""
    return stated_size[0] if len(stated_size) == 3 and isinstance(stated_size[0], int) else _RGB


def _normalization(config: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Mean and std of a configuration, as far as they are of so many channels."""
    stated = {key: config.get(key) for key in ("mean", "std")}
    return {
        key: value
        for key, value in stated.items()
        if not isinstance(value, tuple | list) or len(value) in (1, channels)
    }
