"""A spec to begin with: what was asked for, and every other key as a comment with its meaning and default."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from edgevit.backends import get_backend
from edgevit.data.images import open_images
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.run.files import write_atomically
from edgevit.spec.input_file import require_file
from edgevit.spec.keys import section_of, type_words
from edgevit.spec.spec import Spec

_WIDTH = 118
_SOURCES = ("evaluation", "calibration", "train")
_HEAD = """#:schema {schema}
# A run of edgevit: edgevit compress {name}
# Keys that are commented out have the value that is shown; where "…" stands, they are not set.

"""


@dataclass(frozen=True)
class BegunSpec:
    """What was written."""

    spec: str
    """Path of the TOML file."""
    schema: str
    """Path of its JSON Schema, by which editors complete and check it."""


def write_spec(spec: Spec, out: Path) -> BegunSpec:
    """Writes a spec with comments, and the JSON Schema beside it.

    Args:
        spec: What is asked for; its image sources, weights and devices have to exist.
        out: ``.toml`` to write; paths in it are relative to its folder.

    Raises:
        UsageError: something that the spec names does not exist, or the file does, or it is no ``.toml``.
        DiskFull: there is no space left.
    """
    schema = out.with_suffix(".schema.json")
    if out.suffix != ".toml":
        raise UsageError(f"--out {out} does not end in .toml", "a spec is TOML: --out spec.toml")
    for path in (out, schema):
        if path.exists():
            raise UsageError(f"{path} exists", "remove it, or choose another --out")
    _check(spec)
    text = _HEAD.format(schema=schema.name, name=out.name) + spec_text(spec, out.resolve().parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(schema, (json.dumps(Spec.model_json_schema(), indent=1) + "\n").encode())
    write_atomically(out, text.encode())
    return BegunSpec(str(out), str(schema))


def spec_text(spec: Spec, folder: Path) -> str:
    """Returns a spec as TOML with every key: those that differ from their default are set, the others comments.

    Args:
        spec: The spec.
        folder: Where paths start.
    """
    return "\n".join(_section(spec, "", folder)) + "\n"


def _check(spec: Spec) -> None:
    """Refuses names that lead nowhere; the model itself is looked for when a run begins."""
    if spec.model.weights is not None:
        require_file(spec.model.weights, "weights file")
    for source in (spec.data.evaluation, spec.data.calibration, spec.data.train):
        if source is not None and not source.endswith("%"):
            open_images(source)
    for device in spec.devices:
        load_device(device)
    for backend in spec.export.backends:
        get_backend(backend)


def _section(section: BaseModel | type[BaseModel], path: str, folder: Path) -> Iterator[str]:
    """Yields the lines of a section, values before tables, as TOML has it; of one that is not set, as comments."""
    kind, mark = (section, "# ") if isinstance(section, type) else (type(section), "")
    inner: list[tuple[str, BaseModel | type[BaseModel]]] = []
    if path:
        yield from ("", f"{mark}[{path}]")
    for name, field in kind.model_fields.items():
        value = None if isinstance(section, type) else getattr(section, name)
        nested = section_of(field.annotation)
        if nested is None:
            yield from _key(name, field, value, folder)
        else:
            inner.append((f"{path}.{name}".lstrip("."), value if isinstance(value, BaseModel) else nested))
    for place, each in inner:
        yield from _section(each, place, folder)


def _key(name: str, field: FieldInfo, value: Any, folder: Path) -> Iterator[str]:
    about = (field.description or "").replace("``", "`").replace("\n", " ")
    yield from textwrap.wrap(about, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    default = None if field.is_required() else field.default
    if value is not None and value != default:
        yield f"{name} = {_toml(_from(folder, name, value))}"
    elif default is not None:
        yield f"# {name} = {_toml(default)}"
    else:
        yield f"# {name} = …  # {type_words(field.annotation)}"


def _from(folder: Path, name: str, value: Any) -> Any:
    """Paths that exist, from the folder of the spec."""
    if isinstance(value, Path) or (name in _SOURCES and Path(value).is_absolute()):
        return os.path.relpath(value, folder)
    return value


def _toml(value: Any) -> str:
    """A value of a spec: JSON's texts, numbers and lists of them are TOML's."""
    return json.dumps(value, ensure_ascii=False)
