"""What the board's side says to the host: JSON on lines with a mark, for a shell may print others."""

from __future__ import annotations

import json
import os
from typing import Any

from edgevit.run.child_process import MARK


def say(document: dict[str, Any]) -> None:
    """Writes a message to stdout at once; the line before may have no end."""
    content = f"{MARK}{json.dumps(document)}\n".encode()
    while content:
        content = content[os.write(1, content) :]


def heard(line: str) -> dict[str, Any] | None:
    """Returns the message in a line; None where it is none, or is not whole."""
    _, mark, message = line.partition(MARK)
    if not mark or not message.endswith("\n"):
        return None
    try:
        document = json.loads(message)
    except ValueError:  # the shell printed the mark
        return None
    return document if isinstance(document, dict) else None
