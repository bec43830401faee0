"""A preprocessing that is given in Python, as the settings of a spec."""

from __future__ import annotations

from dataclasses import asdict

from edgevit.results.artifact import Preprocessing
from edgevit.spec.spec import PreprocessingOverrides
from edgevit.spec.toml_files import validate

_RESIZING = ("interpolation", "crop_pct", "crop_mode")


def overrides_of_model(preprocessing: Preprocessing) -> PreprocessingOverrides:
    """Returns all that a preprocessing says of a model.

    Raises:
        UsageError: a value is not one that is possible.
    """
    given = {**_values(preprocessing), "channels": preprocessing.channels}
    return validate(PreprocessingOverrides, given, "preprocessing")


def overrides_of_file(preprocessing: Preprocessing | None) -> PreprocessingOverrides:
    """Returns what a preprocessing says of a file, whose input size is its own; nothing of None.

    Raises:
        UsageError: a value is not one that is possible.
    """
    values = {} if preprocessing is None else _values(preprocessing)
    values.pop("input_size", None)
    return validate(PreprocessingOverrides, values, "preprocessing")


def _values(preprocessing: Preprocessing) -> dict[str, object]:
    left_out = _RESIZING if preprocessing.input == "array" else ()
    return {key: value for key, value in asdict(preprocessing).items() if key not in left_out}
