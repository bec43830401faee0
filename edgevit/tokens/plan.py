"""Carries out a token plan of any kind: a smaller image, fewer tokens in the model, or both."""

from __future__ import annotations

from torch import nn

from edgevit.errors import UsageError
from edgevit.spec.token_plan import Form, Plan, ResizePlan, Site, TokenPlan
from edgevit.tokens.captured.encoder import find_encoder
from edgevit.tokens.captured.model import captured_sites, reduce_captured
from edgevit.tokens.captured.rewrite import check_cuts
from edgevit.tokens.reduce import is_plain, plan_sites, reduce_tokens
from edgevit.tokens.reduction import ReducedModel
from edgevit.tokens.resize import Resized, check_resizable, resize, smaller_sizes


def carry_out(module: nn.Module, plan: Plan, form: Form, input_size: tuple[int, int]) -> Resized:
    """Returns a model that carries out a plan, and the size of the images that it takes; ``module`` stays as it is.

    Args:
        module: Classifier, float32 [n, 3, h, w] to logits [n, classes], in eval mode.
        plan: What to do.
        form: How the graph selects tokens; without effect where it does not.
        input_size: Height and width in pixels that the model takes now.

    Raises:
        UsageError: the model cannot carry it out.
    """
    if isinstance(plan, ResizePlan):
        return resize(module, plan, input_size)
    resized = resize(module, plan.resized, input_size) if plan.resized else Resized(module, input_size)
    return Resized(with_fewer_tokens(resized.module, plan, form, resized.input_size), resized.input_size)


def check_plan(module: nn.Module, plan: Plan, input_size: tuple[int, int]) -> tuple[Site, ...]:
    """Refuses a plan that a model cannot carry out, as :func:`carry_out` does.

    Returns:
        The blocks after whose attention tokens are removed, with the number kept; none of a plan that only resizes.

    Raises:
        UsageError: says why, and what the model can use instead.
    """
    if isinstance(plan, ResizePlan):
        check_resizable(module, plan, input_size)
        return ()
    if plan.resized is None:
        return sites_of(module, plan, input_size)
    check_resizable(module, plan.resized, input_size)
    resized = resize(module, plan.resized, input_size)
    return sites_of(resized.module, plan, resized.input_size)


def with_fewer_tokens(module: nn.Module, plan: TokenPlan, form: Form, input_size: tuple[int, int]) -> ReducedModel:
    """Returns a model that carries out the part of a plan that reduces tokens; ``module`` stays as it is.

    timm's plain vision transformers are written anew in PyTorch, so that their graphs stay those that rewrites know; of
    any other model the captured graph is changed.

    Args:
        module: As for :func:`carry_out`.
        plan: How many patch tokens are kept after the attention of which blocks.
        form: How the graph selects tokens.
        input_size: Height and width in pixels.

    Raises:
        UsageError: the model has no encoder of softmax attention, or cannot carry out the plan.
    """
    if is_plain(module):
        return reduce_tokens(module, plan, form)
    return reduce_captured(module, plan, form, input_size)


def sites_of(module: nn.Module, plan: TokenPlan, input_size: tuple[int, int]) -> tuple[Site, ...]:
    """Returns the sites of a plan in a model, as :func:`with_fewer_tokens` resolves it.

    Raises:
        UsageError: as there.
    """
    return plan_sites(module, plan) if is_plain(module) else captured_sites(module, plan, input_size)


def check_tokens(module: nn.Module, input_size: tuple[int, int]) -> None:
    """Refuses a model whose tokens cannot leave inside it, or that cannot be cut between its blocks for a search.

    Args:
        module: As for :func:`carry_out`.
        input_size: Height and width in pixels.

    Raises:
        UsageError: says why, and what the model can use instead.
    """
    if not is_plain(module):
        check_cuts(find_encoder(module, input_size))


def is_reducible(module: nn.Module, input_size: tuple[int, int]) -> bool:
    """Returns whether plans that reduce tokens can be searched for, see :func:`check_tokens`."""
    try:
        check_tokens(module, input_size)
    except UsageError:
        return False
    return True


def check_searchable(module: nn.Module, input_size: tuple[int, int]) -> None:
    """Refuses a model of which no plan can be searched for: none of its tokens can leave, and its input has one size.

    Args:
        module: As for :func:`carry_out`.
        input_size: Height and width in pixels that the model takes now.

    Raises:
        UsageError: says why.
    """
    if smaller_sizes(module, input_size):
        return
    try:
        check_tokens(module, input_size)
    except UsageError as error:
        raise UsageError(
            f"--tokens auto: {error.message}, and no smaller image either: the model takes {input_size[0]} x"
            f" {input_size[1]} alone",
            "leave out --tokens; quantization works here",
        ) from error
