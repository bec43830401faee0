"""What ``edgevit quantize`` is asked for, and the float file that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.artifacts.feed import check_takes_image, class_count, has_one_row
from edgevit.artifacts.outputs import outputs_of_file
from edgevit.backends import get_backend
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec
from edgevit.results.output import Output
from edgevit.spec.spec import PreprocessingOverrides
from edgevit.tokens.selection_ops import has_attention


@dataclass(frozen=True)
class FileQuantization:
    """What is asked of a float file."""

    artifact: Path
    out: Path
    """Where to write the quantized file, beside which files of weights go."""
    calibration: str
    """Source of images, with or without labels."""
    evaluation: str | None
    """Source of labelled images to judge by; agreement with the float file on the calibration images when None."""
    scheme: str | None
    """The policy's first when None."""
    preprocessing: PreprocessingOverrides
    """What the user gave; the input size is the file's own."""
    class_offset: int | None
    max_drop: float | None
    """In percentage points, or in the unit of ``metric``, for which it has to be given; 1 point when None."""
    max_minutes: float
    """After which no further rung of the ladder is tried."""
    threads: int
    embed_preprocessing: bool = False
    """Whether the quantized file takes pixels and normalizes them by itself."""
    seed: int = 0
    device: str | None = None
    """Name or file of the device that the file is for; this machine's processor when None."""
    metric: str | None = None
    """To judge by, see :func:`edgevit.artifacts.metrics.built_in.find_metric`; top-1, without labels agreement, and without
    classes cosine similarity, when None."""

    @property
    def limit(self) -> float:
        """The largest drop."""
        return 1.0 if self.max_drop is None else self.max_drop


@dataclass(frozen=True)
class FloatFile:
    """What a float file says of itself."""

    input: TensorSpec
    classes: int
    """0 of a model that is no classifier."""
    transformer: bool
    named_outputs: tuple[Output, ...] = ()
    """Of a model that is no classifier."""


@dataclass(frozen=True)
class ReadFloatJob:
    """A file to quantize."""

    backend: str
    artifact: Path
    outputs: tuple[Output, ...]
    """That its contract states, of a model that is no classifier."""


def read_float_file(job: ReadFloatJob) -> FloatFile:
    """Reads what quantizing a file depends on.

    Raises:
        UsageError: it is damaged, does not take single RGB images, or is quantized already.
    """
    backend = get_backend(job.backend)
    graph = backend.read_graph(job.artifact)
    if graph.numerics != "float":
        raise UsageError(
            f"{job.artifact} is not a float32 file: its layers are {graph.numerics}",
            "give the float32 file that it was made from",
        )
    session = backend.open_session(job.artifact, 1, "f32")
    check_takes_image(session)
    if session.inputs[0].dtype != "float32":
        raise UsageError(
            f"{job.artifact} takes {session.inputs[0].dtype}, not float32: normalization is in its graph, where quantizing would"
            " round it",
            "give the file without embedded preprocessing; --embed-preprocessing then puts it into the quantized one",
        )
    named = job.outputs or (() if has_one_row(session) else outputs_of_file(session.outputs))
    return FloatFile(
        session.inputs[0],
        0 if named else class_count(session),
        has_attention(graph),
        named,
    )
