"""A model to train as it begins: from weights that fit or can be made to, or as its code initializes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from edgevit.distillation.distillation_token import with_distillation_token
from edgevit.distillation.parameters import freeze
from edgevit.distillation.start_weights import load_start_weights
from edgevit.errors import UsageError
from edgevit.model.load import Model, load_model
from edgevit.model.program.outputs import unwrapped
from edgevit.results.artifact import Preprocessing
from edgevit.spec.spec import DistillSpec, ModelSpec
from edgevit.spec.token_plan import NONE, parse_plan
from edgevit.tokens.plan import carry_out
from edgevit.tokens.reduction import ReducedModel


def open_student(spec: ModelSpec, settings: DistillSpec, seed: int) -> Model:
    """Loads a model that is going to be trained.

    Weights of other classes or of another input size are made to fit, see
    :func:`edgevit.distillation.start_weights.load_start_weights`; what was changed is in the notes. Without weights it is as its
    code initializes it.

    Args:
        spec: Of the model.
        settings: They may give it a distillation token.
        seed: Of what is initialized at random.

    Raises:
        UsageError: see :func:`edgevit.model.load.load_model`; or it is no classifier of at least two classes, or cannot have
            the token.
    """
    without = {"weights": None, "no_ema": False, "random_weights": True}
    made = load_model(spec.model_copy(update=without) if spec.weights else spec, seed, as_initialized=True)
    if made.num_classes < 2:
        raise UsageError(f"{spec.name} is no classifier of at least two classes", "name another model to train")
    notes = load_start_weights(made.module, spec.weights, no_ema=spec.no_ema) if spec.weights else ()
    module = with_distillation_token(made.module) if settings.token else made.module
    return replace(made, module=module, random_weights=False, notes=(*made.notes, *notes))


@dataclass(frozen=True)
class Student:
    """A model as it is trained."""

    name: str
    module: nn.Module
    """float32 [b, c, h, w] to logits [b, classes]; parameters that are trained ask for gradients."""
    preprocessing: Preprocessing
    classes: int
    notes: tuple[str, ...] = ()
    """What was changed to begin."""

    @property
    def original(self) -> nn.Module:
        """The model with all its tokens, which has the same parameters."""
        return self.module.original if isinstance(self.module, ReducedModel) else self.module


def prepare_student(model: Model, settings: DistillSpec, tokens: str = NONE) -> Student:
    """Makes ready for training what :func:`open_student` loaded, in place.

    Args:
        model: Its module is changed.
        settings: Say what is frozen, and how many branches are left out at random.
        tokens: Token plan to train it with.

    Raises:
        UsageError: it cannot carry out the plan, or be frozen so.
    """
    module, size = model.module, model.preprocessing.input_size
    if tokens != NONE:
        reduced = carry_out(module, parse_plan(tokens), "gather", size)
        module, size = reduced.module, reduced.input_size
    module.requires_grad_(True)
    student = Student(model.name, module, replace(model.preprocessing, input_size=size), model.num_classes, model.notes)
    if settings.freeze is not None:
        freeze(unwrapped(student.original), settings.freeze)
    if settings.drop_path:
        if isinstance(module, ReducedModel):
            raise UsageError(
                f"distill.drop_path has no effect on a model with fewer tokens ({tokens})", "leave out one of them"
            )
        set_drop_path(module, settings.drop_path)
    return student


def set_drop_path(module: nn.Module, rate: float) -> None:
    """Lets a model of timm leave out residual branches at random in training, from none in the first block to ``rate`` in the last.

    Huang et al., "Deep Networks with Stochastic Depth", 2016.

    Args:
        module: Changed in place.
        rate: Share of the branches of the last block, 0..1.

    Raises:
        UsageError: it has no branches that timm could leave out.
    """
    from timm.layers import DropPath

    blocks: list[tuple[Any, list[str]]] = []
    for part in module.modules():
        names = [name for name in ("drop_path", "drop_path1", "drop_path2") if hasattr(part, name)]
        if names:
            blocks.append((part, names))
    if not blocks:
        raise UsageError(
            "distill.drop_path: the model has no residual branches that timm can leave out", "leave it out"
        )
    for number, (part, names) in enumerate(blocks):
        for name in names:
            setattr(part, name, DropPath(rate * number / max(1, len(blocks) - 1)))
