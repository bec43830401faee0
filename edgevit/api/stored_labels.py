"""Names of classes given in memory, written once as a file that a spec can name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.run.files import write_atomically


def labels_file(labels: Sequence[str] | Path | str, folder: Path) -> str:
    """Returns the file of labels to name in a spec, after writing what is in memory.

    Args:
        labels: Name of the class of each output, or the path of a file that has them.
        folder: Where to write; equal labels are written once.

    Raises:
        UsageError: a name is empty or has several lines.
        DiskFull: there is no space left.
    """
    if isinstance(labels, str | Path):
        return str(labels)
    for place, name in enumerate(labels):
        if not isinstance(name, str) or name.splitlines() != [name] or not name.strip():
            raise UsageError(f"label {place} is {name!r}", "give the name of each class as one line of text")
    content = "".join(f"{name}\n" for name in labels).encode()
    path = folder / f"labels-{hashlib.sha256(content).hexdigest()[:16]}.txt"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return str(path)
