"""Black-box samplers of Optuna, by ask and tell: where no single change tells anything, and as rivals in the benchmark.

Generations are told whole and in order, so that the same seed gives the same points whatever ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from edgevit.errors import UsageError
from edgevit.results.search import PointSettings
from edgevit.search.axes import Axes
from edgevit.search.network import Network
from edgevit.search.space import to_make
from edgevit.search.strategy import Made

if TYPE_CHECKING:
    from optuna import Trial

METHODS: Final = ("proxy", "exhaustive", "tpe", "nsga2", "random")
"""How points may be chosen: by prediction, all of them, or by a sampler."""
_MOST_ASKED = 200
"""Times that a sampler is asked for a point that is possible and new."""


class BlackBox:
    """A strategy that knows nothing but what was measured."""

    def __init__(self, networks: Sequence[Network], axes: Axes, method: str, seed: int, population: int = 10) -> None:
        """Opens a study in memory.

        Args:
            networks: Models.
            axes: What points are compared in.
            method: "tpe", "nsga2" or "random".
            seed: Of the sampler.
            population: Of NSGA-II.

        Raises:
            UsageError: Optuna is not installed.
        """
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers: dict[str, Callable[[], Any]] = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed, n_startup_trials=population),
            "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed, population_size=population),
            "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        }
        self._axes, self._networks = axes, {network.name: network for network in networks}
        self._points = {_key(point): point for network in networks for point in network.points}
        self._choices: list[list[object]] = [list(dict.fromkeys(values)) for values in zip(*self._points, strict=True)]
        self._study = optuna.create_study(directions=["minimize"] * len(axes.objectives), sampler=samplers[method]())
        self._asked: list[tuple[Trial, PointSettings]] = []
        self.ended = ""

    def propose(self, made: Made, most: int, seconds: float) -> tuple[PointSettings, ...]:
        """See :class:`edgevit.search.strategy.Strategy`; what was proposed before is told first."""
        for asked, proposed in self._asked:
            self._tell(asked, proposed, made)
        self._asked = []
        planned: dict[PointSettings, None] = {}
        for _ in range(_MOST_ASKED):
            if len(planned) >= most:
                break
            trial = self._study.ask()
            point = self._points.get(tuple(self._suggest(trial)))
            if point is None:  # a pair that is impossible
                self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)
                continue
            new = [each for each in to_make(point, made) if each not in planned]
            if point in made:
                self._tell(trial, point, made)
            elif not new or len(planned) + len(new) > most or self._seconds(new) > seconds:
                self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)
            else:
                self._asked.append((trial, point))
                planned |= dict.fromkeys(new)
                seconds -= self._seconds(new)
        if not planned:
            self.ended = f"the sampler found no new point in {_MOST_ASKED} attempts"
        return tuple(point for _, point in self._asked)

    def _seconds(self, points: Sequence[PointSettings]) -> float:
        return sum(self._networks[point.model].seconds(point) for point in points)

    def _suggest(self, trial: Trial) -> list[object]:
        return [
            values[trial.suggest_categorical(f"choice {number}", range(len(values)))]
            for number, values in enumerate(self._choices)
        ]

    def _tell(self, trial: Trial, point: PointSettings, made: Made) -> None:
        evaluation = made.get(point)
        if evaluation is None or evaluation.amounts is None or evaluation.amounts.ms is None:
            self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)
        else:
            self._study.tell(trial, [float(value) for value in self._axes.measured(point.model, evaluation.amounts)])


def _key(point: PointSettings) -> tuple[object, ...]:
    """What a sampler chooses one by one; the form belongs to its plan."""
    return (
        point.model, point.backend, point.scheme, (point.tokens, point.form), point.prune, point.finetune,
        point.float_layers,
    )  # fmt: skip


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            "black-box samplers need Optuna, which is not installed", "pip install 'edgevit[search]', or --method proxy"
        ) from error
    return optuna
