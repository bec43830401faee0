"""Smaller images, tried until one loses too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.forward_cost import forward_cost  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.token_search.effort import SearchEffort  # noqa: E402
from edgevit.pipeline.token_search.sizes import find_size, held_sizes, plan_of  # noqa: E402
from edgevit.pipeline.token_search.trials import PlanTrials  # noqa: E402
from edgevit.pipeline.token_search.tried_plans import PlanDrop  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.token_search import TokenSearch, TriedSize  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import Plan, ResizePlan  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DROPS = {30: 0.0, 28: -0.5, 26: 1.5, 22: 0.5}
"""Points by the side of the image: noise made the last one lose less than the one before."""
Find = Callable[..., TokenSearch]


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Plans whose loss was asked for; what they lose is made up."""
    asked: list[Plan] = []

    def carry_out(trials: PlanTrials, plan: Plan, stage: str) -> PlanDrop:
        assert isinstance(plan, ResizePlan)
        asked.append(plan)
        return PlanDrop(DROPS[plan.size], 24)

    monkeypatch.setattr(PlanTrials, "_carry_out", carry_out)
    return asked


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Find]:
    """Searches the size for a small convolutional network, in one run."""
    monkeypatch.setattr(executor, "run_in_child", run_here)
    module = digits_cnn().eval().requires_grad_(False)
    model = Model("m", module, PREPROCESSING, 10, random_weights=False)
    context: Any = None

    def find(limit: float, backend: str = "onnxruntime", minutes: float | None = None, **effort: int) -> TokenSearch:
        nonlocal context
        if context is None:
            passes = {"tokens": "auto", **({"search_minutes": minutes} if minutes else {})}
            spec = Spec.model_validate({"model": {"name": "m"}, "passes": passes})
            inputs = make_inputs(spec, model=model, data=RunData(noise(24), None))
            logits = torch.randn(24, 10, generator=torch.Generator().manual_seed(0)).numpy()
            context = make_context(inputs, tmp_path, logits)
            context.stages.folder.__enter__()
        return find_size(context, module, get_backend(backend), limit, SearchEffort(**effort))

    yield find
    if context is not None:
        context.stages.folder.__exit__()


def test_the_smallest_image_within_the_limit_is_found(find: Find, carried_out: list[Plan]) -> None:
    found = find(limit=1.0)
    assert (found.plan, found.source, found.dense_ms, found.predicted_ms) == ("resolution:28", "none", None, None)
    assert [(size.size, size.drop_points) for size in found.sizes] == [(30, 0.0), (28, -0.5), (26, 1.5)]
    assert all(size.macs == forward_cost(digits_cnn().eval(), (size.size, size.size)).macs for size in found.sizes)
    assert found.note == ""


@pytest.mark.slow
def test_backends_share_what_sizes_lose(find: Find, carried_out: list[Plan]) -> None:
    first, second = find(limit=1.0), find(limit=1.0, backend="litert")
    assert second.sizes == first.sizes and second.plan == first.plan
    assert len(carried_out) == 3


def test_all_sizes_hold_where_the_limit_is_wide(find: Find, carried_out: list[Plan]) -> None:
    assert find(limit=2.0).plan == "resolution:22"


def test_no_size_says_why(find: Find, carried_out: list[Plan]) -> None:
    found = find(limit=-1.0)
    assert (found.plan, len(found.sizes)) == (None, 1)
    assert found.note == "images of 30 pixels already lose more than -1 points, 0.0"


def test_only_so_many_are_tried(find: Find, carried_out: list[Plan]) -> None:
    assert [size.size for size in find(limit=2.0, most_sizes=2).sizes] == [30, 28]


def test_no_time_is_told(find: Find, carried_out: list[Plan]) -> None:
    found = find(limit=2.0, minutes=1e-9)
    assert (found.plan, found.sizes, carried_out) == (None, (), [])
    assert found.note.startswith("the time for the search was over")


def test_what_was_lost_is_that_of_the_model_on_smaller_images(find: Find) -> None:
    found = find(limit=100.0)
    assert [size.size for size in found.sizes] == [30, 28, 26, 22]
    for size in found.sizes:
        assert size.drop_interval is not None and size.samples == 24
        assert size.drop_interval.low <= size.drop_points <= size.drop_interval.high


def test_a_size_is_a_plan_and_held_within_a_limit() -> None:
    tried = (TriedSize(30, 2000, 0.5), TriedSize(28, 1000, 1.0))
    assert [plan_of(size) for size in tried] == [ResizePlan("resolution", 30), ResizePlan("resolution", 28)]
    assert [held_sizes(tried, limit) for limit in (0.4, 0.5, 1.0)] == [(), tried[:1], tried]
