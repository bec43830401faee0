"""Puts the preprocessing of an artifact into its graph, in a child process, and checks that it answers as before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import run_once
from edgevit.artifacts.make import MadeArtifact, WholeFolder, describe
from edgevit.artifacts.output_differences import compare_outputs
from edgevit.artifacts.verify import compare, tolerance_of
from edgevit.backends import Backend, get_backend
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CandidateFailed, UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Verification
from edgevit.results.contract import Contract
from edgevit.spec.schemes import SCHEMES

_RGB = 3
FROM_OUTSIDE = "fed from outside"
"""What the copy is compared with."""
IMAGES = 16
"""That both artifacts are run on."""
LEAST_SNR_DB = 20.0
"""Least signal-to-noise ratio of an artifact that is not float: where normalization differs in its last bit, an int8 step
later makes that noise of about 30 dB."""


@dataclass(frozen=True)
class EmbedJob:
    """An artifact to copy, with its preprocessing in the graph of the copy."""

    backend: str
    plain: Path
    """Main file; it takes normalized images."""
    contract: Contract
    """For the copy to carry; its preprocessing is what is embedded."""
    images: PreparedImages
    """To compare both on, as the plain one takes them."""
    threads: int
    folder: Path
    """Appears whole, or not at all."""


def check_embeddable(wanted: Preprocessing) -> None:
    """Refuses preprocessing that cannot be embedded.

    Args:
        wanted: Of the model.

    Raises:
        UsageError: the model does not take RGB images.
    """
    if wanted.input == "array" or wanted.channels != _RGB:
        what = "arrays" if wanted.input == "array" else f"{wanted.channels} channels"
        raise UsageError(
            f"--embed-preprocessing is for RGB images, and the model takes {what}", "leave out --embed-preprocessing"
        )


def embed_preprocessing(job: EmbedJob) -> MadeArtifact:
    """Copies an artifact, lets the copy take pixels, and compares the two.

    Returns:
        The copy; ``embedding`` is how it compares with the plain artifact that is fed from outside.

    Raises:
        CandidateFailed: it answers otherwise.
        CheckFailed: it answers with NaN or infinity.
        UsageError: the artifact does not take one float32 image.
    """
    backend, wanted = get_backend(job.backend), job.contract.preprocessing
    with WholeFolder(job.folder) as folder:
        for file in backend.files_of(job.plain):
            shutil.copyfile(file, folder / file.name)
        main = folder / job.plain.name
        backend.embed_normalization(main, wanted.mean, wanted.std)
        backend.write_contract(main, job.contract)
        compared = _compare(job, backend, main)
        if not compared.passed:
            raise CandidateFailed(
                f"with its preprocessing embedded it answers otherwise than fed from outside: a difference of"
                f" {compared.max_rel_diff:.1e} (relative), on {compared.samples} images"
            )
    return replace(describe(job.backend, job.folder / main.name), embedding=compared)


def _compare(job: EmbedJob, backend: Backend, main: Path) -> Verification:
    """Runs both on some images, each fed in its own way.

    Raises:
        CheckFailed: the copy gives NaN or infinity.
    """
    images, outputs = job.images.select(_evenly_spaced(len(job.images))), job.contract.outputs
    scheme = SCHEMES[job.contract.scheme]
    expected = _outputs(backend, job.plain, images, job.threads, scheme.precision)
    as_fed = replace(images, preprocessing=job.contract.fed)
    found = _outputs(backend, main, as_fed, job.threads, scheme.precision)
    tolerance = tolerance_of(scheme.name)
    if outputs:
        compared = compare_outputs(found, expected, FROM_OUTSIDE, tolerance, outputs)
    else:
        compared = compare(found, expected, FROM_OUTSIDE, tolerance)
    is_near = tolerance is not None or compared.snr_db is None or compared.snr_db >= LEAST_SNR_DB
    return replace(compared, passed=compared.passed and is_near)


def _outputs(backend: Backend, main: Path, images: PreparedImages, threads: int, precision: str) -> np.ndarray:
    """All values that an artifact gives, float32 [n, values]."""

    def rows() -> Iterator[np.ndarray]:
        session = backend.open_session(main, threads, precision)
        for image in images.batches():
            yield run_once(session, image)

    return np.concatenate(list(rows()))


def _evenly_spaced(images: int) -> tuple[int, ...]:
    count = min(images, IMAGES)
    return tuple(index * images // count for index in range(count))
