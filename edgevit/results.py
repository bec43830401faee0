"""What edgevit makes: frozen values with units in their names, and ``run.json``, which holds them.

Latencies are in milliseconds, memory in bytes, accuracy is a fraction in 0..1, drops are percentage points.
No torch, numpy or runtime is needed to read or judge a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from edgevit.errors import UsageError
from edgevit.recipe import Recipe

SCHEMA_VERSION: Final = 1

Status = Literal["ok", "rejected", "failed"]
HOST = "host"
"""Name of the device on which the run itself takes place."""


@dataclass(frozen=True)
class Preprocessing:
    """What has to be done to an image before the model sees it, in timm's words.

    The image is resized to ``floor(input_size / crop_pct)``, by its shorter side (``crop_mode`` "center") or by both
    sides whatever its aspect ratio ("squash"), and the centre is cropped; then ``(pixel / 255 - mean) / std`` per RGB channel.
    """

    input_size: tuple[int, int]
    """Height and width in pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    crop_pct: float = 1.0
    crop_mode: Literal["center", "squash"] = "center"


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of an artifact as the file declares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """numpy's name, such as "float32" or "int8"."""
    layout: str
    """"NCHW" or "NHWC" for images, "NC" for logits, "" when unknown."""
    scale: float | None = None
    """Quantization scale of an integer tensor: value = scale * (stored - zero_point)."""
    zero_point: int | None = None


@dataclass(frozen=True)
class PassRecord:
    """One pass that a model went through and what it changed."""

    name: str
    settings: str
    """The pass as the user wrote it, such as "evit:0.7@4,7,10"."""
    macs_before: int
    macs_after: int
    top1_before: float | None = None
    top1_after: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Artifact:
    """One exported model."""

    path: str
    """Main file, relative to the run folder."""
    files: tuple[str, ...]
    """Every file that belongs to it, relative to the run folder."""
    sha256: str
    """Of the contents of ``files`` in that order."""
    size_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing
    int8_mac_share: float
    """Share of the MACs, 0..1, whose weights and activations are multiplied as int8."""
    macs: int
    params: int
    numerics: str = "float"
    """How its layers multiply, read from the file: "float", "static int8", "dynamic int8", "static and dynamic int8",
    "static int16" or "weights only"."""
    float_islands: int = 0
    """Layers with weights that multiply in float although others of the artifact are quantized."""
    conversions: int = 0
    """Ops that convert between number formats."""


@dataclass(frozen=True)
class Verification:
    """An artifact against the float model it came from, on the same inputs."""

    reference: str
    """"pytorch", or the id of the float candidate."""
    max_abs_diff: float
    max_rel_diff: float
    """Largest absolute difference over the largest absolute value of the reference."""
    snr_db: float | None
    """Signal-to-noise ratio of the logits; None when they are identical."""
    top1_agreement: float
    samples: int
    passed: bool
    undecided: int = 0
    """Images left out because rounding decided which token stays, so that no two runtimes need agree on them."""


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on labelled images; None where there are no labels."""

    top1: float | None
    top5: float | None
    samples: int
    drop_points: float | None
    """Top-1 of the baseline minus this one, in percentage points, on the same images."""


@dataclass(frozen=True)
class LatencyMs:
    """Milliseconds for one image."""

    min: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Conditions:
    """Under which circumstances a measurement was taken."""

    runtime: str
    runtime_version: str
    precision: str
    """Inference precision that the runtime was asked for, such as "f32" or "bf16" in OpenVINO."""
    delegate: str
    """What executed the graph: execution provider, plugin or delegate, with partitions where it tells."""
    warmup_runs: int
    runs: int
    batch: int
    governor: str
    load_average: float
    """One-minute load average of the host when the measurement began."""


@dataclass(frozen=True)
class Measurement:
    """Latency and memory of an artifact, measured in a process of its own on a named device."""

    device: str
    latency_ms: LatencyMs
    samples_ms: tuple[float, ...]
    load_ms: float
    first_run_ms: float
    peak_rss_bytes: int
    rss_delta_bytes: int
    """Peak resident memory minus that of the process with the empty runtime loaded."""
    threads: int
    conditions: Conditions
    source: Literal["measured"] = "measured"


@dataclass(frozen=True)
class LatencyInterval:
    """A predicted latency in milliseconds and the interval it is believed to lie in."""

    p50: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """Latency and memory predicted for a device that was not there."""

    device: str
    unit: str
    """Compute unit of the device, such as "cpu" or "npu"."""
    latency_ms: LatencyInterval | None
    """None when the unit cannot run the artifact."""
    peak_memory_bytes: int
    basis: str
    unsupported_ops: tuple[str, ...]
    source: Literal["predicted"] = "predicted"

    @property
    def supported(self) -> bool:
        """Whether every op of the artifact runs on the unit."""
        return self.latency_ms is not None and not self.unsupported_ops


@dataclass(frozen=True)
class Contribution:
    """What one step on the way to an artifact changed: the artifact against the one it was made from."""

    name: str
    """"reduce_tokens", "resize" or "quantize"."""
    settings: str
    """The token plan, or the scheme and how it was carried out."""
    macs_before: int
    macs_after: int
    ms_before: float
    """Of both artifacts on this host, run in turn in one process, see :mod:`edgevit.measure.duel`."""
    ms_after: float
    lost_points: float | None
    """Of top-1, or, without labels, more images on which the class differs from the float model's; in percentage
    points, below 0 where there was a gain. None where images are made up."""

    @property
    def speed_up(self) -> float:
        """How many times faster."""
        return self.ms_before / self.ms_after


@dataclass(frozen=True)
class Attempt:
    """One way of quantizing a candidate that was tried."""

    rung: str
    """"policy" for the first guess, else the rung of the repair ladder."""
    recipe: Recipe
    top1: float | None
    agreement: float | None
    """With the float model, as a fraction."""
    lost_points: float | None
    """Drop of top-1 against the float model as brought; without labels, share of images it disagrees on; in
    percentage points. None where it could not be made or judged."""
    seconds: float
    """What it cost, with what had to be found out for it."""
    note: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class Candidate:
    """One artifact with all that is known of it, or the reason why there is none."""

    id: str
    backend: str
    format: str
    scheme: str
    passes: tuple[PassRecord, ...] = ()
    parent: str | None = None
    """Id of the float candidate that this one is compared with; None for a dense float one."""
    recipe: Recipe | None = None
    """How it was quantized; None for a float one."""
    attempts: tuple[Attempt, ...] = ()
    """What was tried on the repair ladder, in order; the recipe is that of the best."""
    artifact: Artifact | None = None
    verification: Verification | None = None
    accuracy: Accuracy | None = None
    measurements: tuple[Measurement, ...] = ()
    speed_up: float | None = None
    """How many times faster than ``parent`` on this host, run in turn in one process, see :mod:`edgevit.measure.duel`."""
    contributions: tuple[Contribution, ...] = ()
    """Step by step from the dense float candidate of the same backend to this one; none for that one itself."""
    predictions: tuple[Prediction, ...] = ()
    status: Status = "ok"
    reasons: tuple[str, ...] = ()

    def measurement(self, device: str = HOST) -> Measurement | None:
        """Returns the measurement taken on ``device``, or None."""
        return next((m for m in self.measurements if m.device == device), None)

    @property
    def p50_ms(self) -> float | None:
        """Median latency on this host, or None when it was not measured."""
        measurement = self.measurement()
        return measurement.latency_ms.p50 if measurement else None


@dataclass(frozen=True)
class Baseline:
    """The float model as the user brought it, run by PyTorch."""

    top1: float | None
    top5: float | None
    samples: int
    params: int
    macs: int
    latency_ms: LatencyMs | None


@dataclass(frozen=True)
class Host:
    """Fingerprint of the machine that a run was made on."""

    cpu: str
    cores: int
    isa: tuple[str, ...]
    memory_bytes: int
    os: str
    python: str
    governor: str
    threads: int


@dataclass(frozen=True)
class Stage:
    """One finished stage of the main path."""

    name: str
    seconds: float
    status: Literal["done", "failed"]


@dataclass(frozen=True)
class CalibrationRecord:
    """Which images calibrated the quantizers."""

    source: str
    ids: tuple[str, ...]
    sha256: str
    """Of the sorted sha256 digests of the images."""
    seed: int
    """Of the choice among the images of the source."""
    images_sha256: tuple[str, ...] = ()
    """Digest of every image as stored, sorted, so not in the order of ``ids``; none in runs of an earlier version."""
    count: int | None = None
    """Number of images; None in runs of an earlier version."""
    warnings: tuple[str, ...] = ()
    """Why quantizers calibrated with these images may not be trusted; see :mod:`edgevit.calibration`."""


@dataclass(frozen=True)
class BlockPoint:
    """Time of one transformer block on a target."""

    tokens: int
    """All that go through it, prefix tokens included."""
    ms: float


@dataclass(frozen=True)
class SitePoint:
    """What reducing tokens in a block costs on a target, beyond the time of the block itself."""

    method: str
    tokens: int
    """All that enter the block, prefix tokens included."""
    ms: float
    form: str
    """How the faster of the two graphs picks tokens: "gather" or "arithmetic"."""


@dataclass(frozen=True)
class TriedPlan:
    """A token plan that was carried out in PyTorch."""

    plan: str
    predicted_ms: float
    """All blocks, by the table of block times."""
    damage: float
    """What single sites did to the model's answers, added up; in nats."""
    lost_points: float
    """Drop of top-1; without labels, share of images with another class; in percentage points."""


@dataclass(frozen=True)
class TokenSearch:
    """How the token plan of one backend was found."""

    backend: str
    target: str
    """"host", or the name of a device."""
    source: Literal["measured", "predicted"]
    """Where the block times come from: this host, or the cost model of a device."""
    dense_ms: float
    """All blocks with all tokens, by the table."""
    blocks: tuple[BlockPoint, ...]
    """In float32, whatever follows; by rising number of tokens."""
    sites: tuple[SitePoint, ...]
    prefix: int
    """Class, distillation and register tokens, which plans do not count and the numbers here do."""
    steps: tuple[int, ...]
    """Numbers of tokens that the search used: no larger one is as fast. Falling; the first is all of them."""
    tried: tuple[TriedPlan, ...]
    """In the order of trying."""
    plan: str | None
    """None if no plan is both faster and within the limit."""
    predicted_ms: float | None
    limit_points: float
    """Lost points allowed."""
    samples: int
    """Images that lost points were counted on."""
    note: str = ""
    """Why there is no plan."""


@dataclass(frozen=True)
class Run:
    """One run: the whole truth of a run folder, as in its ``run.json``."""

    edgevit_version: str
    created_at: str
    """UTC, ISO 8601."""
    seed: int
    spec: dict[str, Any]
    """The resolved spec, as JSON."""
    spec_sha256: str
    host: Host
    tool_versions: dict[str, str]
    baseline: Baseline
    candidates: tuple[Candidate, ...]
    selected: str | None
    stages: tuple[Stage, ...]
    calibration: CalibrationRecord | None = None
    notes: tuple[str, ...] = field(default=())
    token_searches: tuple[TokenSearch, ...] = ()
    """For each backend where ``--tokens auto`` was asked for: one, and a more careful one where integers spoiled it."""
    schema_version: Literal[1] = SCHEMA_VERSION

    def candidate(self, candidate_id: str) -> Candidate:
        """Returns the candidate with that id.

        Raises:
            KeyError: there is none.
        """
        for candidate in self.candidates:
            if candidate.id == candidate_id:
                return candidate
        raise KeyError(candidate_id)

    @property
    def chosen(self) -> Candidate | None:
        """The selected candidate, or None."""
        return self.candidate(self.selected) if self.selected else None


_RUN = TypeAdapter(Run)


def run_to_json(run: Run) -> bytes:
    """Returns ``run`` as an indented JSON document; a NaN or infinity in it is a bug and raises ValueError."""
    return _RUN.dump_json(run, indent=1) + b"\n"


def run_json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``run.json``."""
    return _RUN.json_schema(mode="serialization")


def load_run(path: Path) -> Run:
    """Reads a run from its folder or from its ``run.json``.

    Raises:
        UsageError: the file is missing, not JSON, of another schema version, or not a run.
    """
    file = path / "run.json" if path.is_dir() else path
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read a run at {file}: {error.strerror or error}",
            "give the folder that `edgevit compress --out DIR` wrote, or its run.json",
        ) from error
    try:
        return _RUN.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise UsageError(
            f"{file} is not a run of schema version {SCHEMA_VERSION}: {where}: {first['msg']}",
            "the file was cut, edited, or written by another version of edgevit; run `edgevit compress` again",
        ) from error


def find_run(folder: Path) -> Run | None:
    """Reads the run of a folder, or returns None where there is no ``run.json``."""
    is_ours = all((folder / name).is_file() for name in ("begin.json", "run.json"))
    return load_run(folder) if is_ours else None


def to_document(value: Any) -> Any:
    """Returns a frozen value of this package as plain JSON values."""
    return TypeAdapter(type(value)).dump_python(value, mode="json")
