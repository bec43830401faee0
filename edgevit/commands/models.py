"""What is known of a model before anything is run: its size, its work, and which passes apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edgevit.errors import UsageError
from edgevit.model.load import Model, load_model
from edgevit.model.names import has_own_weights
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, count_macs
from edgevit.results.artifact import Preprocessing
from edgevit.results.output import Output, outputs_line
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides
from edgevit.spec.token_plan import ResizePlan
from edgevit.tokens.plan import check_plan, check_tokens

_STEP = 32
"""Pixels of a side by which an image is made smaller on trial: strides and patches divide it."""


@dataclass(frozen=True)
class PassNote:
    """A pass, and why it does not apply; "" where it does."""

    name: str
    refusal: str


@dataclass(frozen=True)
class ModelCard:
    """A model at one input size."""

    name: str
    params: int
    macs: int
    """Of one inference."""
    classes: int
    """0 of a model that is no classifier."""
    outputs: tuple[Output, ...]
    preprocessing: Preprocessing
    transformer: bool
    passes: tuple[PassNote, ...]


def describe_model(name: str, input_size: tuple[int, int] | None = None) -> ModelCard:
    """Builds a model, without weights of its own unless it is bundled, and describes it.

    Args:
        name: A bundled model, a timm name, "package.module:factory", or a captured program (.pt2).
        input_size: Height and width in pixels; its own when None.

    Raises:
        UsageError: there is no such model, or it does not take that size.
    """
    has_weights = has_own_weights(name)
    overrides = PreprocessingOverrides(input_size=input_size)
    model = load_model(ModelSpec(name=name, random_weights=not has_weights, preprocessing=overrides))
    size = model.preprocessing.input_size
    program, smaller = (
        capture(model.module, size, model.preprocessing.channels),
        ResizePlan("resolution", max(_STEP, size[0] - _STEP)),
    )
    return ModelCard(
        name=name,
        params=model.params,
        macs=count_macs(program),
        classes=model.num_classes,
        outputs=model.outputs,
        preprocessing=model.preprocessing,
        transformer=is_transformer(program),
        passes=(
            PassNote(
                "fewer tokens (--tokens evit, tome, squeeze)",
                _why_not(model, partial(check_tokens, model.module, size)),
            ),
            PassNote(
                f"smaller images (--tokens {smaller})",
                _why_not(model, partial(check_plan, model.module, smaller, size)),
            ),
        ),
    )


def _why_not(model: Model, check: Callable[[], object]) -> str:
    """Why a pass does not apply to a model; "" where it does."""
    if not model.num_classes:
        return f"no classifier: it gives {outputs_line(model.outputs)}"
    try:
        check()
    except UsageError as error:
        return error.message
    return ""
