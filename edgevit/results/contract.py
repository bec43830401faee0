"""What an artifact carries in its own metadata, so that a file that was copied away can still be used."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated

from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.document import LATER, from_json, to_document
from edgevit.results.output import Output

KEY = "edgevit"
"""Under which the metadata of a file holds its contract, in every format."""


@dataclass(frozen=True)
class Contract:
    """How images are fed to an artifact, what its outputs mean, and where it comes from.

    It holds neither times nor paths, so that equal runs make equal files.
    """

    preprocessing: Preprocessing
    layout: str
    """Of the input: "NCHW" or "NHWC"."""
    classes: tuple[str, ...]
    """Name of the class of each output; empty where nobody named them."""
    scheme: str
    spec_sha256: str
    """Digest of the resolved spec of the run that made it; empty where there was no run, as for ``edgevit quantize``."""
    edgevit_version: str
    outputs: Annotated[tuple[Output, ...], LATER] = ()
    """Of a model that is no classifier, in the order in which the file has them; empty for a classifier."""
    embeds_preprocessing: Annotated[bool, LATER] = False
    """Whether the graph normalizes by itself: its input is then the pixels, uint8 [1, h, w, channels], RGB, and ``preprocessing``
    says by what it normalizes them."""

    @property
    def fed(self) -> Preprocessing:
        """What is done to an image before it is fed: pixels stay as they are where the graph normalizes them."""
        if not self.embeds_preprocessing:
            return self.preprocessing
        return replace(self.preprocessing, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))


def contract_to_text(contract: Contract) -> str:
    """Returns a contract as one line of JSON, with the keys that every version has and those that say something."""
    document = to_document(contract)
    for name in ("outputs", "embeds_preprocessing"):
        if not document[name]:
            del document[name]
    if contract.preprocessing.input == "image":
        del document["preprocessing"]["input"]
    if contract.preprocessing.tiles is None:
        del document["preprocessing"]["tiles"]
    return json.dumps(document, ensure_ascii=False)


def contract_from_text(text: str, source: str) -> Contract:
    """Reads a contract from JSON.

    Args:
        text: As :func:`contract_to_text` wrote it.
        source: Of the text, for the message.

    Raises:
        UsageError: it is no contract.
    """
    try:
        return from_json(Contract, text.encode())
    except ValueError as error:
        raise UsageError(f"{source}: the contract in its metadata is damaged: {error}", "export it again") from error


def names_by_output(classes: dict[str, int], outputs: int) -> tuple[str, ...]:
    """Returns the name of the class of each output.

    Args:
        classes: Output of each named class.
        outputs: Number of outputs; a single one stands for two classes.

    Returns:
        As many names as there are classes; none where a class is not named.
    """
    by_output = {output: name for name, output in classes.items()}
    named = [by_output.get(output) for output in range(max(outputs, 2))]
    return tuple(name for name in named if name is not None) if all(named) else ()
