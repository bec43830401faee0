"""A loaded artifact that names what is in an image. Needs numpy, Pillow and one runtime, so that it works on a board."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import check_classifier, class_count, preprocessing_for, run_once
from edgevit.artifacts.tiled import reduce_logits
from edgevit.artifacts.usage import Usage
from edgevit.artifacts.use_script import USE_SCRIPT
from edgevit.backends import Session, backend_of_file
from edgevit.data.preprocess import fed_views
from edgevit.data.single_image import AnyImage, read_single_image
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.output import outputs_line
from edgevit.run.packages import import_failure
from edgevit.spec.schemes import SCHEMES


class Classifier:
    """An artifact in memory, with all that it takes to use it."""

    def __init__(self, session: Session, preprocessing: Preprocessing, labels: tuple[str, ...]) -> None:
        self._session = session
        self.preprocessing = preprocessing
        """What is done to an image."""
        self.labels = labels
        """What the class of each output is called."""

    def __repr__(self) -> str:
        height, width = self.preprocessing.input_size
        return (
            f"<Classifier of {len(self.labels)} classes, images of {height} x {width} pixels, {self._session.delegate}>"
        )

    def classify(self, image: AnyImage) -> list[tuple[str, float]]:
        """Names what is in an image.

        Args:
            image: The path of a file, an image of Pillow, or uint8 pixels [h, w, channels] of any size; of an artifact that takes
                arrays, one of floats, or the path of an .npy that holds it.

        Returns:
            The label and the probability, 0..1, of every class, most probable first.

        Raises:
            UsageError: the image cannot be read, or the artifact answers with NaN or infinity.
        """
        return self.answer_views(self.views(image))

    def prepare(self, image: AnyImage) -> np.ndarray:
        """Reads and preprocesses an image; see :meth:`classify`.

        Returns:
            float32 [1, channels, h, w]; for a file that normalizes by itself, uint8 [1, h, w, 3]; of an image in tiles all of them
            along the first axis.
        """
        return np.concatenate(list(self.views(image)))

    def views(self, image: AnyImage) -> Iterator[np.ndarray]:
        """Reads an image; then yields it preprocessed, or one of its tiles after the other.

        Yields:
            float32 [1, channels, h, w], or uint8 [1, h, w, 3], see :meth:`prepare`.
        """
        return fed_views(read_single_image(image, self.preprocessing), self.preprocessing)

    def answer(self, pixels: np.ndarray) -> list[tuple[str, float]]:
        """Runs the artifact on what :meth:`prepare` returned.

        Args:
            pixels: float32 [1, channels, h, w], or uint8 [1, h, w, 3]; of an image in tiles [tiles, …].

        Returns:
            See :meth:`classify`.

        Raises:
            UsageError: the artifact answers with NaN or infinity.
        """
        return self.answer_views(view[None] for view in pixels)

    def answer_views(self, views: Iterable[np.ndarray]) -> list[tuple[str, float]]:
        """Runs the artifact on what :meth:`views` yields, one at a time.

        Args:
            views: float32 [1, channels, h, w], or uint8 [1, h, w, 3], at least one; of an image that is not in tiles one.

        Returns:
            See :meth:`classify`.

        Raises:
            UsageError: the artifact answers with NaN or infinity.
        """
        rows = np.concatenate([run_once(self._session, view) for view in views])
        tiles = self.preprocessing.tiles
        logits = rows[0] if tiles is None else reduce_logits(rows, tiles.reduce)
        if not np.isfinite(logits).all():
            raise UsageError("the artifact answers with NaN or infinity", "check it: edgevit eval FILE --data IMAGES")
        if len(logits) == 1:  # it decides between two classes by its sign
            logits = np.array([0, logits[0]], np.float32)
        odds = np.exp(logits.astype(np.float64) - logits.max())
        probabilities = odds / odds.sum()
        return [(self.labels[index], float(probabilities[index])) for index in np.argsort(-odds, kind="stable")]


def open_classifier(path: Path, usage: Usage, labels: Sequence[str] | None, threads: int) -> Classifier:
    """Loads an artifact whose use is known.

    Args:
        path: The file.
        usage: How it is used.
        labels: In place of those of ``usage``.
        threads: CPU threads.

    Raises:
        UsageError: the file cannot be loaded, is not a classifier of single images, or needs a runtime that is not installed; or
            the labels are not as many as the classes.
    """
    if usage.contract and usage.contract.outputs:
        raise UsageError(
            f"{path} is no classifier: it gives {outputs_line(usage.contract.outputs)} and names no classes",
            f"run it with {path.with_name(USE_SCRIPT)}, or judge it: edgevit eval {path} --data IMAGES --reference FLOAT_FILE",
        )
    scheme = SCHEMES.get(usage.contract.scheme) if usage.contract else None
    try:
        session = backend_of_file(path).open_session(path, threads, scheme.precision if scheme else "f32")
    except ImportError as error:
        failure = import_failure(error)
        if failure is None:
            raise
        raise failure from error
    check_classifier(session)
    contract = preprocessing_for(session.inputs[0], usage.preprocessing)
    return Classifier(session, contract, _labels(path, labels or usage.classes, max(class_count(session), 2)))


def _labels(path: Path, names: Sequence[str], classes: int) -> tuple[str, ...]:
    """The names, or numbers where there are none."""
    if names and len(names) != classes:
        raise UsageError(
            f"{path} has {classes} classes, and {len(names)} labels are given",
            "name every class, in the order of its outputs",
        )
    return tuple(names) or tuple(f"class {output}" for output in range(classes))
