"""Prunes the model of a run: a smaller one beside the dense one, which is fine-tuned, exported and judged like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_model as load_tensors
from torch import nn

from edgevit.data.row_file import read_rows
from edgevit.model.save import save_weights
from edgevit.pipeline.choose import counted_drop
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import calibration_images
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.requested_plans import pruned_by_auto
from edgevit.pipeline.snapshot import pass_record, take_snapshot
from edgevit.pruning.prune import PartWidth, PruningImages, prune
from edgevit.pruning.shrink import with_widths
from edgevit.pruning.sub_network import SubNetwork, build_shape, find_sub_network
from edgevit.pruning.units import find_groups
from edgevit.results.candidate import within_budget
from edgevit.spec.pruning_plan import AUTO, PruningPlan, parse_pruning

_AUTO_SHARES = (0.25, 0.125, 0.0625)
"""Of the units that "auto" looks at, most first."""
_REACH = 2.5
"""Multiple of the drop allowed that it may lose where fine-tuning follows, as in a token search."""


@dataclass(frozen=True)
class PrunedWeights:
    """A pruned model on disk."""

    file: Path
    """All its weights."""
    widths: tuple[PartWidth, ...]
    divergence: float
    expected: float
    """See :class:`edgevit.pruning.prune.Pruned`."""
    shape: SubNetwork | None = None
    """What else changed, of a sub-network."""


def with_pruned(context: RunContext, trained: TrainedModel) -> TrainedModel:
    """Returns the model with a pruned one beside it, if the spec asks for one and it may be of use.

    Args:
        context: The run.
        trained: The model after the passes before; stays as it is.
    """
    asked = context.inputs.pruning
    if asked is None:
        return trained
    if asked != AUTO:
        return replace(trained, pruned=pruned_model(context, trained, asked))
    kind = pruned_by_auto(context.inputs.model)
    assert kind is not None
    limit = context.inputs.spec.budget.max_drop * (_REACH if context.inputs.spec.finetune.rungs else 1)
    for share in _AUTO_SHARES:
        plan = parse_pruning(f"{kind}={share:g}")
        assert isinstance(plan, PruningPlan)
        made = pruned_model(context, trained, plan)
        drop = counted_drop(context.evaluate(read_rows(made.snapshot.logits)))
        if drop is None or within_budget(drop, limit):
            return replace(trained, pruned=made)
    return trained


def pruned_model(context: RunContext, trained: TrainedModel, plan: PruningPlan) -> TrainedModel:
    """Returns a pruned model, made now or read back.

    Args:
        context: The run, which has calibration images.
        trained: The model after the passes before; stays as it is.
        plan: That the model can carry out.
    """
    stages, model = context.stages, context.inputs.model
    file = stages.folder.work(f"{plan.slug}.safetensors")
    stage = f"prune {plan}"
    images = calibration_images(stages, context.inputs, model.preprocessing)
    assert images is not None  # the spec was checked

    def make() -> PrunedWeights:
        step = max(backend.width_step for backend in context.inputs.backends)

        def tell(done: int, total: int) -> None:
            stages.progress.stage(stage, done, total + 1)

        if plan.macs is None:
            pruned = prune(trained.module, plan, PruningImages(images), step, tell)
            save_weights(pruned.module, file)
            return PrunedWeights(file, pruned.widths, pruned.divergence, pruned.expected)
        found = find_sub_network(trained.module, plan.macs, PruningImages(images), step, tell)
        save_weights(found.module, file)
        return PrunedWeights(file, found.widths, found.divergence, found.expected, found.shape)

    found = stages.run(stage, PrunedWeights, make, lambda answer: (answer.file,))
    module, input_size = _load(trained.module, model.preprocessing.input_size, found)
    preprocessing = replace(model.preprocessing, input_size=input_size)
    snapshot = take_snapshot(stages, context.inputs, plan.slug, module, preprocessing)
    record = replace(pass_record("prune", str(plan), trained.snapshot, snapshot), note=_note(found))
    stages.progress.message(f"pruned {plan}: {record.note}")
    variant = replace(
        trained.dense,
        slug=plan.slug,
        program=snapshot.captured.program,
        preprocessing=preprocessing,
        passes=(*trained.dense.passes, record),
        reference=snapshot.logits,
        is_pruned=True,
    )
    return TrainedModel(module, snapshot, variant)


def _load(module: nn.Module, input_size: tuple[int, int], found: PrunedWeights) -> tuple[nn.Module, tuple[int, int]]:
    """The pruned model, and the size of its images."""
    if found.shape:
        module, input_size = build_shape(module, input_size, found.shape, None)
    left = {each.name: each.after for each in found.widths}
    groups = [group for kind in {each.kind for each in found.widths} for group in find_groups(module, kind)]
    smaller = with_widths(module, {group: left[group.name] for group in groups if group.name in left})
    load_tensors(smaller, str(found.file))
    return smaller.eval().requires_grad_(False), input_size


def _note(found: PrunedWeights) -> str:
    """How many units left, and what that does to predictions."""
    names = {"mlp": "hidden units", "heads": "attention heads", "channels": "expanded channels"}
    parts = [str(found.shape)] if found.shape else []
    for kind, name in names.items():
        widths = [each for each in found.widths if each.kind == kind]
        if widths:
            gone = sum(each.before - each.after for each in widths)
            parts.append(f"{gone} {name} left {len(widths)} part{'s'[: len(widths) > 1]}")
    words = ", ".join(parts) or "nothing could leave"
    return f"{words}; KL {found.divergence:.3g} nats on calibration images, {found.expected:.3g} expected from single changes"
