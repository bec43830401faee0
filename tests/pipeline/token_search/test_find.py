"""The search in a run, on a small model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.data.prepared import prepare_images  # noqa: E402
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")


from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.devices.device import load_device  # noqa: E402
from edgevit.model.forward_cost import forward_cost  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.token_search import block_bench  # noqa: E402
from edgevit.pipeline.token_search.block_latency import (  # noqa: E402
    BlockTimes,
    ExportedBlocks,
    export_blocks,
    predict_blocks,
    time_blocks,
)
from edgevit.pipeline.token_search.effort import SearchEffort  # noqa: E402
from edgevit.pipeline.token_search.find import find_plan  # noqa: E402
from edgevit.pipeline.token_search.trials import PlanTrials  # noqa: E402
from edgevit.pipeline.token_search.tried_plans import PlanDrop, TriedPlans  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.token_search import TokenSearch  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.deadline import Deadline  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import FORMS, Form, Plan, ResizePlan, TokenPlan, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
EFFORT = SearchEffort(most_sizes=0)
SMALLER = ResizePlan("resolution", 28)
FIRST = {"24", "48", "65"}
"""Blocks without a site that are looked at first, of a model with 65 tokens."""


class World:
    """A run whose block times are made up, by the name of the block."""

    def __init__(self, module: Any, pixels: Any, folder: Path) -> None:
        self.module = module
        self.folder = folder
        self.exported: list[tuple[str, str]] = []
        """Backend and block."""
        self.timed: list[tuple[str, ...]] = []
        self.milliseconds = lambda tokens: 0.05 * tokens
        """Of a block without a site."""
        self.deadline = Deadline(None)
        self.tried_plans = TriedPlans()
        with torch.inference_mode():
            self.logits = module(pixels).numpy()

    def answer(self, task: Task[Any, Any], **_: Any) -> Any:
        if task.function is prepare_images:
            return run_here(task)
        if task.function is export_blocks:
            return self._export(task.argument.backend, task.argument.programs, task.argument.folder)
        assert task.function is predict_blocks or (task.function is time_blocks and task.timing and not task.preload)
        assert all(file.is_file() for file in (*task.inputs, *task.argument.artifacts))
        names = tuple(artifact.parent.name for artifact in task.argument.artifacts)
        self.timed.append(names)
        return BlockTimes(tuple(map(self._time, names)))

    def _export(self, backend: str, programs: tuple[Path, ...], folder: Path) -> ExportedBlocks:
        assert all(program.is_file() for program in programs)
        self.exported += [(backend, program.stem) for program in programs]
        artifacts = tuple(folder / program.stem / "model" for program in programs)
        for artifact in artifacts:
            artifact.parent.mkdir(parents=True)
            artifact.touch()
        return ExportedBlocks(artifacts)

    def _time(self, name: str) -> float:
        tokens, *site = name.split("-")
        if not site:
            return self.milliseconds(int(tokens))
        before, after = int(tokens), int(site[0])
        slower = 0.1 if site[2] == "gather" else 0.2
        return (self.milliseconds(before) + self.milliseconds(after)) / 2 + slower

    def find(
        self,
        limit: float,
        labels: tuple[int, ...] | None = None,
        device: str | None = None,
        form: str = "auto",
        effort: SearchEffort = EFFORT,
        backend: str = "onnxruntime",
        **passes: float,
    ) -> TokenSearch:
        spec = Spec.model_validate({"model": {"name": "m"}, "passes": {"tokens": "auto", "form": form, **passes}})
        model = Model("m", self.module, PREPROCESSING, 5, random_weights=False)
        inputs = make_inputs(spec, model=model, data=RunData(noise(24, labels), None))
        resume = (self.folder / "run").exists()
        context = make_context(
            inputs, self.folder, self.logits, resume=resume, deadline=self.deadline, tried_plans=self.tried_plans
        )
        with context.stages.folder:
            target = load_device(device) if device else None
            return find_plan(context, self.module, get_backend(backend), target, limit, effort)


@pytest.fixture
def world(vit: Any, pixels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(vit, pixels, tmp_path)
    monkeypatch.setattr(executor, "run_in_child", made.answer)
    monkeypatch.setattr(block_bench, "capture_block", lambda module, program: program.file.touch())
    return made


@pytest.fixture
def fragile(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Whose model loses all where less than 38 patches are left."""

    def carry_out(trials: PlanTrials, plan: TokenPlan, stage: str) -> PlanDrop:
        return PlanDrop(0.0 if plan.sites(64, 6)[-1].tokens >= 38 else 100.0, 24)

    monkeypatch.setattr(PlanTrials, "_carry_out", carry_out)
    return world


def tokens_of(found: TokenSearch) -> set[str]:
    """Tokens of the blocks of a plan, the class token among them."""
    assert found.plan is not None
    return {str(site.tokens + 1) for site in parse_plan(found.plan).sites(64, 6)}


def test_a_plan_is_found_and_holds(world: World, pixels: Any) -> None:
    found = world.find(limit=30.0)
    assert found.plan is not None and found.predicted_ms is not None
    assert found.predicted_ms < found.dense_ms == pytest.approx(6 * 0.05 * 65)
    assert (found.backend, found.target, found.source, found.samples) == ("onnxruntime", "host", "measured", 24)
    assert found.steps == (65, 64, 56, 48, 40, 32, 24)
    chosen = next(tried for tried in found.tried if tried.plan == found.plan)
    with torch.inference_mode():
        logits = reduce_tokens(world.module, parse_plan(found.plan))(pixels).numpy()
    different = 100 * float((logits.argmax(1) != world.logits.argmax(1)).mean())
    assert chosen.drop_points == pytest.approx(different)
    assert chosen.samples == 24
    assert different <= 30.0


def test_only_what_is_looked_at_is_exported(fragile: World) -> None:
    found = fragile.find(limit=30.0)
    assert "40" in tokens_of(found) and not tokens_of(found) <= FIRST
    blocks = {name for _, name in fragile.exported if "-" not in name}
    assert blocks == FIRST | tokens_of(found)
    assert {int(name) for name in blocks} == {point.tokens for point in found.blocks}
    sites = {name for _, name in fragile.exported if "-" in name}
    assert sites == {f"65-48-{site.method}-{form}" for site in found.sites for form in FORMS}
    assert len(fragile.exported) == len(set(fragile.exported))
    assert {name for names in fragile.timed for name in names} == blocks | sites


def test_backends_share_captured_blocks_and_trials(world: World) -> None:
    first = world.find(limit=30.0)
    captured = sorted((world.folder / "run" / "work" / "blocks").glob("*.pt2"))
    changed = [file.stat().st_mtime_ns for file in captured]
    second = world.find(limit=30.0, backend="openvino")
    assert (second.plan, second.tried) == (first.plan, first.tried)
    assert [file.stat().st_mtime_ns for file in captured] == changed
    assert len(list((world.folder / "run" / "stages").glob("token search: try *"))) == len(first.tried)


def test_a_search_goes_on_from_what_others_tried(fragile: World) -> None:
    first = fragile.find(limit=30.0)
    trials = len(first.tried)
    assert trials > 1
    fragile.milliseconds = lambda tokens: 0.1 + 0.04 * tokens
    second = fragile.find(limit=30.0, backend="openvino")
    assert {tried.plan for tried in first.tried} <= {tried.plan for tried in second.tried}
    assert len(second.tried) <= trials + SearchEffort().most_later_trials
    known = next(tried for tried in second.tried if tried.plan == first.plan)
    assert second.predicted_ms is not None and second.predicted_ms <= known.predicted_ms


def test_what_is_predicted_does_not_depend_on_other_searches(fragile: World) -> None:
    alone = fragile.find(limit=30.0, device="raspberry-pi-5")
    fragile.milliseconds = lambda tokens: 5.0 - 1 / tokens
    fragile.find(limit=30.0, backend="openvino")
    fragile.milliseconds = lambda tokens: 0.05 * tokens
    assert fragile.find(limit=30.0, device="raspberry-pi-5", backend="litert").tried == alone.tried


def test_a_block_that_was_estimated_wrongly_is_not_chosen_for_it(fragile: World) -> None:
    fragile.milliseconds = lambda tokens: 10.0 if tokens == 40 else 0.05 * tokens
    found = fragile.find(limit=30.0)
    assert [point.tokens for point in found.blocks] == [24, 40, 48, 65]
    assert tokens_of(found) == {"48"}
    assert found.predicted_ms is not None and found.predicted_ms < found.dense_ms
    assert any(tried.predicted_ms > found.dense_ms for tried in found.tried), "what was tried has its true price"


def test_a_big_step_is_found(fragile: World) -> None:
    fragile.milliseconds = lambda tokens: 3.0 if tokens > 40 else 1.0
    found = fragile.find(limit=30.0)
    assert found.steps == (65, 40)
    assert [point.tokens for point in found.blocks] == [24, 40, 48, 65]
    assert tokens_of(found) == {"40"}


def test_labels_count_the_drop_on_the_images_that_are_looked_at(world: World, pixels: Any) -> None:
    labels = tuple((int(label) + place % 2) % 5 for place, label in enumerate(world.logits.argmax(1)))
    found = world.find(limit=30.0, labels=labels, effort=SearchEffort(trial_images=10, most_sizes=0))
    places = [place * 23 // 9 for place in range(10)]  # the first and the last of 24 among them
    wanted = np.array(labels)[places]
    before = (world.logits[places].argmax(1) == wanted).mean()
    assert found.samples == 10
    assert 0 < before < 1
    for tried in found.tried:
        with torch.inference_mode():
            logits = reduce_tokens(world.module, parse_plan(tried.plan))(pixels[places]).numpy()
        assert tried.drop_points == pytest.approx(100 * (before - (logits.argmax(1) == wanted).mean()))


@pytest.mark.parametrize("form", FORMS)
def test_only_forms_that_were_asked_for_are_priced(world: World, form: Form) -> None:
    found = world.find(limit=30.0, form=form)
    assert {name.rpartition("-")[2] for _, name in world.exported if "-" in name} == {form}
    assert {site.form for site in found.sites} == {form}


def test_of_two_forms_the_faster_one_is_priced(world: World) -> None:
    found = world.find(limit=30.0)
    assert found.sites
    assert all((site.form, site.ms) == ("gather", pytest.approx(0.1)) for site in found.sites)


def test_resuming_does_nothing_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.find(limit=30.0, device="raspberry-pi-5")
    assert (found.target, found.source) == ("raspberry-pi-5", "predicted")
    exported, timed = list(world.exported), list(world.timed)
    monkeypatch.setattr("edgevit.pipeline.token_search.trials.over_batches", None)
    monkeypatch.setattr("edgevit.pipeline.token_search.block_bench.capture_block", None)
    assert world.find(limit=30.0, device="raspberry-pi-5") == found
    assert (world.exported, world.timed) == (exported, timed)


class Minutes(Deadline):
    """A deadline that passes after it was asked for it so often."""

    def __init__(self, often: int) -> None:
        super().__init__(None)
        self.__dict__["left"] = often

    def has_time(self, share: float) -> bool:
        assert 0 < share < 1
        self.__dict__["left"] -= 1
        return bool(self.__dict__["left"] >= 0)


def test_the_search_ends_when_its_time_is_over(fragile: World) -> None:
    whole = fragile.find(limit=30.0)
    fragile.deadline, fragile.tried_plans = Minutes(2), TriedPlans()
    found = fragile.find(limit=30.0, backend="litert")
    assert len(found.tried) < len(whole.tried)
    assert {name for backend, name in fragile.exported if backend == "litert" and "-" not in name} == FIRST
    assert found.note.startswith("the time for the search was over")
    assert whole.note == ""
    fragile.deadline, fragile.tried_plans = Minutes(0), TriedPlans()
    none = fragile.find(limit=30.0, backend="openvino")
    assert (none.plan, none.tried) == (None, ())
    assert none.note.startswith("the time for the search was over")


def test_a_search_may_have_minutes_of_its_own(world: World) -> None:
    found = world.find(limit=30.0, search_minutes=1e-9)
    assert (found.plan, found.tried) == (None, ())
    assert found.note.startswith("the time for the search was over")


def test_no_plan_says_why(world: World) -> None:
    found = world.find(limit=-1.0)
    assert found.plan is None and found.predicted_ms is None
    assert found.note.startswith("every plan tried loses more than -1 points")


def test_no_plan_pays(world: World) -> None:
    world.milliseconds = lambda tokens: 1.0
    found = world.find(limit=30.0)
    assert (found.plan, found.tried, found.steps) == (None, (), (65,))
    assert "costs more than it gains" in found.note


@pytest.fixture
def resizable(fragile: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Whose model loses all on images of 24 pixels, 10 points on 28, and half a point with each patch that leaves."""

    def carry_out(trials: PlanTrials, plan: Plan, stage: str) -> PlanDrop:
        if isinstance(plan, ResizePlan):
            return PlanDrop({28: 10.0, 24: 100.0}[plan.size], 24)
        patches, lost = (49, 10.0) if plan.resized else (64, 0.0)
        return PlanDrop(lost + (patches - plan.sites(patches, 6)[-1].tokens) / 2, 24)

    monkeypatch.setattr(PlanTrials, "_carry_out", carry_out)
    return fragile


def test_size_and_tokens_are_searched_together(resizable: World) -> None:
    found = resizable.find(limit=30.0, effort=SearchEffort())
    assert [(size.size, size.drop_points, size.tokens) for size in found.sizes] == [(28, 10.0, 50), (24, 100.0, 37)]
    assert found.sizes[0].macs == forward_cost(resize(resizable.module, SMALLER, (32, 32)).module, (28, 28)).macs
    assert found.plan is not None and found.plan.startswith("resolution:28+")
    assert found.predicted_ms is not None and found.predicted_ms < 6 * resizable.milliseconds(50)
    assert found.dense_ms == pytest.approx(6 * 0.05 * 65)
    assert not [tried.plan for tried in found.tried if "24" in tried.plan.partition("+")[0]]
    assert 50 in {point.tokens for point in found.blocks}


def test_a_smaller_image_alone_is_found_where_reducing_tokens_costs_more(resizable: World) -> None:
    slow = resizable._time
    resizable._time = lambda name: slow(name) + (1000.0 if "-" in name else 0.0)  # type: ignore[method-assign]
    found = resizable.find(limit=30.0, effort=SearchEffort())
    assert (found.plan, found.predicted_ms) == ("resolution:28", pytest.approx(6 * 0.05 * 50))
    assert [tried.plan for tried in found.tried] == ["resolution:28"]


def test_a_smaller_image_that_loses_too_much_is_no_start(resizable: World) -> None:
    found = resizable.find(limit=5.0, effort=SearchEffort())
    assert [(size.size, size.drop_points) for size in found.sizes] == [(28, 10.0)]
    assert found.plan is not None and "resolution" not in found.plan


def test_other_backends_go_on_from_the_same_sizes(resizable: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = resizable.find(limit=30.0, effort=SearchEffort())
    second = resizable.find(limit=30.0, backend="openvino", effort=SearchEffort())
    assert (second.sizes, second.plan) == (first.sizes, first.plan)
    assert len(list((resizable.folder / "run" / "stages").glob("token search: try resolution:28 *"))) == 1
