"""Compares an artifact with the float model it came from, on the same images."""

from __future__ import annotations

import math

import numpy as np

from edgevit.errors import CheckFailed
from edgevit.results.artifact import TensorSpec
from edgevit.results.candidate import Verification

FLOAT_TOLERANCE = 1e-4
"""Largest relative difference of a float artifact's logits from PyTorch's."""
HALF_TOLERANCE = 2e-2
"""The same for an artifact whose weights are stored as float16."""
UNDECIDED_MARGIN = 1e-4
"""Relative difference of two token scores below which rounding decides between them: scores go through several
blocks and a softmax, which leaves them correct to about 1e-5."""
LEAST_DECIDED = 0.9
"""Share of the images that have to be compared; with fewer, all are."""


def verify_signature(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], size: tuple[int, int], classes: int, dtype: str
) -> None:
    """Checks what an artifact that edgevit made declares: one image in, one row of logits out.

    Args:
        inputs: As the file declares them.
        outputs: As the file declares them.
        size: Height and width the model was made for.
        classes: Width of the logits.
        dtype: Of both: "float32", or "int8" or "uint8", which need a scale and a zero point.

    Raises:
        CheckFailed: names, then shapes, then types, then scales; the first that differs.
    """
    expected = (("input", (1, 3, *size)), ("logits", (1, classes)))
    for spec, (name, shape) in zip((*inputs, *outputs), expected, strict=True):
        if name not in spec.name:
            raise CheckFailed(f"{name} is called {spec.name!r}")
        if spec.shape != shape:
            raise CheckFailed(f"{name} has shape {list(spec.shape)}, not {list(shape)}")
        if spec.dtype != dtype:
            raise CheckFailed(f"{name} is {spec.dtype}, not {dtype}")
        if dtype != "float32" and (spec.scale is None or spec.zero_point is None):
            raise CheckFailed(f"{name} is {dtype} without a scale and zero point")


def tolerance_of(scheme: str) -> float | None:
    """Returns the largest relative difference of an artifact's logits from those of the model it came from.

    Args:
        scheme: Of the artifact.

    Returns:
        None for a scheme whose worth accuracy decides.
    """
    return {"fp32": FLOAT_TOLERANCE, "fp16": HALF_TOLERANCE}.get(scheme)


def far_images(logits: np.ndarray, reference: np.ndarray, tolerance: float) -> tuple[int, ...]:
    """Returns the indices of the images whose logits differ by more than the tolerance, or whose top-1 class does.

    Args:
        logits: float [n, classes] of the artifact.
        reference: float [n, classes] of what it came from.
        tolerance: Largest difference, relative to the largest absolute value of all of ``reference``.
    """
    if logits.shape != reference.shape:
        return ()  # compare() says so
    differences = np.abs(logits - reference).max(axis=1) / max(float(np.abs(reference).max()), 1e-30)
    far = (differences > tolerance) | (logits.argmax(axis=1) != reference.argmax(axis=1))
    return tuple(int(index) for index in np.flatnonzero(far))


def compare(
    logits: np.ndarray, reference: np.ndarray, name: str, tolerance: float | None, undecided: tuple[int, ...] = ()
) -> Verification:
    """Compares logits.

    Args:
        logits: float [n, classes] of the artifact.
        reference: float [n, classes] of what it came from.
        name: What the reference is.
        tolerance: Largest relative difference; None for a quantized artifact, whose worth accuracy decides.
        undecided: Images to leave out, see :class:`Verification`; no more than one in ten may be.

    Returns:
        ``passed`` is whether every difference is within ``tolerance`` and the top-1 class is always the same;
        without a tolerance, always true.

    Raises:
        CheckFailed: shapes differ, or the artifact gave NaN or infinity.
    """
    if logits.shape != reference.shape:
        raise CheckFailed(f"logits have shape {list(logits.shape)}, those of {name} {list(reference.shape)}")
    if not np.isfinite(logits).all():
        raise CheckFailed("logits hold NaN or infinity")
    decided = np.setdiff1d(np.arange(len(logits)), undecided)
    enough = len(decided) >= LEAST_DECIDED * len(logits)
    kept, wanted = (logits[decided], reference[decided]) if enough else (logits, reference)
    difference = kept.astype(np.float64) - wanted
    max_abs = float(np.abs(difference).max())
    max_rel = max_abs / max(float(np.abs(reference).max()), 1e-30)
    agreement = float((kept.argmax(axis=1) == wanted.argmax(axis=1)).mean())
    passed = tolerance is None or (max_rel <= tolerance and agreement == 1.0)
    left_out = len(logits) - len(kept)
    return Verification(name, max_abs, max_rel, _snr_db(wanted, difference), agreement, len(logits), passed, left_out)


def _snr_db(signal: np.ndarray, noise: np.ndarray) -> float | None:
    """10 log10 of signal power over noise power; None if there is no noise."""
    noise_power = float(np.square(noise).sum())
    if noise_power == 0:
        return None
    signal_power = float(np.square(signal.astype(np.float64)).sum())
    return 10 * math.log10(max(signal_power, 1e-300) / noise_power)
