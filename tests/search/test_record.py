"""The state of a search as its document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.data.sampling import RunData
from edgevit.results.document import to_json
from edgevit.results.search import LayerSingle, Search, load_search
from edgevit.search.loop import Loop
from edgevit.search.make_points import PointMaker
from edgevit.search.plans import SearchedPlans
from edgevit.search.record import Recorder
from edgevit.search.request import SearchRequest
from edgevit.search.search_budget import Budget
from edgevit.search.searched_network import SearchedNetwork
from edgevit.search.single_changes import PlanSingles, PrecisionSingles
from edgevit.search.space import Change
from edgevit.search.strategy import ByPrediction
from edgevit.spec.token_plan import parse_any_plan
from tests.pipeline.contexts import digits_spec, make_context, make_inputs, noise
from tests.search.synthetic import PLANS, SyntheticNetwork, axes

LAYERS = tuple(
    LayerSingle(f"blocks.{n}", nats, measured=True, fisher=nats, macs=100, weights=1000)
    for n, nats in enumerate((0.001, 0.018, 0.001, 0.002))
)


def _network(folder: Path, precision: PrecisionSingles) -> SearchedNetwork:
    """A model whose points are numbers; its run has begun."""
    spec = digits_spec(export={"schemes": ["static_wi8_ai8"]}, passes={"form": "gather", "tokens": "evit:0.7"})
    inputs = make_inputs(spec, data=RunData(noise(8, (0,) * 8), noise(4)))
    numbers = SyntheticNetwork("net")
    singles = tuple(numbers.singles.changes.values())
    trained = type("Trained", (), {"snapshot": type("S", (), {"captured": type("C", (), {"macs": 1_250_000_000})})})
    return SearchedNetwork(
        name="net",
        spec=spec,
        context=make_context(inputs, folder, np.zeros((8, 4), np.float32)),
        trained=cast(Any, trained),
        found=SearchedPlans(tuple(map(parse_any_plan, PLANS)), {}, (), ("a note",)),
        plan_singles=PlanSingles(singles, {("openvino", Change("tome:8", "gather")): 0.7}, ()),
        maker=cast(PointMaker, type("Maker", (), {"target": "host"})()),
        dense_ms={"onnxruntime": 20.0, "openvino": 17.0, "litert": 19.0},
        precision=precision,
    )


def _document(folder: Path, trials: int, *, ended: str = "enough", limit: float = 1.0) -> Search:
    network, numbers = _network(folder, PrecisionSingles((), None)), SyntheticNetwork("net")
    network.spec = network.spec.model_copy(
        update={"budget": network.spec.budget.model_copy(update={"max_drop": limit})}
    )
    request = SearchRequest((network.spec,), max_trials=trials)
    strategy, budget = ByPrediction([numbers], axes(), 0), Budget(None, trials)
    loop = Loop([numbers], strategy, budget)
    loop.run(1)
    loop.ended = ended
    return Recorder(request, [network], axes(), strategy, budget).document(loop)


def test_every_point_is_measured_predicted_or_not_run_with_intervals(tmp_path: Path) -> None:
    found = _document(tmp_path, 18)
    (tmp_path / "search.json").write_bytes(to_json(found))
    assert load_search(tmp_path) == found
    made = [point for point in found.points if point.order]
    assert [point.order for point in made] == list(range(1, len(made) + 1))
    assert len(found.points) == len(SyntheticNetwork("net").points)
    assert {point.status for point in found.points} == {"measured", "predicted", "not run"}
    for point in found.points[len(made) :]:
        assert point.p50_ms
        assert point.p50_ms.low < point.p50_ms.value < point.p50_ms.high
        assert point.p50_ms.source == "predicted"


def test_the_front_is_the_fastest_first_and_made(tmp_path: Path) -> None:
    found = _document(tmp_path, 18)
    front = found.on_front
    assert all(point.on_front and point.status == "measured" for point in front)
    assert found.hypervolume is not None
    assert 0 < found.hypervolume < 1
    assert found.forecasts.points >= 10


def test_while_it_goes_on_nothing_is_predicted(tmp_path: Path) -> None:
    """A document after each candidate has to be quick."""
    assert all(point.order for point in _document(tmp_path, 8, ended="").points)


def test_an_empty_feasible_set_names_the_limit_and_the_nearest_point(tmp_path: Path) -> None:
    found = _document(tmp_path, 8, limit=0.0)
    assert found.infeasible is not None
    drops = {p.id: p.drop_points.value for p in found.points if p.order and p.drop_points and p.settings.changes}
    assert found.infeasible.limit == "max_drop 0"
    assert found.infeasible.nearest == min(drops, key=lambda name: drops[name])
    assert "max_drop 0" in found.infeasible.words
    (tmp_path / "other").mkdir()
    assert _document(tmp_path / "other", 8).infeasible is None


def test_layers_that_matter_are_chosen_by_the_integer_program(tmp_path: Path) -> None:
    network = _network(tmp_path, PrecisionSingles(LAYERS, None))
    mixes = {point.float_layers for point in network.points if point.float_layers}
    assert mixes
    assert all("blocks.1" in mix for mix in mixes)
    assert all(point.scheme == "static_wi8_ai8" for point in network.points if point.float_layers)
    assert len(network.points) > len(network.space.points)
    without = replace(network, precision=PrecisionSingles((), None))
    assert without.points == without.space.points


def test_both_forms_that_are_as_fast_are_points(tmp_path: Path) -> None:
    network = _network(tmp_path, PrecisionSingles((), None))
    assert {point.form for point in network.space.points} == {"none", "gather"}
    known = replace(network.context.inputs, forms=("gather", "arithmetic"))
    both = replace(network, context=replace(network.context, inputs=known))
    assert {point.form for point in both.space.points} == {"none", "gather", "arithmetic"}
    speeds = {("openvino", Change("tome:8", form)): ms for form, ms in (("gather", 0.7), ("arithmetic", 1.0))}
    slow = replace(both, plan_singles=replace(network.plan_singles, speeds=speeds))
    assert {point.form for point in slow.space.points} == {"none", "gather"}
    assert any("the other form computes the same faster" in struck.reason for struck in slow.struck)


def test_a_runtime_that_cannot_run_the_model_is_struck_out(tmp_path: Path) -> None:
    network = replace(_network(tmp_path, PrecisionSingles((), None)), dense_ms={"onnxruntime": 20.0})
    assert {point.backend for point in network.space.points} == {"onnxruntime"}
