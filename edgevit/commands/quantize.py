"""Quantizes a float artifact of anyone, by the recipes and the repair ladder of a run, as far as they need no PyTorch model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from edgevit.artifacts.embed import check_embeddable
from edgevit.artifacts.feed import preprocessing_for
from edgevit.artifacts.make import MadeArtifact
from edgevit.artifacts.usage import Usage, usage_of
from edgevit.backends import Backend, backend_of_file, check_scheme
from edgevit.commands.file_errors import blaming_file
from edgevit.commands.file_judge import open_judged_images, open_metric
from edgevit.commands.file_trials import FileTrials, begin_trials
from edgevit.commands.float_file import FileQuantization, FloatFile, ReadFloatJob, read_float_file
from edgevit.devices.device import Device, load_device
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.pipeline.export_inputs import target_of
from edgevit.quantization.ladder import Rung, best, climb, rungs
from edgevit.quantization.policy import FirstGuess, first_guess, first_recipe
from edgevit.results.candidate import within_budget
from edgevit.results.contract import Contract
from edgevit.results.quantized_file import QuantizedFile
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.recipe import QuantizerOption, Recipe, WeightChange
from edgevit.spec.schemes import SCHEMES
from edgevit.version import __version__

_QUANTIZER_OPTIONS = get_args(QuantizerOption)
_WEIGHT_CHANGES = tuple(step.replace("_", " ") for step in get_args(WeightChange))
"""Rungs that change the weights of the PyTorch program."""


def default_out(artifact: Path, scheme: str | None) -> Path:
    """Returns where the quantized file goes when nobody says it: beside the float one.

    Args:
        artifact: The float file.
        scheme: As asked; None where the policy chooses.

    Raises:
        UsageError: there is no such file, or no backend reads it.
    """
    return artifact.with_suffix(f".{scheme or 'int8'}{backend_of_file(artifact).suffix}")


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
    metric = open_metric(asked)
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
        images = open_judged_images(asked, file, metric)
        return _climb(plan, begin_trials(asked, backend, contract, images, children, Path(folder)))


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
    devices = (load_device(asked.device),) if asked.device else ()
    for device in devices:
        _check_reads(device, backend)
    target = target_of(file.transformer, devices, host_fingerprint(asked.threads))
    guess = first_guess(backend.policy, target)
    scheme = asked.scheme or next(name for name in guess.schemes if SCHEMES[name].is_int8)
    check_scheme(backend, scheme)
    if SCHEMES[scheme].is_float:
        raise UsageError(f"{scheme} is a float scheme", f"give an integer one, such as {guess.schemes[0]}")
    return _Plan(guess, first_recipe(backend.policy, scheme, target))


def _check_reads(device: Device, backend: Backend) -> None:
    if not any(backend.format in unit.formats for unit in device.units):
        formats = sorted({format for unit in device.units for format in unit.formats})
        raise UsageError(
            f"the device {device.name} does not read {backend.format} files", f"it reads {', '.join(formats)}"
        )


def _climb(plan: _Plan, trials: FileTrials) -> QuantizedFile:
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
