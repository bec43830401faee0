"""What a call in Python asks for, made into a spec: what is in memory is written into the folder of the run first."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from edgevit.api.overrides import overrides_of_model
from edgevit.api.stored_images import Images, image_source
from edgevit.api.stored_labels import labels_file
from edgevit.api.stored_model import class_names_of, stored_model
from edgevit.data.images import open_images
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import Run
from edgevit.run.files import out_folder
from edgevit.run.folder import INPUTS
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Section, Spec


@dataclass(frozen=True)
class Asked:
    """What a caller gave; what is not given is not in it."""

    model: Spec | nn.Module | str
    preprocessing: Preprocessing | None = None
    profile: str | None = None
    labels: Sequence[str] | Path | str | None = None
    of_model: dict[str, Any] = field(default_factory=dict)
    """Keys of the section ``model``."""
    images: dict[str, Images | Mapping[str, Images]] = field(default_factory=dict)
    """By the key of the section ``data`` that names them; of the evaluation images several sets by name, the first of which judges."""
    of_data: dict[str, Any] = field(default_factory=dict)
    """Other keys of that section."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The other sections."""


def given(**settings: Any) -> dict[str, Any]:
    """Returns those that are not None."""
    return {name: value for name, value in settings.items() if value is not None}


def model_settings(
    *,
    weights: Path | str | None,
    pretrained: bool,
    random_weights: bool,
    num_classes: int | None,
    class_embeddings: Path | str | None,
) -> dict[str, Any]:
    """Returns keys of the section ``model``; the keywords are those of :func:`edgevit.compress`."""
    return given(
        weights=str(weights) if weights else None,
        pretrained=pretrained or None,
        random_weights=random_weights or None,
        num_classes=num_classes,
        class_embeddings=str(Path(class_embeddings).absolute()) if class_embeddings else None,
    )


def _sources(asked: Asked, inputs: Path) -> dict[str, Any]:
    """Sources of images as the section ``data`` names them."""
    as_they_are = asked.preprocessing is not None and asked.preprocessing.input == "array"
    store = partial(image_source, folder=inputs, as_they_are=as_they_are)
    sources: dict[str, Any] = {}
    for purpose, images in asked.images.items():
        if isinstance(images, Mapping):
            sources |= _several(images, store)
        else:
            sources[purpose] = store(images, purpose)
    return sources


def _several(sets: Mapping[str, Images], store: Callable[[Images, str], str]) -> dict[str, Any]:
    """Several evaluation sets as a spec names them."""
    if not sets:
        raise UsageError("there are no evaluation sets", "give at least one, or leave evaluation out")
    if not all(isinstance(name, str) and re.fullmatch(r"[\w-]+", name) for name in sets):
        raise UsageError(
            f"evaluation sets are named {', '.join(map(repr, sets))}", "name each in letters, digits, - and _"
        )
    first, *others = (store(images, f"evaluation-{name}") for name, images in sets.items())
    return {"evaluation": first, "also_evaluate": others}


def as_document(value: Any) -> Any:
    """Returns sections as a spec file writes them: what was not given is left out.

    Args:
        value: A section, or a table of sections and other values.
    """
    if isinstance(value, Section):
        return value.model_dump(mode="json", exclude_unset=True)
    return {key: as_document(each) for key, each in value.items()} if isinstance(value, dict) else value


def carry_out(asked: Asked, out: Path | str | None, how: Callable[[Spec, Path | None], Run]) -> Run:
    """Makes the spec of a call and carries it out.

    Args:
        asked: What the caller gave.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        how: Carries out a spec in a folder.

    Raises:
        UsageError: what is given does not go together, or cannot be stored.
        DiskFull: there is no space left.
    """
    model = asked.model
    if isinstance(model, Spec):
        others = given(preprocessing=asked.preprocessing, profile=asked.profile, labels=asked.labels)
        beside = [*asked.of_model, *asked.images, *asked.of_data, *asked.settings, *others]
        if beside:
            raise UsageError(f"a whole spec is given, and {', '.join(beside)} beside it", "set that in the spec")
        return how(model, Path(out) if out else None)
    of_module = {key: value for key, value in asked.of_model.items() if key != "class_embeddings"}
    if isinstance(model, nn.Module) and of_module not in ({}, {"num_classes": 0}):
        names = ", ".join(of_module)
        raise UsageError(f"a module has its weights and classes, and {names} is given", "leave it out")
    name = model if isinstance(model, str) else type(model).__name__
    with out_folder(Path(out) if out else None, name) as folder, _inputs_in(folder) as inputs:
        return how(_spec(asked, inputs), folder)


def _spec(asked: Asked, inputs: Path) -> Spec:
    model, described, labels = asked.model, asked.of_model, asked.labels
    if isinstance(model, nn.Module):
        embeddings = described.get("class_embeddings")
        no_classes = described.get("num_classes") == 0 or embeddings is not None
        section: Any = stored_model(model, asked.preprocessing, inputs, no_classes=no_classes)
        if embeddings is not None:
            section = section.model_copy(update={"class_embeddings": Path(embeddings)})
        elif labels is None and not _names_classes(asked.images.get("evaluation")):
            labels = class_names_of(model, section) or None
    else:
        contract = asked.preprocessing and overrides_of_model(asked.preprocessing)
        section = {"name": model, **described, **given(preprocessing=contract)}
    sources = _sources(asked, inputs)
    overrides = {"model": section, "data": {**sources, **asked.of_data}, **asked.settings}
    if labels is not None:
        overrides["export"] = {**asked.settings.get("export", {}), "labels": labels_file(labels, inputs)}
    return resolve_spec(None, asked.profile, as_document(overrides))


def _names_classes(images: Images | None) -> bool:
    """Whether the classes of images have names, as folders give them; images in memory have none."""
    return isinstance(images, str | Path) and open_images(str(images)).classes is not None


@contextmanager
def _inputs_in(folder: Path) -> Iterator[Path]:
    """Gives the folder for what is in memory; it goes again where no run has begun."""
    inputs = folder.resolve() / INPUTS
    try:
        yield inputs
    except BaseException:
        if not (folder / "begin.json").is_file():
            shutil.rmtree(inputs, ignore_errors=True)
        raise
