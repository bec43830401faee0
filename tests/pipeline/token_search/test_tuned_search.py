"""Plans that lose too much untuned, tuned for a short time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.distillation.finetune_job import Finetuned, FinetuneJob  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline import finetuning  # noqa: E402
from edgevit.pipeline.context import RunContext, Variant  # noqa: E402
from edgevit.pipeline.model_passes import TrainedModel  # noqa: E402
from edgevit.pipeline.token_search import tuned_search  # noqa: E402
from edgevit.pipeline.token_search.trials import PlanTrials  # noqa: E402
from edgevit.pipeline.token_search.tried_plans import PlanDrop  # noqa: E402
from edgevit.pipeline.token_search.tuned_search import expected, find_plan_to_tune  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.finetune import FinetunePoint  # noqa: E402
from edgevit.results.measurement import Interval  # noqa: E402
from edgevit.results.token_search import TokenSearch, TriedPlan, TriedSize  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import Plan  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LIMIT = 1.0
UNTUNED = {"squeeze:1=20": 3.5, "resolution:24+squeeze:1=20": 2.0, "resolution:28": 1.5, "squeeze:1=60": 0.5}
"""Plans by what they lose in points, the fastest first."""


def search(limit_points: float) -> TokenSearch:
    """The fastest plan within a limit."""
    held = [plan for plan, lost in UNTUNED.items() if lost <= limit_points]
    tried = tuple(TriedPlan(plan, 1.0, 0.01, UNTUNED[plan]) for plan in held if plan != "resolution:28")
    sizes = (TriedSize(28, 100, UNTUNED["resolution:28"]),) if "resolution:28" in held else ()
    plan = held[0] if held else None
    return TokenSearch(
        "onnxruntime", "host", "measured", 2.0, (), (), 1, (), tried, plan, 1.0, limit_points, 6, sizes=sizes
    )


@dataclass
class World:
    """A run whose fine-tuning is a known answer, in which plans lose what is told."""

    context: RunContext
    trained: TrainedModel
    regained: float = 0.0
    """Share of the drop."""
    left: float = 1.0
    """Share of the divergence."""
    error: Exception | None = None
    jobs: list[FinetuneJob] = field(default_factory=list)
    searched: list[float] = field(default_factory=list)
    drops: list[Plan] = field(default_factory=list)

    def find(self) -> TokenSearch:
        def within(limit_points: float) -> TokenSearch:
            self.searched.append(limit_points)
            return search(limit_points)

        return find_plan_to_tune(self.context, self.trained, LIMIT, within)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    spec = Spec.model_validate(
        {"model": {"name": "m"}, "passes": {"tokens": "auto"}, "finetune": {"mode": "full", "batch_size": 4}}
    )
    module, images = small_vit(depth=2).requires_grad_(False), noise(12)
    inputs = make_inputs(
        spec,
        model=Model("m", module, CONTRACT, 5, random_weights=False),
        data=RunData(noise(6), None),
        tuning_images=TuningImages(images.select(images.ids[:8]), images.select(images.ids[8:])),
    )
    with torch.no_grad():
        logits = module(torch.zeros(6, 3, 32, 32)).numpy()
    context = make_context(inputs, tmp_path, logits)
    dense = Variant("dense", tmp_path / "dense.pt2", CONTRACT, (), context.original.logits)
    made = World(context, TrainedModel(module, context.original, dense))

    def tuned(job: FinetuneJob) -> Finetuned:
        if made.error:
            raise made.error
        made.jobs.append(job)
        job.weights.touch()
        curve = (FinetunePoint(0, 0.3), FinetunePoint(640, 0.3 * made.left), FinetunePoint(960, 0.4))
        return Finetuned(weights=job.weights, images_seen=640, seconds=2.0, curve=curve)

    def tuned_drop(trials: PlanTrials, plan: Plan, weights: Path) -> PlanDrop:
        assert weights.is_file()
        made.drops.append(plan)
        return PlanDrop((1 - made.regained) * UNTUNED[str(plan)], 6, Interval(-1.0, 1.0))

    monkeypatch.setattr(executor, "run_in_child", run_here)
    monkeypatch.setattr(finetuning, "capture_for_training", lambda *_: None)
    monkeypatch.setattr(finetuning, "save_program", lambda program, file: file.touch())
    monkeypatch.setattr(tuned_search, "finetune_task", lambda job: Task(tuned, job, Finetuned, lambda a: (a.weights,)))
    monkeypatch.setattr(PlanTrials, "tuned_drop", tuned_drop)
    with context.stages.folder:
        yield made


@pytest.mark.parametrize(
    ("regained", "plan", "tuned"),
    [
        (0.9, "squeeze:1=20", 1),  # 3.5 points become 0.35
        (0.6, "resolution:24+squeeze:1=20", 2),  # 1.4, then 0.8
        (0.4, "resolution:28", 3),
        (0.0, "squeeze:1=60", 3),  # which keeps the limit untuned
    ],
)
def test_the_fastest_that_a_short_fine_tuning_brings_within_the_limit_is_found(
    world: World, regained: float, plan: str, tuned: int
) -> None:
    world.regained = regained
    found = world.find()
    assert (found.plan, found.limit_points) == (plan, LIMIT)
    assert [each.plan for each in found.tuned] == list(UNTUNED)[:tuned]
    assert [each.drop_points_before for each in found.tuned] == list(UNTUNED.values())[:tuned]
    assert [each.drop_points for each in found.tuned] == pytest.approx(
        [(1 - regained) * lost for lost in list(UNTUNED.values())[:tuned]]
    )
    assert world.searched == [4.0, 2.5, 1.6, 1.0][: tuned + (plan == "squeeze:1=60")]
    assert {tried.plan for tried in found.tried} == {each for each in UNTUNED if each != "resolution:28"}


def test_what_divergence_promises_counts_where_no_images_are_won_yet(world: World) -> None:
    world.left = 0.7
    found = world.find()
    assert [each.plan for each in found.tuned] == ["squeeze:1=20", "resolution:24+squeeze:1=20"]
    assert [each.expected_points for each in found.tuned] == pytest.approx([0.49 * 3.5, 0.49 * 2.0])
    assert found.plan == "resolution:24+squeeze:1=20"


def test_what_is_expected() -> None:
    assert expected(4.0, 3.0, (0.2, 0.1)) == pytest.approx(1.0)
    assert expected(4.0, 0.5, (0.2, 0.1)) == 0.5  # fewer images are lost already
    assert expected(4.0, 4.0, (0.2, 0.2)) == 4.0
    assert expected(4.0, 4.5, (0.0, 0.0)) == 4.0


def test_a_short_fine_tuning_trains_little_on_the_images_for_it(world: World) -> None:
    world.regained = 0.6
    first, second = world.find().tuned
    assert (first.images_seen, first.seconds, first.drop_interval) == (640, 2.0, Interval(-1.0, 1.0))
    assert (first.divergence_before, first.divergence_after) == pytest.approx((0.3, 0.3))
    assert [job.settings.images_seen for job in world.jobs] == [960, 960]
    assert {job.settings.parameters for job in world.jobs} == {"small"}
    assert [job.kept_for_student.preprocessing.input_size for job in world.jobs] == [(32, 32), (24, 24)]
    assert [len(job.images) for job in world.jobs] == [8, 8]
    assert len({job.teacher for job in world.jobs}) == 1
    assert second.plan == "resolution:24+squeeze:1=20"


def test_other_backends_tune_nothing_again_and_nothing_hopeless(world: World) -> None:
    world.regained = 0.6
    first = world.find()
    second = world.find()
    assert (second.plan, second.tuned) == (first.plan, first.tuned[1:])  # what lost 3.5 points was not saved
    assert len(world.jobs) == 2


def test_where_plans_cannot_be_tuned_what_follows_is_trusted(world: World) -> None:
    world.error = CandidateFailed("the loss is nan")
    found = world.find()
    assert (found.plan, found.tuned, found.limit_points) == ("resolution:24+squeeze:1=20", (), 2.5)
    assert found.note == "no plan was tuned shortly: the loss is nan"


def test_what_keeps_the_limit_untuned_is_not_tuned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UNTUNED, "squeeze:1=20", 0.9)
    found = world.find()
    assert (found.plan, found.tuned, world.searched, world.jobs) == ("squeeze:1=20", (), [4.0], [])


def test_without_time_nothing_is_tuned(world: World) -> None:
    spec = world.context.inputs.spec
    hurried = spec.model_copy(update={"passes": spec.passes.model_copy(update={"search_minutes": 1e-9})})
    world.context = replace(world.context, inputs=replace(world.context.inputs, spec=hurried))
    found = world.find()
    assert (found.plan, found.tuned, world.jobs) == ("resolution:24+squeeze:1=20", (), [])
    assert "no time to tune" in found.note


def test_where_nothing_holds_even_within_more_nothing_is_tuned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "UNTUNED", {})
    found = world.find()
    assert (found.plan, found.tuned, world.searched) == (None, (), [4.0, 1.0])
