"""The spec of a run as the run keeps it: what lies in its own folder is named from there, so that equal runs are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.run.folder import INPUTS
from edgevit.spec.spec import Spec


def stored_spec(spec: Spec, folder: Path) -> Spec:
    """Returns a spec whose files in the inputs of a run are named from the folder of the run.

    The digest of the spec, which artifacts carry, then does not depend on where the run lies.

    Args:
        spec: As it is carried out.
        folder: Of the run, absolute.
    """
    document = spec.model_dump(mode="json", exclude_unset=True)
    named = _named(document, folder)
    return spec if named == document else Spec.model_validate(named)


def _named(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _named(each, folder) for key, each in value.items()}
    if isinstance(value, list):
        return [_named(each, folder) for each in value]
    inside = f"{folder / INPUTS}/"
    return f"{INPUTS}/{value.removeprefix(inside)}" if isinstance(value, str) and value.startswith(inside) else value
