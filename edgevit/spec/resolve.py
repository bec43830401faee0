"""From a profile, a file and the command line to the spec of a run; later ones override earlier ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from edgevit.errors import UsageError
from edgevit.spec.input_file import expand_user
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import AUTO as SEARCHED_PLAN
from edgevit.spec.token_plan import NONE, check_form, parse_plans
from edgevit.spec.toml_files import find, read_toml, validate


def resolve_spec(file: Path | None, profile: str | None, overrides: dict[str, Any]) -> Spec:
    """Returns the spec of a run: a profile's values, overridden by the file's, overridden by the command line's.

    Args:
        file: A spec in TOML; relative paths in it start at its folder.
        profile: Name of a shipped profile, or a profile file.
        overrides: Values of the command line, nested like the spec; only those that were given.

    Raises:
        UsageError: a file cannot be read, or the outcome is not a valid spec.
    """
    document: dict[str, Any] = {}
    sources = []
    if profile is not None:
        document = _merge(document, {k: v for k, v in read_toml(find("profiles", profile)).items() if k != "about"})
        sources.append(f"profile {profile}")
    own: dict[str, Any] = {}
    if file is not None:
        own = _with_absolute_paths(read_toml(file), file.resolve().parent)
        sources.append(str(file))
    document = _merge(document, own)
    document = _merge(_without_other_weights(document, overrides), _with_absolute_paths(overrides, Path.cwd()))
    document = _without_idle_form(document, _merge(own, overrides))
    return validate(Spec, document, " + ".join([*sources, "command line"] if overrides else sources) or "spec")


def check_single_tuning(spec: Spec) -> None:
    """Refuses a spec that asks to fine-tune more than one plan, scheme and backend, or does not say for which.

    Raises:
        UsageError: says what there is too much or too little of.
    """
    plans, export = parse_plans(spec.passes.tokens), spec.export
    if spec.finetune.mode not in ("quick", "full"):
        raise UsageError(f"--rung {spec.finetune.mode}: give quick or full", "edgevit compress has --finetune auto")
    if len(export.backends) != 1:
        raise UsageError(
            f"fine-tuning is for the numbers of one runtime, not {len(export.backends)}",
            "give one of them: --export openvino",
        )
    if len(export.schemes) != 1:
        raise UsageError(
            f"fine-tuning is for one scheme, not {', '.join(export.schemes)}", "give one of them with --scheme"
        )
    if len(plans) > 1 or SEARCHED_PLAN in plans:
        raise UsageError(
            f"fine-tuning is of one token plan, not {spec.passes.tokens}", "give one of them with --tokens, or none"
        )


def _without_other_weights(document: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Drops the source of the model's weights where the command line names another one."""
    sources = {"weights", "pretrained", "random_weights"}
    given, model = overrides.get("model"), document.get("model")
    if not isinstance(given, dict) or not isinstance(model, dict) or not sources & given.keys():
        return document
    kept = {key: value for key, value in model.items() if key not in sources}
    return {**document, "model": kept}


def _without_idle_form(document: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Drops the form of a profile, which is for whatever plan is asked for, where no plan reduces tokens."""
    passes, asked = document.get("passes"), given.get("passes")
    if not isinstance(passes, dict) or "form" not in passes or (isinstance(asked, dict) and "form" in asked):
        return document
    try:
        check_form(passes["form"], parse_plans(str(passes.get("tokens", NONE))))
    except UsageError:
        return {**document, "passes": {key: value for key, value in passes.items() if key != "form"}}
    return document


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _with_absolute_paths(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Anchors the paths in a spec document: weights, and data sources that exist below ``folder``; ``~`` is expanded."""
    anchored = dict(document)
    for key, value in document.items():
        if isinstance(value, dict):
            anchored[key] = _with_absolute_paths(value, folder)
        elif key == "also_evaluate" and isinstance(value, list):
            anchored[key] = [_anchored_source(each, folder) for each in value]
        elif value == "" or not isinstance(value, str):
            continue
        elif key in ("weights", "labels", "class_embeddings", "teacher_cache") or (
            key == "name" and value.endswith(".pt2")
        ):
            anchored[key] = str(folder / expand_user(value))
        elif key == "name" and value.startswith(("local-dir:", "transformers:")):
            start, _, path = value.partition(":")
            place = folder / expand_user(path)
            anchored[key] = f"{start}:{place}" if path and os.path.lexists(place) else value
        elif key in ("evaluation", "calibration", "train"):
            anchored[key] = _anchored_source(value, folder)
    return anchored


def _anchored_source(source: Any, folder: Path) -> Any:
    """A source of images with its path below ``folder``, if it has one that exists there; all else as it is."""
    if not isinstance(source, str) or source in ("", "digits"):
        return source
    head, at, path = source.partition("@") if source.startswith("calibration:") else ("", "", source)
    place = folder / expand_user(path)
    return f"{head}{at}{place}" if path and os.path.lexists(place) else source
