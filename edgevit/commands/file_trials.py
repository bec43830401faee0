"""Makes and judges what the repair ladder proposes for a float file."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.embed import EmbedJob, embed_preprocessing
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob, layer_sensitivity
from edgevit.artifacts.make import MadeArtifact, QuantizeJob, quantize
from edgevit.backends import Backend
from edgevit.commands.file_judge import FileJudge, JudgedImages
from edgevit.commands.float_file import FileQuantization
from edgevit.data.images import ImageSet
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.data.row_file import read_rows
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.results.candidate import Accuracy, Attempt
from edgevit.results.contract import Contract
from edgevit.run.stages import ChildRunner
from edgevit.run.task import Task
from edgevit.spec.recipe import Recipe
from edgevit.spec.schemes import SCHEMES


def begin_trials(
    asked: FileQuantization,
    backend: Backend,
    contract: Contract,
    images: JudgedImages,
    children: ChildRunner,
    folder: Path,
) -> FileTrials:
    """Preprocesses the images, and asks the float file about them.

    Args:
        asked: What is asked for.
        backend: Of the file.
        contract: Of what will be made, but for its scheme.
        images: To calibrate and to judge with.
        children: Runs jobs in child processes.
        folder: For what is made.

    Raises:
        UsageError: the metric cannot be taken.
    """

    def prepared(which: str, chosen: ImageSet, *, all_tiles: bool = False) -> PreparedImages:
        pixels = folder / f"{which}.npy"
        job = PrepareImagesJob(chosen.samples, contract.preprocessing, pixels, all_tiles=all_tiles)
        return children.run(f"preprocess {which} images", Task(prepare_images, job, PreparedImages))

    calibration = prepared("calibration", images.calibration)
    judging = prepared("evaluation", images.judging, all_tiles=True) if images.judging else calibration
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
    judge = FileJudge(
        metric=images.metric,
        named=contract.outputs,
        labels=labelled.labels if labelled else None,
        targets=labelled.targets if labelled else None,
        original=original,
    )
    judge.accuracy(original)  # a metric that cannot be taken is told before anything is quantized
    return FileTrials(asked, backend, contract, calibration, judging, judge, children, folder)


@dataclass
class FileTrials:
    """Makes and judges what the ladder proposes, in child processes."""

    asked: FileQuantization
    backend: Backend
    contract: Contract
    """Of what is made, but for its scheme."""
    calibration: PreparedImages
    judging: PreparedImages
    judge: FileJudge
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
