"""A classifier with fewer tokens, made from its captured program."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

from torch import Tensor, fx, nn

from edgevit.errors import UsageError
from edgevit.spec.token_plan import Form, Site, TokenPlan
from edgevit.tokens.captured.encoder import Encoder, find_encoder
from edgevit.tokens.captured.rewrite import NO_REDUCTIONS, Part, Reduced, Reductions, write_reduced
from edgevit.tokens.captured.steps import SiteStep
from edgevit.tokens.reduction import ReducedModel, SiteInputs, TokenReduction


def captured_sites(module: nn.Module, plan: TokenPlan, input_size: tuple[int, int]) -> tuple[Site, ...]:
    """Resolves a plan for a classifier, as :func:`edgevit.tokens.reduce.plan_sites` does.

    Args:
        module: float32 [b, 3, h, w] to logits float32 [b, classes], in eval mode.
        plan: To resolve.
        input_size: Height and width in pixels.

    Raises:
        UsageError: the classifier has no encoder, or it cannot carry out the plan.
    """
    encoder = find_encoder(module, input_size)
    sites = plan.sites(encoder.patches, len(encoder.blocks))
    if not sites:
        raise UsageError(f"token plan {plan} keeps all {encoder.patches} patch tokens", "keep fewer")
    return sites


def reduce_captured(module: nn.Module, plan: TokenPlan, form: Form, input_size: tuple[int, int]) -> ReducedEncoder:
    """Returns a model that carries out a token plan; ``module`` stays as it is.

    Args:
        module: As for :func:`captured_sites`.
        plan: How many patch tokens are kept after the attention of which blocks.
        form: How the graph selects tokens, see :mod:`edgevit.tokens.maths`.
        input_size: Height and width in pixels.

    Raises:
        UsageError: the classifier has no encoder, or it cannot carry out the plan.
    """
    sites = captured_sites(module, plan, input_size)
    encoder = find_encoder(module, input_size)
    return ReducedEncoder(copy.deepcopy(module), encoder, Reductions(plan.method, sites, form)).eval()


class ReducedEncoder(ReducedModel):
    """A classifier with fewer tokens after each site, in numbers that do not depend on the image."""

    def __init__(self, module: nn.Module, encoder: Encoder, reductions: Reductions) -> None:
        super().__init__()
        self.sites = reductions.sites
        self.patches = encoder.patches
        self.graph = _into(self, module, write_reduced(module, encoder, reductions))

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits float32 [n, classes] of images float32 [n, 3, h, w]."""
        return self._run(images)[0]

    @property
    def original(self) -> nn.Module:
        """The classifier that was captured."""
        return cast(nn.Module, self.model)

    def decisions(self, images: Tensor) -> list[tuple[TokenReduction, SiteInputs]]:
        """Returns the reduction of each site and what it decides by, for images float32 [n, 3, h, w]."""
        reductions = [step.reduction for step in cast(nn.ModuleList, self.steps) if isinstance(step, SiteStep)]
        return list(zip(reductions, self._run(images)[1], strict=True))

    def _run(self, images: Tensor) -> tuple[Tensor, list[SiteInputs]]:
        (logits,), decided = fx.Interpreter(self, graph=self.graph).run(images)
        return cast(Tensor, logits), [SiteInputs(*each) for each in decided]


class EncoderPart(nn.Module):
    """A part of a classifier, with or without sites, which shares its weights."""

    def __init__(self, module: nn.Module, encoder: Encoder, reductions: Reductions, part: Part) -> None:
        super().__init__()
        self.graph = _into(self, module, write_reduced(module, encoder, reductions, part))

    def outputs(self, entering: Tensor) -> tuple[Tensor, ...]:
        """Returns all outputs of the part.

        Args:
            entering: Images float32 [n, 3, h, w], or tokens, as the part says.
        """
        found: tuple[Tensor, ...] = fx.Interpreter(self, graph=self.graph).run(entering)[0]
        return found

    def forward(self, entering: Tensor) -> Tensor:
        """Returns the first output, logits float32 [n, classes] or tokens float32 with three axes; see :meth:`outputs`."""
        return self.outputs(entering)[0]

    def alone(self) -> nn.Module:
        """Returns the same without the weights that it does not read; its only output is the first."""
        return _FirstOutput(fx.GraphModule(self, self.graph))


def attention_of(module: nn.Module, encoder: Encoder) -> Callable[[Tensor], list[tuple[Tensor, Tensor]]]:
    """Returns a function of images that gives query and keys of each block.

    Args:
        module: The module in which the encoder was found.
        encoder: Its encoder.

    Returns:
        From images float32 [n, 3, h, w] to a pair for each block, float [n, heads, tokens, width]: the query times all
        factors of the products, and the keys.
    """
    part = EncoderPart(module, encoder, NO_REDUCTIONS, Part(attention=True))

    def read(images: Tensor) -> list[tuple[Tensor, Tensor]]:
        return list(fx.Interpreter(part, graph=part.graph).run(images)[1])

    return read


class _FirstOutput(nn.Module):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, entering: Tensor) -> Tensor:
        found: Tensor = self.graph(entering)[0][0]
        return found


def _into(owner: nn.Module, module: nn.Module, written: Reduced) -> fx.Graph:
    """Gives a module all that a graph reads, and returns the graph."""
    owner.model = module
    owner.steps = nn.ModuleList(written.steps)
    for name, value in written.constants.items():
        owner.register_buffer(name, value, persistent=False)
    return written.graph
