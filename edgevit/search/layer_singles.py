"""What quantizing single layers costs: all screened by one backward pass, those that matter measured, mixes to see if it adds up.

Runs in a child process, in PyTorch, on the numbers of an int8 artifact, see :mod:`edgevit.quantization.simulate`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx

from edgevit.data.prepared import PreparedImages
from edgevit.model.program.capture import load_program
from edgevit.model.program.functional import without_writes
from edgevit.model.program.layers import CONVOLUTIONS, LINEAR, argument, constant
from edgevit.model.program.mapped import MappedInterpreter
from edgevit.model.program.module_names import aligned_modules, module_layers
from edgevit.quantization.fake_quantize import fake_quantize_weight
from edgevit.quantization.simulate import Int8Scheme, simulate
from edgevit.results.search import LayerSingle
from edgevit.run.child_process import report_progress

MEASURED_SHARE = 1 / 3
"""Of the modules, those with the largest Fisher score, whose divergence is measured."""
MIXES = 24
_DRAWN_LABELS = 4
"""Labels that are drawn from the predictions of each image for its Fisher score."""
_AT_ONCE = 32
"""Images that are computed at once."""
_LEAST_NATS = 1e-7


@dataclass(frozen=True)
class LayerSinglesJob:
    """An int8 artifact, and the model that it was made from."""

    program: Path
    scheme: Int8Scheme
    calibration: PreparedImages
    """Whose ranges it has."""
    images: PreparedImages
    """To measure divergences on."""
    threads: int
    seed: int
    mixes: int = MIXES


@dataclass(frozen=True)
class LayerSingles:
    """What was found."""

    layers: tuple[LayerSingle, ...]
    """Modules with int8 layers, in execution order; none where layers cannot be matched with modules."""
    sums: tuple[float, ...]
    """Of each random mix, the sum of the divergences of its modules, in nats, and what int8 costs beside layers."""
    mixed: tuple[float, ...]
    """Divergence of each mix, in nats."""


def measure_layers(job: LayerSinglesJob) -> LayerSingles:
    """Measures what each module costs when its layers alone are int8, and random mixes of them.

    Raises:
        CandidateFailed: the artifact cannot be simulated.
    """
    torch.set_num_threads(1)
    program = load_program(job.program)
    known = module_layers(program)
    graph = program.module()
    without_writes(graph.graph)
    graph.recompile()
    simulate(graph, job.scheme, job.calibration.array())
    layers = _layers_of(graph)
    paths = aligned_modules([layer.weights for layer in layers], known)
    modules = {path: tuple(n for n, other in enumerate(paths) if other == path and layers[n].is_int8) for path in paths}
    modules = {path: places for path, places in modules.items() if path and places}
    if not modules:
        return LayerSingles((), (), ())
    with ThreadPoolExecutor(job.threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        return _Measuring(graph, layers, modules, job, pool).all()


@dataclass(frozen=True)
class _Layer:
    """A layer of a simulated graph."""

    node: fx.Node
    macs: int
    weights: int
    is_int8: bool


def _layers_of(graph: fx.GraphModule) -> list[_Layer]:
    """Layers whose weights are fake-quantized or not, in execution order."""
    found = []
    for node in graph.graph.nodes:
        if node.op != "call_function" or node.target not in (LINEAR, *CONVOLUTIONS):
            continue
        source = argument(node, 1, "weight")
        is_int8 = _is_fake(source)
        weight = constant(graph, source.args[0] if is_int8 else source)
        if weight is not None:
            macs = node.meta["val"].numel() // len(weight) * weight.numel()
            found.append(_Layer(node, macs, weight.numel(), is_int8))
    return found


class _Measuring:
    """Runs one simulated graph with different modules in int8."""

    def __init__(
        self,
        graph: fx.GraphModule,
        layers: list[_Layer],
        modules: dict[str, tuple[int, ...]],
        job: LayerSinglesJob,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._graph, self._layers, self._modules, self._job, self._pool = graph, layers, modules, job, pool
        images = torch.from_numpy(job.images.array())
        self._batches = list(torch.split(images, _AT_ONCE))
        self._done, self._total = 0, 3 + int(np.ceil(MEASURED_SHARE * len(modules))) + job.mixes
        self._float = self._log_probabilities(frozenset(), others=False)

    def all(self) -> LayerSingles:
        """Screens, measures and mixes."""
        scores = self._fisher()
        beside = self._divergence(())
        ranked = sorted(self._modules, key=lambda path: -scores[path])
        measured = {
            path: max(_LEAST_NATS, self._divergence((path,)) - beside)
            for path in ranked[: int(np.ceil(MEASURED_SHARE * len(ranked)))]
        }
        ratios = [nats / max(_LEAST_NATS, scores[path]) for path, nats in measured.items()]
        scale = float(np.exp(np.mean(np.log(ratios))))
        nats = {path: measured.get(path, scale * scores[path]) for path in self._modules}
        rng = np.random.default_rng(self._job.seed)
        mixes = [_mix(ranked, rng) for _ in range(self._job.mixes)]
        return LayerSingles(
            tuple(self._single(path, nats[path], scores[path], path in measured) for path in self._modules),
            tuple(beside + sum(nats[path] for path in mix) for mix in mixes),
            tuple(self._divergence(mix) for mix in mixes),
        )

    def _single(self, path: str, nats: float, fisher: float, measured: bool) -> LayerSingle:
        layers = [self._layers[place] for place in self._modules[path]]
        macs, weights = sum(layer.macs for layer in layers), sum(layer.weights for layer in layers)
        return LayerSingle(path, nats, measured, fisher, macs, weights)

    def _divergence(self, paths: tuple[str, ...]) -> float:
        """KL(float || these modules in int8) in nats, mean over the images."""
        places = frozenset(place for path in paths for place in self._modules[path])
        found = self._log_probabilities(places, others=True)
        return float((self._float.exp() * (self._float - found)).sum(dim=1).mean())

    def _log_probabilities(self, places: frozenset[int], *, others: bool) -> Tensor:
        """Of each image, float64 [n, classes].

        Args:
            places: Layers in int8.
            others: Whether what is rounded besides the inputs and weights of layers is rounded.
        """
        nodes = frozenset(self._layers[place].node for place in places)

        def answer(batch: Tensor) -> Tensor:
            def run(image: Tensor) -> Tensor:
                return cast(Tensor, _Run(self._graph, self._layers, nodes, others).run(image[None]))[0]

            with torch.no_grad():
                return cast(Tensor, cast(Any, torch.vmap(run))(batch)).double()

        parts = list(self._pool.map(answer, self._batches))
        self._tell()
        return torch.cat(parts).log_softmax(dim=1)

    def _fisher(self) -> dict[str, float]:
        """Half the mean square of the derivative of the log-likelihood along what quantizing each module changes, in nats.

        The second-order expansion of the divergence: labels are drawn from the predictions of the float model. One pass for
        all modules: each layer's change is added with a factor of zero, whose gradient is asked for.
        """
        paths = list(self._modules)
        place_of = {place: number for number, path in enumerate(paths) for place in self._modules[path]}
        generator = torch.Generator().manual_seed(self._job.seed)
        labels = torch.multinomial(self._float.exp(), _DRAWN_LABELS, replacement=True, generator=generator)
        drawn = torch.split(labels, _AT_ONCE)

        def gradients(part: tuple[Tensor, Tensor]) -> Tensor:
            batch, chosen = part
            amounts = torch.zeros(len(batch), len(paths), requires_grad=True)

            def run(image: Tensor, amount: Tensor) -> Tensor:
                changed = _Changed(self._graph, self._layers, place_of, amount)
                return cast(Tensor, changed.run(image[None]))[0]

            logits = cast(Tensor, cast(Any, torch.vmap(run))(batch, amounts))
            likelihoods = logits.log_softmax(dim=1).gather(1, chosen).sum(0)
            found = [torch.autograd.grad(each, amounts, retain_graph=True)[0] for each in likelihoods]
            return torch.stack(found).square().mean(0)

        parts = list(self._pool.map(gradients, zip(self._batches, drawn, strict=True)))
        self._tell()
        means = torch.cat(parts).double().mean(0) / 2
        return {path: max(_LEAST_NATS, float(score)) for path, score in zip(paths, means, strict=True)}

    def _tell(self) -> None:
        self._done = min(self._done + 1, self._total)
        report_progress(self._done, self._total)


def _mix(ranked: list[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the modules, each with the same probability, which differs from mix to mix."""
    share = rng.uniform(0.1, 0.9)
    chosen = [path for path in ranked if rng.random() < share]
    return tuple(chosen or ranked[:1])


class _Run(MappedInterpreter):
    """Runs a simulated graph with some of its layers in float."""

    def __init__(
        self, graph: fx.GraphModule, layers: list[_Layer], int8: frozenset[fx.Node], others: bool = True
    ) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self._in_float = {layer.node for layer in layers if layer.is_int8} - int8
        self._others = others

    def run_node(self, n: fx.Node) -> Any:
        if n in self._in_float:
            return self._in_float_of(n)
        if not self._others and _is_fake(n):
            return self.env[cast(fx.Node, n.args[0])]
        return super().run_node(n)

    def _in_float_of(self, n: fx.Node) -> Any:
        """What a layer makes of values and weights that are not rounded."""
        exact = {fake: self.env[cast(fx.Node, fake.args[0])] for fake in n.all_input_nodes if _is_fake(fake)}
        args, kwargs = fx.node.map_arg((n.args, n.kwargs), lambda each: exact.get(each, self.env[each]))
        return cast(Callable[..., Any], n.target)(*args, **kwargs)


class _Changed(_Run):
    """Runs a graph in float, and adds to each layer a multiple of what quantizing it alone changes."""

    def __init__(self, graph: fx.GraphModule, layers: list[_Layer], place_of: dict[int, int], amounts: Tensor) -> None:
        super().__init__(graph, layers, frozenset(), others=False)
        self._number = {layers[place].node: number for place, number in place_of.items()}
        self._amounts = amounts

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        number = self._number.get(n)
        if number is None:
            return value
        with torch.no_grad():
            rounded = self._rounded(n)
        return value + self._amounts[number] * (rounded - value).detach()

    def _rounded(self, n: fx.Node) -> Any:
        fakes = [each for each in n.all_input_nodes if _is_fake(each)]
        made = {
            fake: cast(Callable[..., Any], fake.target)(
                *fx.node.map_arg(fake.args, lambda each: self.env[each].detach()), **fake.kwargs
            )
            for fake in fakes
        }
        args, kwargs = fx.node.map_arg(
            (n.args, n.kwargs), lambda each: made[each] if each in made else self.env[each].detach()
        )
        return cast(Callable[..., Any], n.target)(*args, **kwargs)


def _is_fake(node: fx.Node) -> bool:
    return node.op == "call_function" and getattr(node.target, "__module__", "") == fake_quantize_weight.__module__
