"""Writes the model card of an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.commands.compare_sides import open_side
from edgevit.errors import UsageError
from edgevit.report.card import card_metadata, render_card
from edgevit.run.files import disk_errors, write_atomically
from edgevit.run.packages import is_installed

_MOST_LETTERS = 200


@dataclass(frozen=True)
class Card:
    """A model card."""

    candidate: str
    metadata: dict[str, Any]
    """Of its head, as Hugging Face has it."""
    text: str
    """With the head."""


def make_card(run: Path, candidate: str | None, licence: str | None) -> Card:
    """Makes the card of a candidate from what its run found out.

    Args:
        run: Its folder, or its ``run.json``.
        candidate: By rank or id; the chosen one when None.
        licence: As the user states it; None where nobody does.

    Raises:
        UsageError: there is no such run or candidate, the licence is no line of text, or huggingface_hub is not installed.
    """
    if not is_installed("huggingface-hub"):
        raise UsageError(
            "huggingface_hub, which writes the metadata of a card, is not installed", "pip install 'edgevit[card]'"
        )
    if licence is not None and (len(licence) > _MOST_LETTERS or not licence.strip() or not licence.isprintable()):
        raise UsageError(
            f"--license is not a line of at most {_MOST_LETTERS} letters",
            "such as apache-2.0, mit, or a name of your own",
        )
    side = open_side(run, candidate)
    if side.run is None or side.candidate is None:
        raise UsageError(f"{run} is a file of no run, and a card is written from a run", "name the folder of its run")
    text = render_card(side.run, side.candidate, licence)
    metadata: Any = card_metadata(side.run, side.candidate, licence)
    return Card(side.candidate.id, metadata.to_dict(), text)


def write_card(card: Card, out: Path) -> None:
    """Writes a card where nothing is.

    Raises:
        UsageError: something is there, or its folder is not.
        DiskFull: there is no space left.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists", "remove it, or name another --out")
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", "make it, or name another --out")
    with disk_errors(out):
        write_atomically(out, card.text.encode())
