"""Quantizes a float artifact of anyone, by the recipes and the repair ladder of a run, as far as they need no PyTorch model."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from edgevit.artifacts.accuracy import accuracy_of, agreement, read_answers
from edgevit.artifacts.embed import EmbedJob, check_embeddable, embed_preprocessing
from edgevit.artifacts.evaluate import (
    InferenceJob,
    LogitsFile,
    check_takes_image,
    class_count,
    has_one_row,
    preprocessing_for,
    run_images,
)
from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob, layer_sensitivity
from edgevit.artifacts.make import MadeArtifact, QuantizeJob, quantize
from edgevit.artifacts.metrics.built_in import OF_CLASSES, find_asked_metric
from edgevit.artifacts.metrics.classification import TOP1
from edgevit.artifacts.metrics.fidelity import COSINE
from edgevit.artifacts.metrics.judge import score_with_drop
from edgevit.artifacts.metrics.metric import Metric, Outputs, Predictions
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.artifacts.outputs import outputs_of_file, split_rows
from edgevit.artifacts.usage import Usage, usage_of
from edgevit.backends import Backend, backend_of_file, check_scheme, get_backend
from edgevit.commands.file_errors import blaming_file
from edgevit.data.images import ImageSet, open_images
from edgevit.data.output_labels import check_classes, match_labels
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows
from edgevit.data.sampling import DEFAULT_CALIBRATION_SAMPLES, sample_images
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.quantization.ladder import Rung, best, climb, rungs
from edgevit.quantization.policy import Architecture, FirstGuess, Target, first_guess, first_recipe
from edgevit.results.artifact import TensorSpec
from edgevit.results.candidate import Accuracy, Attempt, within_budget
from edgevit.results.contract import Contract
from edgevit.results.metric import MetricScore
from edgevit.results.output import Output, outputs_line
from edgevit.results.quantized_file import QuantizedFile
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner, child_runner
from edgevit.run.task import Task
from edgevit.spec.recipe import QuantizerOption, Recipe, WeightChange
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import PreprocessingOverrides
from edgevit.tokens.selection_ops import has_attention
from edgevit.version import __version__

_QUANTIZER_OPTIONS = get_args(QuantizerOption)
_WEIGHT_CHANGES = tuple(step.replace("_", " ") for step in get_args(WeightChange))
"""Rungs that change the weights of the PyTorch program."""


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


def default_out(artifact: Path, scheme: str | None) -> Path:
    """Returns where the quantized file goes when nobody says it: beside the float one.

    Args:
        artifact: The float file.
        scheme: As asked; None where the policy chooses.

    Raises:
        UsageError: there is no such file, or no backend reads it.
    """
    return artifact.with_suffix(f".{scheme or 'int8'}{backend_of_file(artifact).suffix}")


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


def quantize_file(asked: FileQuantization, progress: Progress) -> QuantizedFile:
    """Quantizes a float file, and climbs the repair ladder until the accuracy drop is kept.

    Args:
        asked: The file, the images and the limit.
        progress: Progress callback.

    Raises:
        UsageError: the file cannot be quantized, or images or preprocessing are missing.
        CandidateFailed: nothing that was tried gave an artifact.
    """
    check_threads(asked.threads)
    metric = _open_metric(asked)
    backend = backend_of_file(asked.artifact)
    if asked.out.suffix.lower() != backend.suffix:
        raise UsageError(f"--out {asked.out} does not end in {backend.suffix}", f"a file of {backend.title} does")
    twins = [file for file in backend.files_of(asked.artifact)[1:] if file.stem == asked.artifact.stem]
    _refuse_existing([asked.out, *(_place_beside(asked.out, file, asked.artifact) for file in twins)])
    usage = usage_of(asked.artifact, asked.preprocessing)
    for note in usage.notes:
        progress.message(note)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder, child_runner(progress) as children:
        with blaming_file(asked.artifact):
            stated = usage.contract.outputs if usage.contract else ()
            job = ReadFloatJob(backend.name, asked.artifact.absolute(), stated)
            file = children.run(f"read {asked.artifact.name}", Task(read_float_file, job, FloatFile))
        plan, contract = _plan(asked, backend, file), _contract(asked, usage, file)
        images = _open_images(asked, file, metric)
        return _climb(plan, _begin(asked, backend, contract, images, children, Path(folder)))


def _open_metric(asked: FileQuantization) -> Metric | None:
    """The metric that is asked for; None where none is."""
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


def _contract(asked: FileQuantization, usage: Usage, file: FloatFile) -> Contract:
    """What the quantized file will carry, but for its scheme: what the float file carries, as far as it does."""
    preprocessing = preprocessing_for(file.input, usage.preprocessing)
    carried = usage.contract or Contract(
        preprocessing, file.input.layout, (), "fp32", "", __version__, file.named_outputs
    )
    contract = replace(carried, preprocessing=preprocessing, edgevit_version=__version__, outputs=file.named_outputs)
    if not asked.embed_preprocessing:
        return contract
    check_embeddable(preprocessing)
    return replace(contract, layout="NHWC", embeds_preprocessing=True)


@dataclass(frozen=True)
class _Plan:
    """How quantization begins."""

    guess: FirstGuess
    planned: Recipe
    """The policy's, with what needs the PyTorch model."""

    @property
    def scheme(self) -> str:
        return self.planned.scheme

    @property
    def first(self) -> Recipe:
        """As far as it needs no PyTorch model."""
        kept = tuple(p for p in self.planned.preparations if p in _QUANTIZER_OPTIONS)
        return replace(self.planned, preparations=kept)


def _plan(asked: FileQuantization, backend: Backend, file: FloatFile) -> _Plan:
    architecture: Architecture = "transformer" if file.transformer else "cnn"
    target = Target(architecture, False, "none", host_fingerprint(asked.threads).isa)
    guess = first_guess(backend.policy, target)
    scheme = asked.scheme or next(name for name in guess.schemes if SCHEMES[name].is_int8)
    check_scheme(backend, scheme)
    if SCHEMES[scheme].is_float:
        raise UsageError(f"{scheme} is a float scheme", f"give an integer one, such as {guess.schemes[0]}")
    return _Plan(guess, first_recipe(backend.policy, scheme, target))


def _climb(plan: _Plan, trials: _FileTrials) -> QuantizedFile:
    asked, backend, first = trials.asked, trials.backend, plan.first
    if plan.scheme == "mixed_wi8_ai8":
        first = replace(first, float_layers=trials.ranking(first)[:1])
    everything = tuple(rungs(first, plan.guess, backend.gptq_schemes))
    ladder: Iterator[Rung] = iter([rung for rung in everything if rung.name not in _WEIGHT_CHANGES])
    attempts = climb(first, ladder, trials.attempt, trials.ranking, asked.limit, trials.has_time)
    chosen = best(attempts)
    if chosen.rung not in trials.made:
        raise CandidateFailed(attempts[0].note)
    made, accuracy = trials.made[chosen.rung]
    _write(made, asked.out)
    assert chosen.drop_points is not None  # an attempt that gave a file was judged
    is_kept = within_budget(chosen.drop_points, asked.limit)
    dropped = [p.replace("_", " ") for p in plan.planned.preparations if p not in _QUANTIZER_OPTIONS]
    skipped = [rung.name for rung in everything if rung.name in _WEIGHT_CHANGES]
    return QuantizedFile(
        path=asked.out,
        scheme=plan.scheme,
        attempts=attempts,
        chosen=chosen,
        float_top1=trials.judge.accuracy(trials.judge.original).top1,
        accuracy=accuracy,
        size_before=sum(each.stat().st_size for each in backend.files_of(asked.artifact)),
        size_after=sum(each.stat().st_size for each in made.files),
        left_out=(*dropped, *(() if is_kept else skipped)),
    )


def _write(made: MadeArtifact, out: Path) -> None:
    """Copies an artifact to its place, the main file last.

    Raises:
        UsageError: a file of weights would be written over another one.
    """
    targets = {source: _place_beside(out, source, made.main) for source in made.files[1:]}
    _refuse_existing([out, *targets.values()])
    out.parent.mkdir(parents=True, exist_ok=True)
    for source, target in targets.items():
        shutil.copyfile(source, target)
    shutil.copyfile(made.main, out)


def _place_beside(out: Path, source: Path, main: Path) -> Path:
    """Where a file of weights goes: OpenVINO finds its own by the stem; an ONNX file names those outside it."""
    return out.with_suffix(source.suffix) if source.stem == main.stem else out.with_name(source.name)


def _refuse_existing(files: Sequence[Path]) -> None:
    for file in files:
        if file.exists():
            raise UsageError(f"{file} exists", "remove it, or choose another --out")


@dataclass(frozen=True)
class _Images:
    """What a file is calibrated and judged with."""

    calibration: ImageSet
    judging: ImageSet | None
    """With labels as outputs of the file where it has classes; None to judge without labels on the calibration images."""
    metric: Metric | None
    """That is asked for."""


def _open_images(asked: FileQuantization, file: FloatFile, metric: Metric | None) -> _Images:
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
    return _Images(calibration, judging, metric)


@dataclass(frozen=True)
class _Judge:
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


def _begin(
    asked: FileQuantization,
    backend: Backend,
    contract: Contract,
    images: _Images,
    children: ChildRunner,
    folder: Path,
) -> _FileTrials:
    """Preprocesses the images, and asks the float file about them."""

    def prepared(which: str, chosen: ImageSet) -> PreparedImages:
        job = PrepareImagesJob(chosen.samples, contract.preprocessing, folder / f"{which}.npy")
        return children.run(f"preprocess {which} images", Task(prepare_images, job, PreparedImages))

    calibration = prepared("calibration", images.calibration)
    judging = prepared("evaluation", images.judging) if images.judging else calibration
    job = InferenceJob(
        backend=backend.name,
        artifact=asked.artifact.absolute(),
        images=judging,
        threads=asked.threads,
        precision="f32",
        logits=folder / "float32.npy",
    )
    original = read_rows(children.run("evaluate (float32)", Task(run_images, job, LogitsFile)).logits)
    labelled = images.judging
    judge = _Judge(
        metric=images.metric,
        named=contract.outputs,
        labels=labelled.labels if labelled else None,
        targets=labelled.targets if labelled else None,
        original=original,
    )
    judge.accuracy(original)  # a metric that cannot be taken is told before anything is quantized
    return _FileTrials(asked, backend, contract, calibration, judging, judge, children, folder)


@dataclass
class _FileTrials:
    """Makes and judges what the ladder proposes, in child processes."""

    asked: FileQuantization
    backend: Backend
    contract: Contract
    """Of what is made, but for its scheme."""
    calibration: PreparedImages
    judging: PreparedImages
    judge: _Judge
    children: ChildRunner
    folder: Path
    made: dict[str, tuple[MadeArtifact, Accuracy]] = field(default_factory=dict)
    """By rung."""
    begun: float = field(default_factory=time.monotonic)

    def attempt(self, rung: str, recipe: Recipe) -> Attempt:
        """Quantizes by a recipe and evaluates the outcome."""
        begun, contract = time.monotonic(), replace(self.contract, scheme=recipe.scheme)
        job = QuantizeJob(
            backend=self.backend.name,
            parent=self.asked.artifact.absolute(),
            recipe=recipe,
            calibration=self.calibration,
            seed=self.asked.seed,
            folder=self.folder / re.sub(r"[^a-z0-9.]+", "-", rung.lower()),
            contract=None if self.asked.embed_preprocessing else contract,
        )
        try:
            made = self.children.run(f"quantize ({rung})", Task(quantize, job, MadeArtifact))
            if self.asked.embed_preprocessing:
                made = self._embedded(rung, made, contract)
            accuracy = self.judge.accuracy(self._logits(rung, made.main, SCHEMES[recipe.scheme].precision))
        except (CandidateFailed, CheckFailed, UsageError) as error:
            return Attempt(rung, recipe, None, None, None, time.monotonic() - begun, error.message)
        self.made[rung] = made, accuracy
        seconds = time.monotonic() - begun
        drop = accuracy.judged.drop if accuracy.judged else None
        return Attempt(rung, recipe, accuracy.top1, accuracy.agreement, drop, seconds, samples=accuracy.samples)

    def ranking(self, recipe: Recipe) -> tuple[str, ...]:
        """Layers, the one that loses most by quantization first; see :data:`edgevit.quantization.ladder.Ranking`."""
        job = SensitivityJob(
            backend=self.backend.name,
            parent=self.asked.artifact.absolute(),
            recipe=replace(recipe, float_layers=()),
            calibration=self.calibration,
            threads=self.asked.threads,
            seed=self.asked.seed,
            outputs=self.contract.outputs,
        )
        layers = self.children.run("rank layers", Task(layer_sensitivity, job, Sensitivity)).layers
        in_order = sorted(layers, key=lambda layer: layer.position)
        in_float = replace(recipe, float_layers=()).resolved(in_order).float_layers
        return tuple(layer.name for layer in layers if layer.name not in in_float)

    def has_time(self) -> bool:
        """Returns whether there is time for another rung."""
        return time.monotonic() - self.begun < 60 * self.asked.max_minutes

    def _embedded(self, rung: str, plain: MadeArtifact, contract: Contract) -> MadeArtifact:
        """Puts the preprocessing into the graph of an artifact."""
        job = EmbedJob(
            backend=self.backend.name,
            plain=plain.main,
            contract=contract,
            images=self.calibration,
            threads=self.asked.threads,
            folder=plain.main.parent.with_name(f"{plain.main.parent.name}-embedded"),
        )
        return self.children.run(f"embed preprocessing ({rung})", Task(embed_preprocessing, job, MadeArtifact))

    def _logits(self, name: str, artifact: Path, precision: str) -> np.ndarray:
        job = InferenceJob(
            backend=self.backend.name,
            artifact=artifact,
            images=self.judging,
            threads=self.asked.threads,
            precision=precision,
            logits=self.folder / f"{len(self.made)}-{time.monotonic_ns()}.npy",
        )
        return read_rows(self.children.run(f"evaluate ({name})", Task(run_images, job, LogitsFile)).logits)
