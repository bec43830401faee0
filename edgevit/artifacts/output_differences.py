"""Compares the outputs of an artifact that is no classifier with those of the float model it came from, output by output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from edgevit.artifacts.outputs import split_rows
from edgevit.artifacts.signal_to_noise import snr_db
from edgevit.data.row_file import row_slices
from edgevit.errors import CheckFailed
from edgevit.results.candidate import OutputDifference, Verification
from edgevit.results.output import Output


def compare_outputs(
    rows: np.ndarray, reference: np.ndarray, name: str, tolerance: float | None, outputs: tuple[Output, ...]
) -> Verification:
    """Compares outputs, in pieces, so that files may be larger than memory.

    Args:
        rows: float [n, values], n >= 1, of the artifact, see :func:`edgevit.artifacts.outputs.split_rows`.
        reference: float [n, values] of what it came from.
        name: What the reference is.
        tolerance: Largest relative difference of each output; None for a quantized artifact, whose worth the metric decides.
        outputs: In the order of the values.

    Returns:
        The largest differences and the least signal-to-noise ratio of all outputs, and each output's own; ``passed`` is whether
        every output is within ``tolerance``, without a tolerance always true.

    Raises:
        CheckFailed: shapes differ, or the artifact gave NaN or infinity.
    """
    if rows.shape != reference.shape:
        raise CheckFailed(f"outputs have shape {list(rows.shape)}, those of {name} {list(reference.shape)}")
    sums = {output.name: _Sums() for output in outputs}
    for part in row_slices(rows):
        found, wanted = (split_rows(np.asarray(array[part]), outputs) for array in (rows, reference))
        for output in outputs:
            if not np.isfinite(found[output.name]).all():
                raise CheckFailed(f"the output {output.name} holds NaN or infinity")
            sums[output.name] = sums[output.name].and_then(_sums(found[output.name], wanted[output.name]))
    each = tuple(sums[output.name].difference(output, len(rows)) for output in outputs)
    noisy = [difference.snr_db for difference in each if difference.snr_db is not None]
    return Verification(
        reference=name,
        max_abs_diff=_largest([difference.max_abs_diff for difference in each]),
        max_rel_diff=_largest([difference.max_rel_diff for difference in each]),
        snr_db=min(noisy, default=None),
        top1_agreement=None,
        samples=len(rows),
        passed=tolerance is None or all(difference.max_rel_diff <= tolerance for difference in each),
        outputs=each,
    )


def cosines(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the cosine similarity of an output to a reference for each image, float64 [n] in -1..1.

    Two outputs that are zero everywhere are alike: 1; if only one is, 0.

    Args:
        found: float [n, ...].
        wanted: float [n, ...].
    """
    ours, theirs = (np.asarray(array, np.float64).reshape(len(array), -1) for array in (found, wanted))
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    both_zero = ~(ours.any(axis=1) | theirs.any(axis=1))
    similar = np.einsum("ij,ij->i", ours, theirs) / np.where(lengths > 0, lengths, 1)
    return np.where(both_zero, 1.0, similar.clip(-1, 1))


@dataclass(frozen=True)
class _Sums:
    """Of some of the images; NaN where the reference is."""

    max_abs: float = 0.0
    largest: float = 0.0
    signal_power: float = 0.0
    noise_power: float = 0.0
    cosine: float = 0.0

    def and_then(self, later: _Sums) -> _Sums:
        """Returns those of both."""
        return _Sums(
            _largest([self.max_abs, later.max_abs]),
            _largest([self.largest, later.largest]),
            self.signal_power + later.signal_power,
            self.noise_power + later.noise_power,
            self.cosine + later.cosine,
        )

    def difference(self, output: Output, images: int) -> OutputDifference:
        """Returns what they say of an output."""
        return OutputDifference(
            name=output.name,
            shape=output.shape,
            max_abs_diff=self.max_abs,
            max_rel_diff=self.max_abs / max(self.largest, 1e-30),
            snr_db=snr_db(self.signal_power, self.noise_power),
            cosine=self.cosine / images,
        )


def _sums(found: np.ndarray, wanted: np.ndarray) -> _Sums:
    reference = wanted.astype(np.float64)
    noise = found.astype(np.float64) - reference
    return _Sums(
        max_abs=float(np.abs(noise).max()),
        largest=float(np.abs(reference).max()),
        signal_power=float(np.square(reference).sum()),
        noise_power=float(np.square(noise).sum()),
        cosine=float(cosines(found, wanted).sum()),
    )


def _largest(values: list[float]) -> float:
    """NaN where one is: unlike ``max``, which then depends on the order."""
    return float(reduce(np.maximum, values))
