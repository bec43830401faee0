"""What ``edgevit parity`` found of two result sets: outputs for the same images, image by image, as in its JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgevit.results.artifact import Preprocessing
from edgevit.results.changes import AccuracyChange
from edgevit.results.measurement import Interval

MatchedBy = Literal["content", "name", "position"]
"""By what an image of one set is the same as one of the other: the SHA-256 digest of its content, its name, or its row."""


@dataclass(frozen=True)
class ResultOrigin:
    """How the outputs of a result set came about."""

    artifact: str
    """Name of the file."""
    artifact_sha256: str
    """Of the contents of its files."""
    images: str
    """Source of the images."""
    preprocessing: Preprocessing
    """Of the images, with the input size of the file."""
    classes: tuple[str, ...]
    """Name of the class of each output; empty where nobody named them."""
    runtime: str
    """Its name and version."""
    delegate: str
    """Execution provider, plugin or delegate that ran the graph."""
    precision: str
    threads: int
    host: str
    """Processor of the machine."""
    edgevit_version: str


@dataclass(frozen=True)
class ComparedSet:
    """One of the two."""

    given: str
    """As the user named it."""
    images: int
    outputs: int
    """Of one image."""
    missing: tuple[str, ...]
    """Names of the images of the other set that this one does not have."""
    origin: ResultOrigin | None
    """None of a file that does not say it."""


@dataclass(frozen=True)
class Parity:
    """Two result sets on the images that both have; the first is the reference."""

    first: ComparedSet
    second: ComparedSet
    matched_by: MatchedBy
    samples: int
    """Images in both."""
    top1_agreement: float
    """Share of them, 0..1, that both put in the same class."""
    top1_agreement_interval: Interval
    """Wilson interval, as fractions."""
    accuracy: AccuracyChange
    """Which images changed their class; with labels, from right to wrong and back."""
    max_abs_diff: float
    median_abs_diff: float
    """Over all outputs of all images."""
    snr_db: float | None
    """Signal-to-noise ratio of all outputs; None when they are identical."""
    kl_divergence: float | None
    """Mean over the images of the Kullback-Leibler divergence of the second's class probabilities from the first's, in nats;
    None where it is infinite, or only one set holds probabilities."""
    notes: tuple[str, ...]
    """What differs between the sets besides their outputs."""
    schema_version: Literal[1] = 1
