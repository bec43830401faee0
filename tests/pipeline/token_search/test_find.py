"""The search in a run, on a small model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.backends import all_backends, get_backend  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.devices.device import load_device  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockLatencyJob, BlockProgram, block_latency, to_curve  # noqa: E402
from edgevit.pipeline.token_search.block_programs import BlockSampling, block_counts, capture_blocks  # noqa: E402
from edgevit.pipeline.token_search.divergence import site_divergences  # noqa: E402
from edgevit.pipeline.token_search.find import SearchEffort, find_plan  # noqa: E402
from edgevit.pipeline.token_search.staircase import BlockCurve  # noqa: E402
from edgevit.pipeline.token_search.vit_parts import tail  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.token_search import BlockPoint, SitePoint, TokenSearch  # noqa: E402
from edgevit.run import stages  # noqa: E402
from edgevit.run.child_process import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import FORMS, Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise  # noqa: E402

PREPROCESSING = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
FEW = BlockSampling(lambda tokens: (33, tokens), (1.0,))
"""Two numbers of tokens, and a site in the larger one."""


@pytest.fixture(scope="module")
def vit() -> Any:
    """64 patches and a class token, 6 blocks."""
    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=4, embed_dim=48, depth=6, num_heads=3, num_classes=5
    )
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight.mul_(12)
        nn.init.normal_(model.head.weight, std=0.5)
    return model.eval().requires_grad_(False)


def pixels() -> Any:
    images = open_images("noise:24")
    return torch.from_numpy(np.stack([preprocess(images.image(name), PREPROCESSING) for name in images.ids]))


def test_counts_are_multiples_down_to_a_quarter() -> None:
    assert block_counts(65) == (24, 32, 40, 48, 56, 64, 65)
    assert block_counts(17) == (8, 16, 17)
    assert block_counts(197)[:2] == (56, 64)
    assert len(block_counts(577)) <= 25 and block_counts(577)[1] - block_counts(577)[0] == 24


def test_every_method_and_share_is_looked_at(vit: Any) -> None:
    found = [(point.method, round(point.share * 64)) for point in site_divergences(vit, [pixels()], (3,))]
    assert {keep for method, keep in found if method == "squeeze"} == {58, 48, 39, 29, 20}
    assert {keep for method, keep in found if method == "tome"} == {58, 48, 39, 32}


def test_the_tail_is_the_model_from_a_block_on(vit: Any) -> None:
    with torch.inference_mode():
        entering = vit.blocks[:2](vit._pos_embed(vit.patch_embed(pixels())))
        part = tail(vit, 3)
        assert torch.allclose(part.forward_head(part.norm(part.blocks(entering))), vit(pixels()), atol=1e-5)
    assert len(vit.blocks) == 6  # the model is as it was


def test_divergence_is_that_of_the_reduced_model(vit: Any) -> None:
    images = pixels()
    (point,) = site_divergences(vit, images.split(7), (4,), {"tome": (0.5,)})
    with torch.inference_mode():
        dense = vit(images).double().log_softmax(1)
        reduced = reduce_tokens(vit, parse_plan("tome:4=32"))(images).double().log_softmax(1)
    assert point.share == 0.5
    assert point.nats == pytest.approx(float((dense.exp() * (dense - reduced)).sum(1).mean()), rel=1e-4)


def test_keeping_all_does_nothing(vit: Any) -> None:
    assert site_divergences(vit, [pixels()], (2,), {"squeeze": (1.0, 0.999)}) == ()


@pytest.mark.slow
@pytest.mark.parametrize("backend", [backend.name for backend in all_backends()])
def test_every_backend_times_blocks(backend: str, vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(f"edgevit.backends.{backend}.session")
    programs = capture_blocks(vit, tmp_path, FORMS, FEW)
    assert [(one.tokens, one.after, one.method) for one in programs[:3]] == [
        (33, 33, ""), (65, 65, ""), (65, 46, "squeeze")
    ]  # fmt: skip
    few = [one for one in programs if (one.method, one.form) in (("", ""), ("squeeze", "gather"))]
    curve = block_latency(BlockLatencyJob(backend, tuple(few), tmp_path / "blocks", 1, None, rounds=3))
    assert [point.tokens for point in curve.blocks] == [33, 65]
    assert all(point.ms > 0 for point in curve.blocks)
    assert curve.methods == ("squeeze",)
    assert not (tmp_path / "blocks").exists()


def test_devices_are_predicted(vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tuple(one for one in capture_blocks(vit, tmp_path, FORMS, FEW) if one.method != "tome")
    job = BlockLatencyJob("onnxruntime", programs, tmp_path / "blocks", 1, load_device("raspberry-pi-5"))
    curve = block_latency(job)
    assert 0 < curve.blocks[0].ms < curve.blocks[1].ms
    assert all(site.ms > 0 for site in curve.sites)


def npu(tmp_path: Path, backend: str, forms: tuple[Form, ...], vit: Any, monkeypatch: pytest.MonkeyPatch) -> BlockCurve:
    """Blocks with squeeze, predicted for an NPU that has no TopK."""
    programs = tuple(one for one in capture_blocks(vit, tmp_path, forms, FEW) if one.method in ("", "squeeze"))
    return block_latency(BlockLatencyJob(backend, programs, tmp_path / "blocks", 1, load_device("galaxy-s24-npu")))


def test_a_site_that_a_device_cannot_run_has_no_price(
    vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = npu(tmp_path, "litert", FORMS, vit, monkeypatch)
    assert {(site.method, site.form) for site in curve.sites} == {("squeeze", "arithmetic")}
    with pytest.raises(CandidateFailed, match="galaxy-s24-npu cannot run what reduces tokens: .*TOPK_V2"):
        npu(tmp_path, "litert", ("gather",), vit, monkeypatch)


def test_a_device_that_cannot_run_a_block_says_why(vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = capture_blocks(vit, tmp_path, FORMS, BlockSampling(lambda tokens: (tokens,), ()))
    with pytest.raises(CandidateFailed, match="coral-edge-tpu cannot run a block: .* in float"):
        block_latency(BlockLatencyJob("litert", programs, tmp_path / "blocks", 1, load_device("coral-edge-tpu")))


def test_a_site_costs_what_its_block_does_not() -> None:
    file = Path("x.pt2")
    programs = (
        BlockProgram(file, 17, 17),
        BlockProgram(file, 9, 9),
        BlockProgram(file, 17, 13, "tome", "gather"),
        BlockProgram(file, 17, 13, "tome", "arithmetic"),
        BlockProgram(file, 9, 7, "tome", "gather"),
        BlockProgram(file, 9, 7, "tome", "arithmetic"),  # which the target cannot run
    )
    curve = to_curve(programs, [4.0, 2.0, 4.5, 4.0, 1.5, float("inf")])
    # from 17 to 13 the block itself costs (4 + 3) / 2
    assert curve == BlockCurve(
        (BlockPoint(9, 2.0), BlockPoint(17, 4.0)),
        (SitePoint("tome", 9, 0.0, "gather"), SitePoint("tome", 17, 0.5, "arithmetic")),
    )


STAIRS = BlockCurve(
    tuple(BlockPoint(tokens, ms) for tokens, ms in ((24, 1.0), (32, 1.0), (40, 2.0), (48, 2.0), (65, 3.0))),
    (SitePoint("squeeze", 65, 0.1, "gather"), SitePoint("tome", 65, 0.1, "gather")),
)


NO_SITES = SearchEffort(blocks=BlockSampling(site_shares=()))


class World:
    """A run whose block times are made up."""

    def __init__(self, module: Any, folder: Path) -> None:
        self.module = module
        self.folder = folder
        self.asked: list[BlockLatencyJob] = []
        with torch.inference_mode():
            self.logits = module(pixels()).numpy()

    def answer(self, task: Task[Any, Any], **_: Any) -> BlockCurve:
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
def world(vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(vit, tmp_path)
    monkeypatch.setattr(stages, "run_in_child", made.answer)
    return made


def test_a_plan_is_found_and_holds(world: World) -> None:
    found = world.find(limit=30.0)
    assert found.plan is not None and found.predicted_ms is not None
    assert found.predicted_ms < found.dense_ms == 6 * 3.0
    assert (found.backend, found.target, found.source, found.samples) == ("onnxruntime", "host", "measured", 24)
    assert found.steps == (65, 48, 32)
    chosen = next(tried for tried in found.tried if tried.plan == found.plan)
    with torch.inference_mode():
        logits = reduce_tokens(world.module, parse_plan(found.plan))(pixels()).numpy()
    different = 100 * float((logits.argmax(1) != world.logits.argmax(1)).mean())
    assert chosen.drop_points == pytest.approx(different)
    assert different <= 30.0
    assert not list((world.folder / "run" / "work").iterdir())


def test_labels_count_the_drop_on_the_images_that_are_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = tuple((int(label) + place % 2) % 5 for place, label in enumerate(world.logits.argmax(1)))
    found = world.find(limit=30.0, labels=labels, effort=replace(NO_SITES, trial_images=10))
    places = [place * 23 // 9 for place in range(10)]  # the first and the last of 24 among them
    wanted = np.array(labels)[places]
    before = (world.logits[places].argmax(1) == wanted).mean()
    assert found.samples == 10
    assert 0 < before < 1
    for tried in found.tried:
        with torch.inference_mode():
            logits = reduce_tokens(world.module, parse_plan(tried.plan))(pixels()[places]).numpy()
        assert tried.drop_points == pytest.approx(100 * (before - (logits.argmax(1) == wanted).mean()))


@pytest.mark.parametrize("form", FORMS)
def test_only_forms_that_may_be_had_are_priced(world: World, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
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
