"""The pruned models of a search, each made once; what a pruning costs alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.errors import UsageError
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.pruning_pass import pruned_model
from edgevit.pipeline.requested_plans import check_pruning, pruned_by_auto
from edgevit.pipeline.tasks import reference_task
from edgevit.results.search import NONE, PlanSingle
from edgevit.search.divergence import divergence_from_original, divergence_images
from edgevit.spec.pruning_plan import AUTO, PruningPlan, parse_pruning

_AUTO_SHARES = (0.125, 0.25)
"""Of the units, that "auto" looks at."""


def named_prunings(text: str, inputs: Inputs) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the prunings that a spec asks for, and those that the model cannot carry out with the reason.

    Args:
        text: As ``passes.prune`` of the spec has it.
        inputs: Of the run of the model.
    """
    asked = parse_pruning(text)
    if asked is None:
        return (), {}
    try:
        check_pruning(asked, inputs.model, inputs.data)
    except UsageError as error:
        return (), {text: error.message}
    if asked != AUTO:
        return (str(asked),), {}
    kind = pruned_by_auto(inputs.model)
    return tuple(f"{kind}={share:g}" for share in _AUTO_SHARES), {}


@dataclass
class PrunedModels:
    """Makes pruned models; may be used by several threads at once."""

    context: RunContext
    trained: TrainedModel
    """The model that is pruned; stays as it is."""
    _made: dict[str, TrainedModel] = field(default_factory=dict)

    def model(self, prune: str) -> TrainedModel:
        """Returns a pruned model, or the one that is not pruned for "none"."""
        if prune == NONE:
            return self.trained
        if prune not in self._made:
            plan = parse_pruning(prune)
            assert isinstance(plan, PruningPlan)
            self._made[prune] = pruned_model(self.context, self.trained, plan)  # its stages are made once, whoever asks
        return self._made[prune]

    def beside(self, prune: str) -> TrainedModel:
        """Returns the model with the pruned one beside it, for what is fine-tuned."""
        return self.trained if prune == NONE else replace(self.trained, pruned=self.model(prune))

    def single(self, prune: str) -> PlanSingle:
        """Returns what a pruning costs alone, before any fine-tuning."""
        pruned, stages = self.model(prune), self.context.stages
        job = ReferenceJob(
            pruned.dense.program,
            divergence_images(self.context, pruned.dense.preprocessing),
            stages.folder.work(f"{pruned.dense.slug}.divergence.npy"),
        )
        stage = f"divergence of {prune} in PyTorch"
        logits = stages.run_in_child(stage, f"divergence-{pruned.dense.slug}", reference_task(job)).logits
        weights = [sum(each.numel() for each in model.module.parameters()) for model in (pruned, self.trained)]
        return PlanSingle(
            prune,
            divergence_from_original(self.context, self.trained, logits),
            pruned.snapshot.captured.macs / self.trained.snapshot.captured.macs,
            weights[0] / weights[1],
        )
