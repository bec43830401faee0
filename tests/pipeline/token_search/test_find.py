"""The search in a run, on a small model."""

from __future__ import annotations

from dataclasses import replace
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
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockLatencyJob, block_latency  # noqa: E402
from edgevit.pipeline.token_search.block_programs import BlockSampling  # noqa: E402
from edgevit.pipeline.token_search.find import SearchEffort, find_plan  # noqa: E402
from edgevit.pipeline.token_search.staircase import BlockCurve  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.token_search import BlockPoint, SitePoint, TokenSearch  # noqa: E402
from edgevit.run import stages  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import FORMS, Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


STAIRS = BlockCurve(
    tuple(BlockPoint(tokens, ms) for tokens, ms in ((24, 1.0), (32, 1.0), (40, 2.0), (48, 2.0), (65, 3.0))),
    (SitePoint("squeeze", 65, 0.1, "gather"), SitePoint("tome", 65, 0.1, "gather")),
)


NO_SITES = SearchEffort(blocks=BlockSampling(site_shares=()))


class World:
    """A run whose block times are made up."""

    def __init__(self, module: Any, pixels: Any, folder: Path) -> None:
        self.module = module
        self.folder = folder
        self.asked: list[BlockLatencyJob] = []
        with torch.inference_mode():
            self.logits = module(pixels).numpy()

    def answer(self, task: Task[Any, Any], **_: Any) -> Any:
        if task.function is prepare_images:
            return run_here(task)
        assert task.function is block_latency
        assert all(program.file.is_file() for program in task.argument.programs)
        self.asked.append(task.argument)
        return STAIRS

    def find(
        self,
        limit: float,
        labels: tuple[int, ...] | None = None,
        device: str | None = None,
        form: str = "auto",
        effort: SearchEffort = NO_SITES,
    ) -> TokenSearch:
        spec = Spec.model_validate({"model": {"name": "m"}, "passes": {"form": form}})
        model = Model("m", self.module, PREPROCESSING, 5, random_weights=False)
        inputs = make_inputs(spec, model=model, data=RunData(noise(24, labels), None))
        context = make_context(inputs, self.folder, self.logits, resume=(self.folder / "run").exists())
        with context.stages.folder:
            target = load_device(device) if device else None
            return find_plan(context, self.module, get_backend("onnxruntime"), target, limit, effort)


@pytest.fixture
def world(vit: Any, pixels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(vit, pixels, tmp_path)
    monkeypatch.setattr(stages, "run_in_child", made.answer)
    return made


def test_a_plan_is_found_and_holds(world: World, pixels: Any) -> None:
    found = world.find(limit=30.0)
    assert found.plan is not None and found.predicted_ms is not None
    assert found.predicted_ms < found.dense_ms == 6 * 3.0
    assert (found.backend, found.target, found.source, found.samples) == ("onnxruntime", "host", "measured", 24)
    assert found.steps == (65, 48, 32)
    chosen = next(tried for tried in found.tried if tried.plan == found.plan)
    with torch.inference_mode():
        logits = reduce_tokens(world.module, parse_plan(found.plan))(pixels).numpy()
    different = 100 * float((logits.argmax(1) != world.logits.argmax(1)).mean())
    assert chosen.drop_points == pytest.approx(different)
    assert different <= 30.0
    assert [path.name for path in (world.folder / "run" / "work").iterdir()] == ["images"]


def test_labels_count_the_drop_on_the_images_that_are_looked_at(world: World, pixels: Any) -> None:
    labels = tuple((int(label) + place % 2) % 5 for place, label in enumerate(world.logits.argmax(1)))
    found = world.find(limit=30.0, labels=labels, effort=replace(NO_SITES, trial_images=10))
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
    sites = SearchEffort(blocks=BlockSampling(site_shares=(1.0,)))
    world.find(limit=30.0, form=form, effort=sites)
    (job,) = world.asked
    assert {program.form for program in job.programs} == {"", form}


def test_resuming_does_nothing_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.find(limit=30.0, device="raspberry-pi-5")
    assert (found.target, found.source) == ("raspberry-pi-5", "predicted")
    monkeypatch.setattr("edgevit.pipeline.token_search.find.over_batches", None)
    monkeypatch.setattr("edgevit.pipeline.token_search.find.capture_blocks", None)
    assert world.find(limit=30.0, device="raspberry-pi-5") == found
    assert len(world.asked) == 1


def test_no_plan_says_why(world: World) -> None:
    found = world.find(limit=-1.0)
    assert found.plan is None and found.predicted_ms is None
    assert found.note.startswith("every plan tried loses more than -1 points")


def test_no_plan_pays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = BlockCurve(tuple(BlockPoint(tokens, 1.0) for tokens in (32, 65)), STAIRS.sites)
    monkeypatch.setattr(stages, "run_in_child", lambda *_, **__: flat)
    found = world.find(limit=30.0)
    assert (found.plan, found.tried, found.steps) == (None, (), (65,))
    assert "costs more than it gains" in found.note
