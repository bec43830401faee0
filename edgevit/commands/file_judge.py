"""What judges a float file and all that is made of it: its images, the metric, and the outputs of both."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

from edgevit.artifacts.accuracy import accuracy_of, agreement, read_answers
from edgevit.artifacts.metrics.built_in import OF_CLASSES, find_asked_metric
from edgevit.artifacts.metrics.classification import TOP1
from edgevit.artifacts.metrics.fidelity import COSINE
from edgevit.artifacts.metrics.judge import score_with_drop
from edgevit.artifacts.metrics.metric import Metric, Outputs, Predictions
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.artifacts.outputs import split_rows
from edgevit.commands.float_file import FileQuantization, FloatFile
from edgevit.data.images import ImageSet, open_images
from edgevit.data.output_labels import check_classes, match_labels
from edgevit.data.sampling import DEFAULT_CALIBRATION_SAMPLES, sample_images
from edgevit.errors import UsageError
from edgevit.results.candidate import Accuracy
from edgevit.results.metric import MetricScore
from edgevit.results.output import Output, outputs_line


def open_metric(asked: FileQuantization) -> Metric | None:
    """Returns the metric that is asked for; None where none is.

    Raises:
        UsageError: there is no such metric, or the largest drop is not one of its unit.
    """
    metric, limit = None if asked.metric is None else find_asked_metric(asked.metric), asked.limit
    is_share = metric is None or metric.unit == "%"
    if not is_share and asked.max_drop is None:
        raise UsageError(
            f"the largest drop is not said, and {asked.metric} has a unit of its own",
            "say how much of it may be lost: --max-drop",
        )
    if not 0 <= limit <= (100 if is_share else sys.float_info.max):
        what, valid = ("in percentage points", "0 to 100") if is_share else ("of a metric", "0 or more")
        raise UsageError(f"--max-drop {limit:g} is no drop {what}", f"give {valid}")
    return metric


@dataclass(frozen=True)
class JudgedImages:
    """What a file is calibrated and judged with."""

    calibration: ImageSet
    judging: ImageSet | None
    """With labels as outputs of the file where it has classes; None to judge without labels on the calibration images."""
    metric: Metric | None
    """That is asked for."""


def open_judged_images(asked: FileQuantization, file: FloatFile, metric: Metric | None) -> JudgedImages:
    """Opens the images to calibrate and to judge with.

    Args:
        asked: Names their sources.
        file: What the float file says of itself.
        metric: That is asked for.

    Raises:
        UsageError: they cannot be opened, or do not go with the file or the metric.
    """
    calibration = open_images(asked.calibration, "training")
    if len(calibration) > DEFAULT_CALIBRATION_SAMPLES:
        calibration = sample_images(calibration, DEFAULT_CALIBRATION_SAMPLES, asked.seed, "calibration")
    if file.named_outputs and asked.class_offset is not None:
        raise UsageError(f"--class-offset is given, and {asked.artifact} has no classes", "leave it out")
    if metric and file.named_outputs and metric.name in OF_CLASSES:
        raise UsageError(
            f"--metric {metric.name} is for classifiers, and {asked.artifact} gives {outputs_line(file.named_outputs)}",
            "give cosine, snr in dB, or package.module:function of your own, which reads the outputs by name",
        )
    if metric is MIOU:
        raise UsageError(
            "--metric miou compares with masks, which quantize does not take",
            "give cosine, or snr in dB, and score what is written: edgevit eval … --masks DIR",
        )
    judging = None
    if asked.evaluation is not None:
        judging = match_labels(open_images(asked.evaluation), file.classes, asked.class_offset)
        if metric in (None, TOP1) and not file.named_outputs:
            check_classes(judging)
    is_labelled = judging is not None and judging.targets is not None
    if metric and metric.needs_labels and not is_labelled:
        raise UsageError(
            f"--metric {metric.name} needs labels, and the images have none",
            "give --data with labels: a folder of class sub-folders, or one with labels.csv",
        )
    if judging and metric is None and not is_labelled and not file.named_outputs:
        raise UsageError(f"{judging.source} has no labels", "a folder of class sub-folders, or one with labels.csv")
    return JudgedImages(calibration, judging, metric)


@dataclass(frozen=True)
class FileJudge:
    """What judges the file and all that is made of it, by their outputs."""

    metric: Metric | None
    """None for top-1, without labels agreement; cosine similarity of a file without classes."""
    named: tuple[Output, ...]
    """Of a file without classes."""
    labels: tuple[int, ...] | None
    """The class of each image; None without such labels."""
    targets: np.ndarray | None
    """Labels as a metric reads them."""
    original: np.ndarray
    """What the float file gives, float32 [images, values]."""

    def accuracy(self, logits: np.ndarray) -> Accuracy:
        """Of outputs float32 [images, values], beside those of the float file.

        Raises:
            UsageError: the metric cannot be taken.
        """
        if self.named:
            outputs, reference = (split_rows(rows, self.named) for rows in (logits, self.original))
            return Accuracy(None, None, len(logits), None, metric=self._score(COSINE, outputs, reference))
        answers, original = (read_answers(rows, self.labels) for rows in (logits, self.original))
        accuracy = replace(accuracy_of(answers, original), agreement=agreement(answers, original))
        if self.metric is None or self.metric is TOP1:
            return accuracy
        return replace(accuracy, metric=self._score(self.metric, {"logits": logits}, {"logits": self.original}))

    def _score(self, default: Metric, outputs: Outputs, reference: Outputs) -> MetricScore:
        predictions = Predictions(outputs, reference, self.targets)
        return score_with_drop(self.metric or default, predictions, resamples=False)
