"""A file that names the classes of a model, one a line, in the order of its outputs."""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import UsageError
from edgevit.spec.input_file import require_file


def read_labels(file: Path, outputs: int | None = None) -> tuple[str, ...]:
    """Reads the name of the class of each output.

    Args:
        file: UTF-8 text; two classes may have the same name, as some of ImageNet have.
        outputs: Number of outputs of the model, to be checked; a single one stands for two classes.

    Returns:
        The names.

    Raises:
        UsageError: it cannot be read, has an empty line, or another number of names.
    """
    require_file(file, "file of class names", "give a text file with the name of a class in each line")
    try:
        lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", "write it as UTF-8 text, one class a line") from error
    names = tuple(line.strip() for line in lines)
    if not all(names):
        raise UsageError(f"{file} line {names.index('') + 1} is empty", "name every class, one a line")
    if outputs is not None and len(names) != max(outputs, 2):
        raise UsageError(
            f"{file} names {len(names)} classes, and the model has {max(outputs, 2)}",
            "name every class of the model, one a line, in the order of its outputs",
        )
    return names
