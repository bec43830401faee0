"""``edgevit.verify`` in Python: whether an artifact computes what the float model does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.api.overrides import overrides_of_file
from edgevit.api.progress import ProgressCallback, told
from edgevit.api.source_for_file import source_for_file
from edgevit.api.stored_images import Images
from edgevit.backends import all_backends
from edgevit.commands.verify import FileVerification, verify_file
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Verification
from edgevit.spec.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def verify(
    file: Path | str,
    reference: nn.Module | ModelSpec | Path | str,
    images: Images,
    *,
    preprocessing: Preprocessing | None = None,
    samples: int | None = None,
    tolerance: float | None = None,
    threads: int = 1,
    progress: ProgressCallback | None = None,
) -> Verification:
    """Compares an artifact file with the float model it came from, on the same images.

    Args:
        file: An .onnx, .xml or .tflite file; it need not be edgevit's.
        reference: The module, float32 [n, 3, h, w] to logits [n, classes] or to maps or named outputs; a captured program (.pt2) or a float artifact file;
            or how to load a model: a :class:`ModelSpec`, or its name.
        images: What to compare on; labels are not used. See :data:`Images`.
        preprocessing: What the file states, or the run that it lies in, when None; the input size is always the file's.
        samples: Images to compare on, chosen by a fixed seed; all when None.
        tolerance: Largest difference of an output, relative to the largest value of the reference. When None, 1e-4 for a float32
            file, 2e-2 for float16, and no limit for a quantized one, whose worth accuracy decides.
        threads: CPU threads.
        progress: Receives what is done, see :class:`ProgressEvent`.

    Returns:
        The differences; ``passed`` is whether all are within the tolerance and, of a classifier, the top-1 class is always the
        same.

    Raises:
        UsageError: a file cannot be read or run, images cannot be read, or the preprocessing is not known.
        CheckFailed: the outputs have other shapes, or hold NaN or infinity.
    """
    if isinstance(reference, str | Path):
        path = Path(reference)
        is_file = path.suffix.lower() == ".pt2" or isinstance(reference, Path) or _is_artifact(path)
        reference = path if is_file else ModelSpec(name=str(reference))
    overrides = overrides_of_file(preprocessing)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
        asked = FileVerification(
            artifact=Path(file),
            images=source_for_file(Path(file), overrides, images, "evaluation", Path(folder)),
            samples=samples,
            preprocessing=overrides,
            tolerance=tolerance,
            threads=threads,
        )
        return verify_file(asked, reference, told("verify", progress))


def _is_artifact(path: Path) -> bool:
    return any(path.suffix.lower() == backend.suffix for backend in all_backends())
