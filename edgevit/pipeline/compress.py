"""The main path: spec → model → distillation → tokens → per backend: export → quantize → verify → evaluate → measure → choose → report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgevit.cluster.execution import HERE, Compute, Where, open_compute
from edgevit.data.images import manifest
from edgevit.data.output_place import check_output_place
from edgevit.pipeline.backend_candidates import make_candidates
from edgevit.pipeline.board_rounds import look_at_boards, time_on_boards
from edgevit.pipeline.candidate import COMPRESS_STEPS, EXPORT_STEPS, FINETUNE_STEPS
from edgevit.pipeline.choose import choose
from edgevit.pipeline.context import Steps, open_context, time_original
from edgevit.pipeline.device_order import order_on_devices
from edgevit.pipeline.ended_run import ended_run
from edgevit.pipeline.final_round import time_in_rounds
from edgevit.pipeline.inputs import Inputs, open_inputs
from edgevit.pipeline.model_inputs import input_files
from edgevit.pipeline.model_passes import run_model_passes, unseen_layers
from edgevit.pipeline.other_sets import original_on_other_sets
from edgevit.pipeline.pins import pin_inputs
from edgevit.pipeline.plan_run import plan_run
from edgevit.pipeline.pruning_notes import pruning_notes
from edgevit.pipeline.pruning_pass import with_pruned
from edgevit.pipeline.stored_spec import stored_spec
from edgevit.pipeline.tasks import PYTORCH
from edgevit.report import write_report
from edgevit.results.class_outputs import outputs_text
from edgevit.results.run import Run
from edgevit.run.deadline import Deadline
from edgevit.run.executor import processors
from edgevit.run.files import disk_errors, out_folder
from edgevit.run.folder import RESUME, RunFolder
from edgevit.run.leftovers import remove_leftovers
from edgevit.run.packages import tool_versions
from edgevit.run.progress import Progress, RunPlan, Silent
from edgevit.run.run_log import RunLog
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec
from edgevit.version import __version__


@dataclass(frozen=True)
class _Settings:
    """How a run is carried out."""

    resume: bool
    where: Where
    keep_work: bool
    steps: Steps


def compress(
    spec: Spec,
    out: Path | None = None,
    *,
    resume: bool = False,
    where: Where = HERE,
    keep_work: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Compresses a model: makes every candidate, verifies, evaluates and measures it, and chooses one.

    Args:
        spec: What to do; see :class:`edgevit.spec.spec.Spec`.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        resume: Continue the run in ``out``, whatever stopped it; of one that has ended, check the artifacts and report.
        where: Where its tasks are carried out, and how many side by side. The artifacts do not depend on it.
        keep_work: Leave the working files in the folder when the run has ended.
        progress: Progress callback.

    Returns:
        The run; ``run.selected`` is the id of the chosen candidate, or None if nothing usable is left.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit; nothing heavy was started.
        DiskFull: there was no space left; ``resume`` continues.
    """
    settings = _Settings(resume, where, keep_work, COMPRESS_STEPS)
    return _run(spec, out, settings, progress or Silent())


def export(
    spec: Spec,
    out: Path | None = None,
    *,
    resume: bool = False,
    where: Where = HERE,
    keep_work: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Makes and verifies the artifacts of a spec, without evaluating, measuring or choosing; see :func:`compress`."""
    settings = _Settings(resume, where, keep_work, EXPORT_STEPS)
    return _run(spec, out, settings, progress or Silent())


def finetune(
    spec: Spec,
    out: Path | None = None,
    *,
    resume: bool = False,
    where: Where = HERE,
    keep_work: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Makes, fine-tunes, verifies and evaluates the artifacts of a spec, without measuring or choosing; see :func:`compress`."""
    settings = _Settings(resume, where, keep_work, FINETUNE_STEPS)
    return _run(spec, out, settings, progress or Silent())


def plan(spec: Spec, *, jobs: int | None = None, progress: Progress | None = None) -> RunPlan:
    """Returns what :func:`compress` would make at least, and about how long it would take; writes nothing.

    Args:
        spec: What to do.
        jobs: Tasks side by side, see :func:`compress`.
        progress: Progress callback, for checking the images.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit.
    """
    return plan_run(open_inputs(spec, progress or Silent()), jobs or processors())


def _run(spec: Spec, out: Path | None, settings: _Settings, progress: Progress) -> Run:
    with out_folder(out, spec.model.name) as path:
        return _run_in(path.resolve(), spec, settings, progress)


@contextmanager
def _tells_how_to_go_on(folder: Path, progress: Progress) -> Iterator[None]:
    """Says after an interrupt how the run is continued."""
    try:
        yield
    except KeyboardInterrupt:
        progress.message(f"to continue this run: the same command with --resume --out {shlex.quote(str(folder))}")
        raise


def _run_in(path: Path, spec: Spec, settings: _Settings, progress: Progress) -> Run:
    check_output_place(path, (spec.data.evaluation, *spec.data.also_evaluate, spec.data.calibration, spec.data.train))
    kept = stored_spec(spec, path)
    folder = RunFolder(path, kept, input_files(spec), settings.resume)
    deadline = Deadline(spec.max_minutes)
    with open_compute(settings.where, folder) as compute:
        inputs = replace(open_inputs(spec, progress, compute.host), spec=kept)
        return _carry_out(folder, inputs, compute, deadline, settings, progress)


def _carry_out(
    folder: RunFolder, inputs: Inputs, compute: Compute, deadline: Deadline, settings: _Settings, progress: Progress
) -> Run:
    spec = inputs.spec
    with (
        folder,
        disk_errors(folder.path, RESUME),
        compute.executor(folder, spec.measure.timeout_seconds, inputs.host) as executor,
        RunLog(folder.log("run"), progress) as progress,
        _tells_how_to_go_on(folder.path, progress),
    ):
        progress.message(f"run folder: {folder.path}; details in {folder.relative(folder.log('run'))}")
        if compute.description:
            progress.message(compute.description)
        pin_inputs(folder, inputs)
        for warning in inputs.warnings:
            progress.message(f"warning: {warning}")
        record = inputs.evaluation_record
        if record and record.classes:
            progress.message(f"classes by output: {outputs_text(record.classes)}")
        run = ended_run(folder, progress)
        if run is not None:
            write_report(run, folder.path)
            return run
        look_at_boards(inputs, executor, folder.log("boards"), progress)
        executor.warm_up([PYTORCH, *(backend.preload for backend in inputs.backends)])
        progress.begin(plan_run(inputs, compute.slots, measures=bool(settings.steps.measuring)))
        run = _make_run(inputs, Stages(folder, executor, progress), settings.steps, deadline)
        if inputs.data.calibration:
            about = f"Calibration images of {spec.model.name}"
            folder.write("calibration.toml", manifest(inputs.data.calibration, about).encode())
        folder.finish(run)
        write_report(run, folder.path)
        if not settings.keep_work:
            remove_leftovers(folder.path)
    return run.at(folder.path)


def _make_run(inputs: Inputs, stages: Stages, steps: Steps, deadline: Deadline) -> Run:
    """The main path itself."""
    context = open_context(inputs, stages, steps, deadline)
    trained = with_pruned(context, run_model_passes(context))
    calls = [partial(make_candidates, context, trained, backend) for backend in inputs.backends]
    make_all = partial(stages.both, partial(stages.side_by_side, calls), partial(unseen_layers, context, trained))
    (made, unseen), baseline = stages.both(make_all, partial(time_original, context))
    candidates = time_in_rounds(context, tuple(candidate for each in made for candidate in each.candidates))
    other_sets = original_on_other_sets(context) if any(each.other_sets for each in candidates) else ()
    candidates, boards = time_on_boards(context, candidates)
    order = order_on_devices(context, candidates)
    choice = choose(
        candidates, tuple(device.name for device in inputs.devices), order, tuple(board.name for board in boards)
    )
    pruning = pruning_notes(candidates)
    notes = (*inputs.notes, unseen.note, *(note for each in made for note in each.notes), *pruning, *choice.notes)
    return Run(
        edgevit_version=__version__,
        created_at=stages.folder.created_at,
        seed=inputs.spec.seed,
        spec=inputs.spec.model_dump(mode="json"),
        spec_sha256=inputs.spec.sha256,
        host=inputs.host,
        tool_versions=tool_versions(),
        baseline=replace(baseline, other_sets=other_sets),
        candidates=candidates,
        selected=choice.selected,
        stages=tuple(stages.folder.stages),
        calibration=inputs.calibration_record,
        notes=tuple(dict.fromkeys(filter(None, notes))),
        finetunes=tuple(dict.fromkeys(finetune for each in made for finetune in each.finetunes)),
        token_searches=tuple(search for each in made for search in each.searches),
        selected_for=choice.selected_for,
        tied=choice.tied,
        order=order,
        boards=boards,
        evaluation=inputs.evaluation_record,
        other_evaluations=inputs.other_evaluations,
    )
