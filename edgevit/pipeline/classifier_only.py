"""What only classifiers can have: refused at once for models that return features or maps."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.results.output import outputs_line
from edgevit.spec.pruning_plan import parse_pruning
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import parse_plans


def check_kind(spec: Spec, model: Model) -> None:
    """Refuses what a spec asks for and a model that is no classifier cannot have.

    Args:
        spec: What to do.
        model: That it is done to.

    Raises:
        UsageError: names the first of it, and what to leave out.
    """
    if model.num_classes:
        return
    for what, why, hint in _classifier_only(spec):
        outputs = outputs_line(model.outputs)
        raise UsageError(f"{what}, and {model.name} is no classifier: it gives {outputs}; {why}", hint)


def _classifier_only(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """What is asked for and only classifiers can have, why, and what to do."""
    if spec.distill is not None:
        yield (
            "distillation is asked for",
            "it teaches the predictions of classes",
            "leave out [distill], or train the model by your own loss first",
        )
    if spec.finetune.rungs:
        yield (
            f"--finetune {spec.finetune.mode} is given",
            "it trains on the divergence of predictions of classes",
            "give --finetune none; what int8 loses is repaired by the ladder all the same",
        )
    if parse_plans(spec.passes.tokens):
        yield (
            f"--tokens {spec.passes.tokens} is given",
            "token plans are for what a classifier decides, and a smaller input would change the shape of maps",
            "give --tokens none",
        )
    if parse_pruning(spec.passes.prune) is not None:
        yield (
            f"--prune {spec.passes.prune} is given",
            "what leaves is chosen by the divergence of predictions of classes",
            "give --prune none",
        )
    if spec.export.labels is not None:
        yield "labels name its classes", "it has none", "leave out --labels"
    if spec.data.class_offset is not None:
        yield "--class-offset is given", "it has no classes", "leave it out"
    if spec.budget.expect_top1 is not None:
        yield "--expect-top1 is given", "it has no top-1", "leave it out"
