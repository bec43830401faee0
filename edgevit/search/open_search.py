"""Opens the runs of a search, one for each model, and measures what single changes cost before points are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.cluster.execution import Compute
from edgevit.data.output_place import check_output_place
from edgevit.pipeline.candidate import COMPRESS_STEPS
from edgevit.pipeline.context import RunContext, open_context
from edgevit.pipeline.inputs import Inputs, open_inputs
from edgevit.pipeline.model_inputs import input_files
from edgevit.pipeline.model_passes import run_model_passes
from edgevit.pipeline.pins import pin_inputs
from edgevit.pipeline.stored_spec import stored_spec
from edgevit.pipeline.tasks import PYTORCH
from edgevit.results.measurement import Host
from edgevit.run.deadline import Deadline
from edgevit.run.files import disk_errors
from edgevit.run.folder import RESUME, RunFolder
from edgevit.run.progress import Progress
from edgevit.run.run_log import RunLog
from edgevit.run.stages import Stages
from edgevit.search.make_points import PointMaker
from edgevit.search.plans import find_plans
from edgevit.search.pruned_models import PrunedModels, named_prunings
from edgevit.search.request import SearchRequest, reach_of
from edgevit.search.search_budget import Budget, tuning_minutes
from edgevit.search.searched_network import SearchedNetwork
from edgevit.search.single_changes import measure_dense, measure_plans
from edgevit.spec.schemes import AUTO
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import FORMS, NONE

_TOKEN_SHARE = 0.08
"""Of the minutes of a search that each search for a token plan may take."""
_AFTER_SINGLES = 0.7
"""Of the minutes of a search that have to be left for another single change to be timed."""


@dataclass(frozen=True)
class OpenedModel:
    """A model whose inputs were checked; nothing heavy was done."""

    name: str
    spec: Spec
    """As the user asked for it."""
    inputs: Inputs
    """For candidates that lose up to the reach of the search; without token plans, which the search chooses."""


def open_models(request: SearchRequest, progress: Progress, host: Host | None = None) -> tuple[OpenedModel, ...]:
    """Resolves the specs of a search, and loads the models.

    Args:
        request: What to search.
        progress: Progress callback.
        host: The machine that times are from; None for this one.

    Raises:
        UsageError: a spec asks for something that does not exist or does not fit.
    """
    opened = []
    for name, spec in zip(request.names, request.specs, strict=True):
        # what does not fit together is struck out of the space, with its reason, and refuses no search
        plain = _updated(spec, "passes", tokens=NONE, form="auto", prune=NONE, search_minutes=None)
        plain = _updated(plain, "export", schemes=(AUTO,))
        inputs = open_inputs(plain, progress, host)
        forms = FORMS if spec.passes.form == "auto" else (spec.passes.form,)
        inputs = replace(inputs, spec=_searched(spec, request.max_minutes), forms=forms)
        opened.append(OpenedModel(name, spec, inputs))
    return tuple(opened)


def _searched(spec: Spec, max_minutes: float | None) -> Spec:
    """The spec that candidates are made by: a larger drop is looked at, and no part may take all of the time."""
    found = _updated(spec, "budget", max_drop=reach_of(spec))
    if max_minutes is None:
        return found
    search_minutes = min(_TOKEN_SHARE * max_minutes, spec.passes.search_minutes or max_minutes)
    found = _updated(found, "passes", search_minutes=search_minutes)
    return _updated(found, "finetune", max_minutes=tuning_minutes(spec.finetune.max_minutes, max_minutes))


def _updated(spec: Spec, section: str, **values: object) -> Spec:
    return spec.model_copy(update={section: getattr(spec, section).model_copy(update=values)})


def run_folders(request: SearchRequest, out: Path, *, resume: bool) -> tuple[RunFolder, ...]:
    """Returns the run folder of each model, which is not entered: in that of the search, by the name of the model.

    Args:
        request: What to search.
        out: Folder of the search, absolute.
        resume: Whether the runs go on.

    Raises:
        UsageError: a folder is another search's, or holds one already.
    """
    folders = []
    for name, spec in zip(request.names, request.specs, strict=True):
        data, path = spec.data, out / name
        check_output_place(out, (data.evaluation, *data.also_evaluate, data.calibration, data.train))
        folders.append(RunFolder(path, stored_spec(spec, path), input_files(spec), resume and path.exists()))
    return tuple(folders)


@contextmanager
def open_contexts(
    models: tuple[OpenedModel, ...],
    folders: tuple[RunFolder, ...],
    compute: Compute,
    progress: Progress,
    *,
    one_executor: bool,
) -> Iterator[tuple[RunContext, ...]]:
    """Begins or resumes the run of each model.

    Args:
        models: See :func:`open_models`.
        folders: See :func:`run_folders`.
        compute: Carries out all tasks.
        progress: Progress callback.
        one_executor: Whether one executor serves all runs; else each has its own, whose store holds what it makes.

    Raises:
        UsageError: a folder cannot be written, or belongs to other inputs.
    """
    with ExitStack() as held:
        begun: list[tuple[Inputs, Stages]] = []
        for model, folder in zip(models, folders, strict=True):
            held.enter_context(folder)
            held.enter_context(disk_errors(folder.path, RESUME))
            log = held.enter_context(RunLog(folder.log("run"), progress))
            pin_inputs(folder, model.inputs)
            for warning in model.inputs.warnings:
                log.message(f"warning: {warning}")
            seconds, host = model.spec.measure.timeout_seconds, model.inputs.host
            executor = begun[0][1].executor if begun and one_executor else None
            if executor is None:
                executor = held.enter_context(compute.executor(folder, seconds, host))
                executor.warm_up([PYTORCH, *(backend.preload for backend in model.inputs.backends)])
            begun.append((model.inputs, Stages(folder, executor, log)))
        yield tuple(open_context(inputs, stages, COMPRESS_STEPS, Deadline(None)) for inputs, stages in begun)


def open_network(model: OpenedModel, context: RunContext, budget: Budget) -> SearchedNetwork:
    """Finds the plans of a model, and measures what each costs alone.

    Args:
        model: The model.
        context: Its run.
        budget: Of the search.

    Raises:
        CheckFailed: the float model does not recognize the images.
        CandidateFailed: it runs in no runtime.
    """
    trained = run_model_passes(context)
    dense_ms = measure_dense(context, trained)
    near = _updated(context.inputs.spec, "budget", max_drop=model.spec.budget.max_drop)
    backends = sorted(
        (each for each in context.inputs.backends if each.name in dense_ms), key=lambda each: dense_ms[each.name]
    )
    near_context = replace(context, inputs=replace(context.inputs, spec=near))
    found = find_plans(near_context, trained, model.spec.passes.tokens, backends)
    plans = measure_plans(context, trained, found.plans, backends[0], lambda: budget.has_left(_AFTER_SINGLES))
    singles = [replace(single, drop=found.drops.get(single.settings)) for single in plans.singles]
    pruned = PrunedModels(context, trained)
    prunes, _ = named_prunings(model.spec.passes.prune, context.inputs)
    return SearchedNetwork(
        name=model.name,
        spec=model.spec,
        context=context,
        trained=trained,
        found=found,
        plan_singles=replace(plans, singles=(*singles, *map(pruned.single, prunes))),
        maker=PointMaker(model.name, context, pruned),
        dense_ms=dense_ms,
    )
