"""The main path: spec → model → distillation → tokens → per backend: export → quantize → verify → evaluate → measure → choose → report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgevit.data.images import manifest
from edgevit.measure.host import tool_versions
from edgevit.pipeline.backend_candidates import make_candidates
from edgevit.pipeline.candidate import COMPRESS_STEPS, EXPORT_STEPS
from edgevit.pipeline.choose import choose
from edgevit.pipeline.context import Step, open_context
from edgevit.pipeline.inputs import input_files, open_inputs, pin_inputs
from edgevit.pipeline.model_passes import run_model_passes
from edgevit.pipeline.tasks import PYTORCH
from edgevit.report import write_report
from edgevit.results.run import Run
from edgevit.run.executor import Executor, processors
from edgevit.run.files import default_folder
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress, Silent
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec
from edgevit.version import __version__


def compress(
    spec: Spec,
    out: Path | None = None,
    *,
    resume: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Compresses a model: makes every candidate, verifies, evaluates and measures it, and chooses one.

    Args:
        spec: What to do; see :class:`edgevit.spec.spec.Spec`.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        resume: Continue the run in ``out``, whatever stopped it.
        jobs: Tasks side by side; as many as there are processors when None. The artifacts do not depend on it.
        progress: Progress callback.

    Returns:
        The run; ``run.selected`` is the id of the chosen candidate, or None if nothing usable is left.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit; nothing heavy was started.
        DiskFull: there was no space left; ``resume`` continues.
    """
    return _run(spec, out, resume, jobs or processors(), progress or Silent(), COMPRESS_STEPS)


def export(
    spec: Spec,
    out: Path | None = None,
    *,
    resume: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Makes and verifies the artifacts of a spec, without evaluating, measuring or choosing; see :func:`compress`."""
    return _run(spec, out, resume, jobs or processors(), progress or Silent(), EXPORT_STEPS)


def _run(spec: Spec, out: Path | None, resume: bool, jobs: int, progress: Progress, steps: tuple[Step, ...]) -> Run:
    path = out.resolve() if out else default_folder(spec.model.name)
    folder = RunFolder(path, spec, input_files(spec), resume)
    inputs = open_inputs(spec, progress)
    with folder, Executor(jobs, spec.measure.timeout_seconds, folder.log("servers")) as executor:
        progress.message(f"run folder: {folder.path}")
        pin_inputs(folder, inputs)
        for warning in inputs.calibration_record.warnings if inputs.calibration_record else ():
            progress.message(f"warning: {warning}")
        executor.warm_up([PYTORCH, *(backend.preload for backend in inputs.backends)])
        stages = Stages(folder, executor, progress)
        context = open_context(inputs, stages, steps)
        trained = run_model_passes(context)
        made = stages.side_by_side([partial(make_candidates, context, trained, backend) for backend in inputs.backends])
        candidates = tuple(candidate for each in made for candidate in each.candidates)
        choice = choose(candidates, tuple(device.name for device in inputs.devices))
        notes = (*inputs.notes, *(note for each in made for note in each.notes), *choice.notes)
        run = Run(
            edgevit_version=__version__,
            created_at=folder.created_at,
            seed=spec.seed,
            spec=spec.model_dump(mode="json"),
            spec_sha256=spec.sha256,
            host=inputs.host,
            tool_versions=tool_versions(),
            baseline=context.baseline,
            candidates=candidates,
            selected=choice.selected,
            stages=tuple(folder.stages),
            calibration=inputs.calibration_record,
            notes=tuple(dict.fromkeys(notes)),
            token_searches=tuple(search for each in made for search in each.searches),
            selected_for=choice.selected_for,
            tied=choice.tied,
        )
        if inputs.data.calibration:
            about = f"Calibration images of {spec.model.name}"
            folder.write("calibration.toml", manifest(inputs.data.calibration, about).encode())
        folder.finish(run)
        write_report(run, folder.path)
    return run
