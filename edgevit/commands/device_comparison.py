"""Predictions for a device beside what was measured on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median

from edgevit.commands.anchors import read_measured
from edgevit.devices.device import load_device
from edgevit.devices.predict import MeasuredFile, Predictions, PredictMeasuredJob, predict_measured
from edgevit.results.device_comparison import ComparedPrediction, DeviceComparison
from edgevit.results.measurement import Prediction
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task


def compare_with_measured(device: str, measured: Sequence[str], progress: Progress) -> DeviceComparison:
    """Predicts each measured artifact, without its measurement, and compares.

    Args:
        device: Its name, or its TOML file.
        measured: FILE=LATENCY, folders of runs, or JSON documents of ``edgevit bench``; at least one.
        progress: Progress callback.

    Raises:
        UsageError: there is no such device; something is no measurement, of another machine, or disturbed; or its artifact is
            not there or cannot be read.
    """
    facts = load_device(device)
    files = tuple(each for text in measured for each in read_measured(text, facts))
    with child_runner(progress) as children:
        job = PredictMeasuredJob(files, facts)
        found = children.run(f"predict for {facts.name}", Task(predict_measured, job, Predictions))
    rows = tuple(map(_compared, files, found.predictions))
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return DeviceComparison(
        device=facts.name,
        files=rows,
        predicted=len(ratios),
        inside=sum(row.inside is True for row in rows),
        median_error=median(abs(1 / ratio - 1) for ratio in ratios) if ratios else None,
        median_ratio=median(ratios) if ratios else None,
    )


def _compared(measured: MeasuredFile, prediction: Prediction) -> ComparedPrediction:
    predicted = prediction.latency_ms
    return ComparedPrediction(
        artifact=os.path.relpath(measured.file),
        unit=prediction.unit,
        measured_ms=measured.ms,
        predicted_ms=predicted,
        ratio=None if predicted is None else measured.ms / predicted.p50,
        inside=None if predicted is None else predicted.low <= measured.ms <= predicted.high,
        basis=prediction.basis,
    )
