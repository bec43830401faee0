"""Models of timm: by its own names, from a repository of Hugging Face, or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from edgevit.errors import UsageError, first_line, unknown_name
from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.names import HUB, LOCAL, folder_of, kind_of
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.spec.spec import ModelSpec


def check_timm_name(name: str) -> None:
    """Refuses a name that timm does not have.

    Raises:
        UsageError: with the nearest names.
    """
    ensure_torchvision_schemas()
    import timm

    if not timm.is_model(name):
        own = name.rpartition("/")[2].removesuffix(".py") if name.endswith(".py") else "package.module"
        raise unknown_name(
            "model",
            name,
            [*BUNDLED_MODELS, *timm.list_models()],
            next_step=f"edgevit models PATTERN lists them; a factory of your own is {own}:FUNCTION, a repository of Hugging"
            f" Face {HUB}ORGANIZATION/MODEL or transformers:ORGANIZATION/MODEL",
        )


def check_timm_folder(name: str) -> None:
    """Refuses a folder that holds no model of timm.

    Args:
        name: "local-dir:" and the folder.

    Raises:
        UsageError: it is no folder, or has no ``config.json``.
    """
    folder = folder_of(name)
    if folder is None or not folder.is_dir():
        raise UsageError(
            f"{name}: {folder or 'it'} is no folder", f"give {LOCAL}FOLDER, with config.json and weights in it"
        )
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"{name}: the folder has no config.json",
            "timm.models.save_for_hf(model, folder) writes it, with the weights",
        )


def timm_model(spec: ModelSpec, width: int | None) -> nn.Module:
    """Makes a model of timm.

    Args:
        spec: Its name, its settings, and whether its own weights are taken.
        width: Of the features that are wanted in place of classes; None for a classifier. Where the model's features are of
            another width, its head is taken for a projection.

    Raises:
        UsageError: timm cannot make it so, or its weights cannot be had.
    """
    ensure_torchvision_schemas()
    import timm

    local = kind_of(spec.name) == "local"
    name = f"{LOCAL}{folder_of(spec.name)}" if local else spec.name
    own_weights = spec.pretrained or (local and not spec.weights and not spec.random_weights)
    arguments = _arguments(spec, name)
    if width is not None and spec.num_classes is None:
        arguments["num_classes"] = _outputs_for(name, arguments, width)
    try:
        return cast(nn.Module, timm.create_model(name, pretrained=own_weights, **arguments))
    except (OSError, RuntimeError) as error:
        if not own_weights:
            raise _not_made(spec.name, arguments, error) from error
        raise UsageError(
            f"could not get pretrained weights of {spec.name}: {type(error).__name__}: {first_line(error)}",
            "are weights of this model in the folder? give a file with --weights FILE"
            if local
            else "offline, or no such weights? give a file with --weights FILE",
        ) from error
    except (TypeError, ValueError, AssertionError, KeyError, AttributeError) as error:
        raise _not_made(spec.name, arguments, error) from error


def _arguments(spec: ModelSpec, name: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if spec.num_classes is not None:
        arguments["num_classes"] = spec.num_classes
    if spec.features_only:
        arguments["features_only"] = True
    if spec.preprocessing.channels is not None:
        arguments["in_chans"] = spec.preprocessing.channels
    if spec.preprocessing.input_size and _configuration(name).get("fixed_input_size"):
        arguments["img_size"] = spec.preprocessing.input_size
    return arguments


def _configuration(name: str) -> dict[str, Any]:
    """What timm states of a model, or a folder of one; of a repository it would have to be downloaded."""
    from timm.models import get_pretrained_cfg
    from timm.models._hub import load_model_config_from_path

    if name.startswith(HUB):
        return {}
    if name.startswith(LOCAL):
        try:
            found, architecture, _ = load_model_config_from_path(Path(name.removeprefix(LOCAL)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _not_made(name, {}, error) from error
        return {**_configuration(str(architecture)), **found}
    stated = get_pretrained_cfg(name)
    return {} if stated is None else dict(stated.to_dict())


def _outputs_for(name: str, arguments: dict[str, Any], width: int) -> int:
    """Outputs with which a model of timm gives features of a width: 0 is without a head."""
    import timm

    if _configuration(name).get("num_classes") == width:
        return width
    try:
        with torch.device("meta"):  # without weights
            bare: Any = timm.create_model(name, pretrained=False, **{**arguments, "num_classes": 0})
    except (OSError, RuntimeError, TypeError, ValueError, AssertionError, KeyError, AttributeError) as error:
        raise _not_made(name, arguments, error) from error
    return 0 if getattr(bare, "head_hidden_size", bare.num_features) == width else width


def _not_made(name: str, arguments: dict[str, Any], error: Exception) -> UsageError:
    asked = ", ".join(f"{key}={value}" for key, value in arguments.items()) or "its own settings"
    return UsageError(
        f"timm cannot make {name} with {asked}: {first_line(error)}", "give settings that timm.create_model takes"
    )
