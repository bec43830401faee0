"""What plans lose on the images of a run, on as few of them as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from edgevit.artifacts.metrics.classification import TOP1  # noqa: E402
from edgevit.artifacts.metrics.metric import Metric, Score  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.token_search import parts, trials  # noqa: E402
from edgevit.pipeline.token_search.trials import PlanTrials  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import ResizePlan, parse_any_plan, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PLANS = [parse_plan(text) for text in ("squeeze:1=30", "tome:3=40", "squeeze:2=40,5=8", "tome:2=60,3=31,4=16")]


@pytest.fixture
def labels(vit: Any, pixels: Any) -> tuple[int, ...]:
    """Of which about half are what the model says."""
    with torch.inference_mode():
        classes = vit(pixels).argmax(1)
    return tuple((int(label) + place % 2) % 5 for place, label in enumerate(classes))


@pytest.fixture(params=[True, False], ids=["labels", "no labels"])
def trial(
    request: pytest.FixtureRequest,
    vit: Any,
    pixels: Any,
    labels: tuple[int, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[PlanTrials, np.ndarray]]:
    """Trials on every third image, and the classes that are right on these."""
    monkeypatch.setattr(executor, "run_in_child", run_here)
    with torch.inference_mode():
        logits = vit(pixels).numpy()
    model = Model("m", vit, PREPROCESSING, 5, random_weights=False)
    data = RunData(noise(24, labels if request.param else None), None)
    inputs = make_inputs(Spec.model_validate({"model": {"name": "m"}}), model=model, data=data)
    context = make_context(inputs, tmp_path, logits)
    with context.stages.folder:
        yield (
            PlanTrials(context, vit, range(0, 24, 3), limit_points=20.0),
            np.array(labels if request.param else logits.argmax(1))[::3],
        )


def test_the_drop_is_that_of_the_reduced_model(trial: tuple[PlanTrials, np.ndarray], vit: Any, pixels: Any) -> None:
    trials, classes = trial
    assert len(trials) == 8
    for plan in PLANS:
        with torch.inference_mode():
            dense, reduced = (model(pixels[::3]).argmax(1).numpy() for model in (vit, reduce_tokens(vit, plan)))
        right = (dense == classes).mean() - (reduced == classes).mean()
        assert trials.drop_points(plan) == pytest.approx(100 * right)
        assert trials.known[plan].images == 8


def test_the_drop_is_that_of_the_metric_of_the_spec(
    vit: Any, pixels: Any, labels: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "run_in_child", run_here)
    own = Metric("my:share", "", needs_labels=True, compute=lambda each: Score(TOP1.score(each).value))
    with torch.inference_mode():
        dense, reduced = (model(pixels).numpy() for model in (vit, reduce_tokens(vit, PLANS[3])))
    inputs = make_inputs(
        Spec.model_validate({"model": {"name": "m"}, "budget": {"metric": "my:share", "max_drop": 0.04}}),
        model=Model("m", vit, PREPROCESSING, 5, random_weights=False),
        data=RunData(noise(24, labels), None),
        metric=own,
    )
    context = make_context(inputs, tmp_path, dense)
    with context.stages.folder:
        trials_ = PlanTrials(context, vit, range(24), limit_points=0.02)
        found = trials_.drop_points(PLANS[3])
    right = [float((logits.argmax(1) == np.array(labels)).mean()) for logits in (dense, reduced)]
    assert found == pytest.approx(right[0] - right[1])
    assert trials_.known[PLANS[3]].images == 24  # a part of the images need not tell
    assert (trials_.metric_name, trials_.unit, trials_.point) == ("my:share", "", 0.04)
    assert trials_.points_name == "of my:share"


def test_a_plan_is_carried_out_once(trial: tuple[PlanTrials, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    trials_, _ = trial
    first = trials_.drop_points(PLANS[0])
    monkeypatch.setattr(trials, "over_batches", None)
    assert trials_.drop_points(PLANS[0]) == first


@pytest.mark.parametrize(("drop", "images"), [(30.0, 4), (10.0, 8)])
def test_images_whose_class_is_least_certain_come_first_and_all_are_looked_at_only_if_a_plan_seems_to_hold(
    trial: tuple[PlanTrials, np.ndarray], monkeypatch: pytest.MonkeyPatch, drop: float, images: int
) -> None:
    trials_, _ = trial
    sizes: list[tuple[float, ...]] = []

    def enough(seen: Any, limit_points: float) -> bool:
        sizes.append(tuple(np.abs(seen.dense)))
        return len(sizes) >= 2

    monkeypatch.setattr(trials.Seen, "drop_points", property(lambda seen: drop))
    monkeypatch.setattr(trials.Seen, "is_enough", enough)
    monkeypatch.setattr(trials, "BATCH", 2)
    trials_.drop_points(PLANS[1])
    assert trials_.known[PLANS[1]].images == images
    assert all(list(seen) == sorted(seen) for seen in sizes)


def test_plans_that_begin_in_the_same_block_share_what_enters_it(
    trial: tuple[PlanTrials, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials_, _ = trial
    entered: list[int] = []

    def head(module: Any, images: Any, first: int) -> Any:
        entered.append(first)
        return original(module, images, first)

    original = parts.head
    monkeypatch.setattr(parts, "head", head)
    for text in ("tome:3=40", "squeeze:3=40", "squeeze:3=40,4=20", "tome:2=40"):
        trials_.drop_points(parse_plan(text))
    assert entered == [3, 2]  # one batch each


def test_what_would_fill_the_memory_is_not_kept(
    trial: tuple[PlanTrials, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials_, _ = trial
    monkeypatch.setattr(trials, "_MOST_KEPT_BYTES", 1000)
    first = trials_.drop_points(parse_plan("tome:3=40"))
    assert not trials_._entering._kept
    assert first == trials_.drop_points(parse_plan("tome:3=40"))


def test_a_smaller_image_loses_what_the_resized_model_loses(
    trial: tuple[PlanTrials, np.ndarray], vit: Any, pixels: Any
) -> None:
    trials_, classes = trial
    images = open_images("noise:24")
    small = replace(PREPROCESSING, input_size=(24, 24))
    smaller = torch.from_numpy(np.stack([preprocess(images.image(name), small) for name in images.ids[::3]]))
    resized = resize(vit, ResizePlan("resolution", 24), (32, 32)).module
    with torch.inference_mode():
        before = (vit(pixels[::3]).argmax(1).numpy() == classes).mean()
    for text in ("resolution:24", "resolution:24+tome:2=30,5=20"):
        plan = parse_any_plan(text)
        model = resized if isinstance(plan, ResizePlan) else reduce_tokens(resized, replace(plan, resized=None))
        with torch.inference_mode():
            after = (model(smaller).argmax(1).numpy() == classes).mean()
        assert trials_.drop_points(plan) == pytest.approx(100 * (before - after))
        interval = trials_.known[plan].interval
        assert interval is not None and interval.low <= trials_.drop_points(plan) <= interval.high
    assert trials_.module(None) is vit


def test_tuned_weights_are_those_of_the_plan(
    trial: tuple[PlanTrials, np.ndarray], vit: Any, pixels: Any, tmp_path: Path
) -> None:
    trials_, classes = trial
    plan = parse_plan("tome:2=40")
    tuned = reduce_tokens(vit, plan)
    with torch.no_grad():
        tuned.vit.head.weight.copy_(-tuned.vit.head.weight)
        save_file({"vit.head.weight": tuned.vit.head.weight.contiguous()}, tmp_path / "tuned.safetensors")
        before, after = ((model(pixels[::3]).argmax(1).numpy() == classes).mean() for model in (vit, tuned))
    drop = trials_.tuned_drop(plan, tmp_path / "tuned.safetensors")
    assert (drop.points, drop.images) == (pytest.approx(100 * (before - after)), 8)
    assert trials_.drop_points(plan) != pytest.approx(drop.points)  # untuned it is as it was


def test_what_was_tried_for_a_larger_limit_is_not_tried_again(
    trial: tuple[PlanTrials, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials_, _ = trial
    first = trials_.drop_points(PLANS[0])
    trials_.limit_points = 10.0
    monkeypatch.setattr(trials, "over_batches", None)
    assert trials_.drop_points(PLANS[0]) == first
