"""``edgevit.quantize`` in Python: a float file of anyone to int8."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from edgevit.api.metric_name import OwnMetric, metric_name
from edgevit.api.overrides import overrides_of_file
from edgevit.api.progress import ProgressCallback, told
from edgevit.api.source_for_file import source_for_file
from edgevit.api.stored_images import Images
from edgevit.commands.float_file import FileQuantization
from edgevit.commands.quantize import default_out, quantize_file
from edgevit.results.artifact import Preprocessing
from edgevit.results.quantized_file import QuantizedFile


def quantize(
    file: Path | str,
    calibration: Images,
    *,
    out: Path | str | None = None,
    evaluation: Images | None = None,
    scheme: str | None = None,
    metric: OwnMetric | str | None = None,
    max_drop: float | None = None,
    max_minutes: float = 20.0,
    preprocessing: Preprocessing | None = None,
    class_offset: int | None = None,
    threads: int = 1,
    progress: ProgressCallback | None = None,
) -> QuantizedFile:
    """Quantizes a float32 file, also one of others, and verifies it, as ``edgevit quantize`` does.

    Args:
        file: An .onnx, .xml or .tflite file of a classifier.
        calibration: Images to calibrate with, see :data:`Images`.
        out: The file to write; ``<name>.<scheme>.<suffix>`` beside ``file`` when None.
        evaluation: Labelled images to judge by; agreement on the calibration images when None.
        scheme: Such as "static_wi8_ai8"; the first of the policy when None.
        metric: What to judge by, see :func:`edgevit.compress`; top-1, without labels agreement, when None.
        max_drop: Drop that is allowed, in percentage points, 1 when None, or in the unit of the metric; repair is tried until
            it is kept.
        max_minutes: After which nothing further is tried.
        preprocessing: What the file states, or the run that it lies in, when None; the input size is always the file's.
        class_offset: Output of class 0, see :class:`edgevit.spec.spec.DataSpec`.
        threads: CPU threads.
        progress: Receives what is done, see :class:`ProgressEvent`.

    Returns:
        The file that was written, and what it lost; it is written whether or not the drop is within ``max_drop``.

    Raises:
        UsageError: the file cannot be quantized, there is one at ``out``, or images or preprocessing are missing.
        CandidateFailed: nothing that was tried gave a file.
        DiskFull: there was no space left.
    """
    source, overrides = Path(file), overrides_of_file(preprocessing)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as name:
        store = partial(source_for_file, source, overrides, folder=Path(name))
        asked = FileQuantization(
            artifact=source,
            out=Path(out) if out else default_out(source, scheme),
            calibration=store(calibration, "calibration"),
            evaluation=None if evaluation is None else store(evaluation, "evaluation"),
            scheme=scheme,
            preprocessing=overrides,
            class_offset=class_offset,
            max_drop=max_drop,
            metric=None if metric is None else metric_name(metric),
            max_minutes=max_minutes,
            threads=threads,
        )
        return quantize_file(asked, told("quantize", progress))
