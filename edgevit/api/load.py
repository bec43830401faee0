"""``edgevit.load``: an artifact that names what is in an image; needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.api.overrides import overrides_of_file
from edgevit.artifacts.classifier import Classifier, open_classifier
from edgevit.artifacts.usage import usage_of
from edgevit.results.artifact import Preprocessing

__all__ = ["Classifier", "load"]


def load(
    file: str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
    threads: int = 1,
) -> Classifier:
    """Loads an artifact to classify images with; needs no PyTorch.

    Args:
        file: An .onnx, .xml or .tflite file, of edgevit or anyone.
        preprocessing: In place of what the file states; its input size is not used, for that is the file's own.
        labels: Name of the class of each output, in place of those that the file states.
        threads: CPU threads.

    Returns:
        The classifier: ``load("model.tflite").classify("photo.jpg")``.

    Raises:
        UsageError: the file cannot be read or loaded, is not a classifier of single images, or does not state how images are
            preprocessed, or its runtime is not installed.
    """
    path = Path(file)
    return open_classifier(path, usage_of(path, overrides_of_file(preprocessing)), labels, threads)
