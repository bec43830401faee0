"""Compares an artifact with the float model it came from, on the same images: its signature, and the logits of a classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgevit.artifacts.decisions import decided
from edgevit.artifacts.signal_to_noise import snr_db
from edgevit.data.row_file import row_slices
from edgevit.errors import CheckFailed
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.candidate import Verification
from edgevit.results.output import Output

FLOAT_TOLERANCE = 1e-4
"""Largest relative difference of a float artifact's outputs from PyTorch's."""
HALF_TOLERANCE = 2e-2
"""The same for an artifact whose weights are stored as float16."""
UNDECIDED_MARGIN = 1e-4
"""Relative difference of two token scores below which rounding decides between them: scores go through several
blocks and a softmax, which leaves them correct to about 1e-5."""
LEAST_DECIDED = 0.9
"""Share of the images that have to be compared; with fewer, all are."""


def verify_pixel_input(inputs: tuple[TensorSpec, ...], size: tuple[int, int]) -> TensorSpec:
    """Checks the input of an artifact with embedded preprocessing: one image of bytes, whose values are their own.

    Args:
        inputs: As the file declares them.
        size: Height and width the model was made for.

    Returns:
        The input as the artifact had it before, for :func:`verify_signature`.

    Raises:
        CheckFailed: it is another.
    """
    (given, *others) = inputs
    expected = (1, *size, 3)
    if others or (given.shape, given.dtype) != (expected, "uint8"):
        declared = ", ".join(f"{spec.dtype} {list(spec.shape)}" for spec in inputs)
        raise CheckFailed(f"takes {declared}, not pixels: uint8 {list(expected)}")
    if (given.scale, given.zero_point) not in ((None, None), (1.0, 0)):
        raise CheckFailed(f"{given.name} scales its pixels by {given.scale} from {given.zero_point} on")
    return replace(given, shape=(1, 3, *size), dtype="float32", scale=None, zero_point=None)


def verify_signature(
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    made_for: Preprocessing,
    expected: tuple[Output, ...],
    dtype: str,
) -> None:
    """Checks what an artifact that edgevit made declares: one image in, the outputs of the model out.

    Args:
        inputs: As the file declares them.
        outputs: As the file declares them.
        made_for: Preprocessing of the model: its input size and channels.
        expected: What the model gives, in this order.
        dtype: Of all: "float32", or "int8" or "uint8", which need a scale and a zero point.

    Raises:
        CheckFailed: numbers, then names, then shapes, then types, then scales; the first that differs.
    """
    if (len(inputs), len(outputs)) != (1, len(expected)):
        raise CheckFailed(
            f"the file has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and {len(expected)} as the model"
        )
    image = ("input", (1, made_for.channels, *made_for.input_size))
    declared = (image, *((output.name, (1, *output.shape)) for output in expected))
    for spec, (name, shape) in zip((*inputs, *outputs), declared, strict=True):
        if name not in spec.name:
            raise CheckFailed(f"{name} is called {spec.name!r}")
        if spec.shape != shape:
            raise CheckFailed(f"{name} has shape {list(spec.shape)}, not {list(shape)}")
        if spec.dtype != dtype:
            raise CheckFailed(f"{name} is {spec.dtype}, not {dtype}")
        if dtype != "float32" and (spec.scale is None or spec.zero_point is None):
            raise CheckFailed(f"{name} is {dtype} without a scale and zero point")


def tolerance_of(scheme: str) -> float | None:
    """Returns the largest relative difference of an artifact's outputs from those of the model it came from.

    Args:
        scheme: Of the artifact.

    Returns:
        None for a scheme whose worth accuracy decides.
    """
    return {"fp32": FLOAT_TOLERANCE, "fp16": HALF_TOLERANCE}.get(scheme)


def far_images(logits: np.ndarray, reference: np.ndarray, tolerance: float) -> tuple[int, ...]:
    """Returns the indices of the images whose logits differ by more than the tolerance, or whose top-1 class does.

    Args:
        logits: float [n, classes] of the artifact; may be memory-mapped.
        reference: float [n, classes] of what it came from; may be memory-mapped.
        tolerance: Largest difference, relative to the largest absolute value of all of ``reference``.
    """
    if logits.shape != reference.shape:
        return ()  # compare() says so
    largest = max(float(np.max([np.abs(reference[rows]).max() for rows in row_slices(reference)])), 1e-30)
    far: list[int] = []
    for rows in row_slices(logits):
        found, wanted = logits[rows], reference[rows]
        differs = np.abs(found - wanted).max(axis=1) / largest > tolerance
        differs |= decided(found) != decided(wanted)
        far.extend(rows.start + int(index) for index in np.flatnonzero(differs))
    return tuple(far)


def compare(
    logits: np.ndarray, reference: np.ndarray, name: str, tolerance: float | None, undecided: tuple[int, ...] = ()
) -> Verification:
    """Compares logits, in pieces, so that files may be larger than memory.

    Args:
        logits: float [n, classes], n >= 1, of the artifact; may be memory-mapped.
        reference: float [n, classes] of what it came from; may be memory-mapped.
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
    compared = np.ones(len(logits), bool)
    compared[list(undecided)] = False
    if compared.sum() < LEAST_DECIDED * len(logits):
        compared[:] = True
    parts = [_differences(logits[rows], reference[rows], compared[rows]) for rows in row_slices(logits)]
    count = int(compared.sum())
    max_abs = float(np.max([part.max_abs for part in parts]))
    max_rel = max_abs / max(float(np.max([part.largest for part in parts])), 1e-30)
    agreement = sum(part.same_class for part in parts) / count
    passed = tolerance is None or (max_rel <= tolerance and agreement == 1.0)
    ratio = snr_db(sum(part.signal_power for part in parts), sum(part.noise_power for part in parts))
    return Verification(name, max_abs, max_rel, ratio, agreement, len(logits), passed, len(logits) - count)


@dataclass(frozen=True)
class _Differences:
    """Of some of the images; NaN where the reference is."""

    max_abs: float
    largest: float
    """Of the absolute values of the reference, also of the images left out."""
    same_class: int
    signal_power: float
    noise_power: float


def _differences(logits: np.ndarray, reference: np.ndarray, compared: np.ndarray) -> _Differences:
    if not np.isfinite(logits).all():
        raise CheckFailed("logits hold NaN or infinity")
    kept, wanted = logits[compared].astype(np.float64), reference[compared].astype(np.float64)
    noise = kept - wanted
    return _Differences(
        max_abs=float(np.abs(noise).max(initial=0.0)),
        largest=float(np.abs(reference).max()),
        same_class=int((decided(kept) == decided(wanted)).sum()),
        signal_power=float(np.square(wanted).sum()),
        noise_power=float(np.square(noise).sum()),
    )
