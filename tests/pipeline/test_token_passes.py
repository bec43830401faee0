"""The variants with fewer tokens: which there are, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.data.prepared import prepare_images  # noqa: E402
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.model.program.capture import count_macs, load_program  # noqa: E402
from edgevit.pipeline import token_passes  # noqa: E402
from edgevit.pipeline.candidate import COMPRESS_STEPS  # noqa: E402
from edgevit.pipeline.context import RunContext, Variant, open_context  # noqa: E402
from edgevit.pipeline.model_passes import TrainedModel, run_model_passes  # noqa: E402
from edgevit.pipeline.token_passes import ReducedVariants, reduce_conservatively_for, reduce_for  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.token_search import TokenSearch  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.deadline import Deadline  # noqa: E402
from edgevit.run.folder import RunFolder  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.run.stages import Stages  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402

# isort: split
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_executor, make_inputs, noise, run_here  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LABELS = (0, 1, 2, 3, 4, 0)
PLAN = "evit:1=40"


def vit() -> Model:
    return Model("small_vit", small_vit(depth=2), CONTRACT, 5, random_weights=False)


def spec(tokens: str, form: str = "auto", **others: Any) -> Spec:
    document = {"model": {"name": "digits_vit"}, "passes": {"tokens": tokens, "form": form}, **others}
    return Spec.model_validate({"export": {"backends": ["onnx", "openvino"]}, **document})


# What is made.


@dataclass
class World:
    """A run of a small ViT; what child processes would do is done here, and counted."""

    context: RunContext
    trained: TrainedModel
    ran: list[Any]

    def reduce(self, backend: str = "onnx") -> ReducedVariants:
        return reduce_for(self.context, self.trained, get_backend(backend))

    @property
    def stages(self) -> list[str]:
        """Those of the passes; images are preprocessed where they are first asked for."""
        names = [stage.name for stage in self.context.stages.folder.stages]
        return [name for name in names if not name.startswith("preprocess")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Begins a run; the original was captured."""
    folders: list[RunFolder] = []
    ran: list[Any] = []

    def directly(task: Task[Any, Any], **_: Any) -> Any:
        if task.function is not prepare_images:
            ran.append(task.argument)
        return run_here(task)

    def begin(tokens: str, form: str = "auto", labels: tuple[int, ...] | None = LABELS, **others: Any) -> World:
        given = spec(tokens, form, measure={"min_seconds": 0}, **others)
        folders.append(RunFolder(tmp_path / "run", given, (), False).__enter__())
        inputs = make_inputs(given, model=vit(), data=RunData(noise(len(LABELS), labels), None))
        stages = Stages(folders[-1], make_executor(tmp_path), Silent())
        context = open_context(inputs, stages, COMPRESS_STEPS, Deadline(None))
        trained = run_model_passes(context)
        ran.clear()
        folders[-1].stages.clear()
        return World(context, trained, ran)

    monkeypatch.setattr(executor, "run_in_child", directly)
    monkeypatch.setattr("edgevit.pipeline.context.export_early", lambda *_: None)
    threads = torch.get_num_threads()
    yield begin
    torch.set_num_threads(threads)
    for folder in folders:
        folder.__exit__()


def logits(variant: Variant) -> np.ndarray:
    loaded: np.ndarray = np.load(variant.reference)
    return loaded


def test_no_plan_no_variant(world: Callable[..., World]) -> None:
    made = world("none")
    assert made.reduce() == ReducedVariants((), (), ())
    assert made.stages == []


@pytest.mark.slow
def test_both_forms_share_the_reference_and_the_margins(world: Callable[..., World]) -> None:
    made = world(PLAN)
    ((gather, arithmetic),) = made.reduce().variants
    assert (gather.slug, arithmetic.slug) == ("evit-1=40-gather", "evit-1=40-arithmetic")
    assert (gather.form, arithmetic.form) == ("gather", "arithmetic")
    assert (gather.reference, gather.margins) == (arithmetic.reference, arithmetic.margins)
    assert gather.program != arithmetic.program
    assert gather.preprocessing == arithmetic.preprocessing == CONTRACT
    assert len(made.ran) == 1  # PyTorch ran one of them over the images
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = reduce_tokens(made.context.inputs.model.module, parse_plan(PLAN))(image)
    for variant in (gather, arithmetic):
        program = load_program(variant.program).module()
        torch.testing.assert_close(program(image), expected, rtol=1e-5, atol=1e-6)  # type: ignore[operator]
    assert gather.margins is not None
    margin = load_program(gather.margins).module()(image)  # type: ignore[operator]
    assert margin.shape == (1, 1)
    assert 0 <= float(margin.detach()) <= 1


def test_the_record_tells_macs_and_accuracy_before_and_after(world: Callable[..., World]) -> None:
    made = world(PLAN)
    ((gather, arithmetic),) = made.reduce().variants
    (record,), (other,) = gather.passes, arithmetic.passes
    assert (record.name, record.settings) == ("reduce_tokens", PLAN)
    assert record.macs_before == other.macs_before == made.context.baseline.macs
    assert record.macs_after == count_macs(load_program(gather.program)) < record.macs_before
    assert other.macs_after == count_macs(load_program(arithmetic.program)) > record.macs_after
    assert other == replace(record, macs_after=other.macs_after)
    assert record.top1_before == made.context.baseline.top1
    assert record.top1_after == (logits(gather).argmax(1) == LABELS).mean()
    assert logits(gather).shape == (len(LABELS), 5)


@pytest.mark.slow
def test_without_labels_the_record_has_no_accuracy(world: Callable[..., World]) -> None:
    (((variant,),),) = (world(PLAN, "gather", labels=None).reduce().variants,)
    assert (variant.passes[0].top1_before, variant.passes[0].top1_after) == (None, None)


@pytest.mark.parametrize("form", ["gather", "arithmetic"])
@pytest.mark.slow
def test_one_form_can_be_asked_for(world: Callable[..., World], form: str) -> None:
    ((variant,),) = world(PLAN, form).reduce().variants
    assert variant.slug == f"evit-1=40-{form}"
    targets = {str(node.target) for node in load_program(variant.program).graph.nodes}
    assert any("topk" in target for target in targets) == (form == "gather")


@pytest.mark.slow
def test_a_resized_variant_has_its_own_images_and_one_form(world: Callable[..., World]) -> None:
    made = world("resolution:24,patch:8")
    ((smaller,), (coarser,)) = made.reduce().variants
    assert (smaller.slug, coarser.slug) == ("resolution-24", "patch-8")
    assert smaller.preprocessing == replace(CONTRACT, input_size=(24, 24))
    assert coarser.preprocessing == CONTRACT
    assert (smaller.form, coarser.form, smaller.margins, coarser.margins) == (None, None, None, None)
    for variant, settings in ((smaller, "resolution:24"), (coarser, "patch:8")):
        program = load_program(variant.program)
        assert program.example_inputs is not None
        assert program.example_inputs[0][0].shape == (1, 3, *variant.preprocessing.input_size)
        (record,) = variant.passes
        assert (record.name, record.settings) == ("resize", settings)
        assert record.macs_after == count_macs(program) < record.macs_before
        assert logits(variant).shape == (len(LABELS), 5)
    assert [job.images.preprocessing.input_size for job in made.ran] == [(24, 24), (32, 32)]


@pytest.mark.slow
def test_variants_come_in_the_order_of_the_plans(world: Callable[..., World]) -> None:
    made = world("resolution:24,tome:1=40,evit:1=40", "gather")
    assert [variant.slug for (variant,) in made.reduce().variants] == [
        "resolution-24", "tome-1=40-gather", "evit-1=40-gather",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_second_backend_makes_nothing_again(world: Callable[..., World]) -> None:
    made = world(f"{PLAN},resolution:24")
    first = made.reduce()
    assert made.stages == [
        "capture evit-1=40-gather", "evaluate evit-1=40-gather in PyTorch", "capture evit-1=40-margins",
        "capture evit-1=40-arithmetic", "capture resolution-24", "evaluate resolution-24 in PyTorch",
    ]  # fmt: skip
    ran, times = (
        len(made.ran),
        {variant.program: variant.program.stat().st_mtime_ns for (variant, *_) in first.variants},
    )
    assert made.reduce("openvino") == first
    assert len(made.stages) == 6
    assert len(made.ran) == ran == 2
    assert {program: program.stat().st_mtime_ns for program in times} == times


# What is searched for.

FOUND = TokenSearch("", "host", "measured", 1.0, (), (), 1, (), (), None, None, 0.7, 6, "no plan is faster")


def searches(monkeypatch: pytest.MonkeyPatch, plans: dict[str, str | None]) -> list[tuple[Any, ...]]:
    """Replaces the search by known answers, by backend; what it was asked is kept."""
    asked: list[tuple[Any, ...]] = []

    def find(context: Any, module: Any, backend: Any, *rest: Any) -> TokenSearch:
        asked.append((module, backend.name, *rest))
        return replace(FOUND, backend=backend.name, plan=plans[backend.name], predicted_ms=0.5)

    monkeypatch.setattr(token_passes, "find_plan", find)
    return asked


def test_the_plan_found_for_a_backend_is_carried_out(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    searches(monkeypatch, {"onnxruntime": "tome:2=50", "openvino": "squeeze:1=40"})
    made = world("auto", data={"evaluation": "digits"})
    for name, slug in (("onnx", "tome-2=50"), ("openvino", "squeeze-1=40")):
        reduced = made.reduce(name)
        ((gather, arithmetic),) = reduced.variants
        assert (gather.slug, arithmetic.slug) == (f"{slug}-gather", f"{slug}-arithmetic")
        assert [search.backend for search in reduced.searches] == [get_backend(name).name]


@pytest.mark.slow
def test_a_plan_found_may_make_images_smaller(world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    searches(monkeypatch, {"onnxruntime": "resolution:24", "openvino": "resolution:24+tome:1=20"})
    made = world("auto", "gather", data={"evaluation": "digits"})
    for name, slug, tokens in (("onnx", "resolution-24", None), ("openvino", "resolution-24-tome-1=20-gather", 20)):
        ((variant,),) = made.reduce(name).variants
        assert (variant.slug, variant.preprocessing.input_size) == (slug, (24, 24))
        assert (variant.margins is None) == (tokens is None)


def test_where_no_token_can_leave_the_size_is_searched_for(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def find(context: Any, module: Any, backend: Any, limit_points: float) -> TokenSearch:
        asked.append((module, backend.name, limit_points))
        return replace(FOUND, backend=backend.name, source="none", dense_ms=None, plan="resolution:28")

    monkeypatch.setattr(token_passes, "find_size", find)
    made = world("auto", devices=["raspberry-pi-5"], budget={"max_drop": 2.0})
    cnn = replace(made.trained, module=digits_cnn().eval())
    model = replace(made.context.inputs.model, module=cnn.module)
    context = replace(made.context, inputs=replace(made.context.inputs, model=model))
    reduced = reduce_for(context, cnn, get_backend("onnx"))
    assert [variant.slug for (variant,) in reduced.variants] == ["resolution-28"]
    assert asked == [(cnn.module, "onnxruntime", pytest.approx(1.4))]


def test_no_plan_found_is_told_and_no_variant(world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    searches(monkeypatch, {"onnxruntime": None})
    reduced = world(f"auto,{PLAN}", "gather").reduce()
    assert [variant.slug for (variant,) in reduced.variants] == ["evit-1=40-gather"]
    assert [(search.plan, search.note) for search in reduced.searches] == [(None, "no plan is faster")]


def test_a_search_that_fails_is_a_note_and_the_rest_goes_on(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> TokenSearch:
        raise CandidateFailed("a block crashed")

    monkeypatch.setattr(token_passes, "find_plan", fails)
    reduced = world(f"auto,{PLAN}", "gather").reduce()
    assert [variant.slug for (variant,) in reduced.variants] == ["evit-1=40-gather"]
    assert reduced.searches == ()
    assert len(reduced.notes) == 1
    assert reduced.notes[0].endswith(": a block crashed")


@pytest.mark.parametrize("tokens", [f"auto,{PLAN}", f"{PLAN},auto"])
@pytest.mark.slow
def test_a_found_plan_that_was_asked_for_is_not_made_twice(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    searches(monkeypatch, {"onnxruntime": PLAN})
    made = world(tokens, "gather")
    reduced = made.reduce()
    assert [variant.slug for (variant,) in reduced.variants] == ["evit-1=40-gather"]
    assert len(reduced.searches) == 1
    assert made.stages.count("capture evit-1=40-gather") == 1


@pytest.mark.parametrize(
    ("schemes", "limit"), [(["auto"], 1.4), (["static_wi8_ai8"], 1.4), (["fp32", "bf16"], 2.0), (["fp32", "fp16"], 2.0)]
)
def test_a_search_uses_a_part_of_the_budget_where_integers_follow(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, schemes: list[str], limit: float
) -> None:
    """0.7 of the drop allowed where the result is quantized to integers, all of it where it is not."""
    asked = searches(monkeypatch, {"onnxruntime": None})
    made = world("auto", export={"backends": ["onnx"], "schemes": schemes}, budget={"max_drop": 2.0})
    made.reduce()
    ((module, backend, device, limit_points),) = asked
    assert (module, backend, device) == (made.trained.module, "onnxruntime", None)
    assert limit_points == pytest.approx(limit)


@pytest.mark.slow
def test_a_conservative_search_uses_less_of_the_budget_and_makes_nothing_but_what_it_finds(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = searches(monkeypatch, {"onnxruntime": "tome:2=50"})
    made = world(f"auto,{PLAN}", "gather", export={"backends": ["onnx"]}, budget={"max_drop": 2.0})
    conservative = reduce_conservatively_for(made.context, made.trained, get_backend("onnx"))
    assert [variant.slug for (variant,) in conservative.variants] == ["tome-2=50-gather"]
    assert [rest[-1] for rest in asked] == [pytest.approx(0.7)]
    (note,) = conservative.notes
    assert "ONNX Runtime: int8 exceeded the remaining accuracy budget" in note
    first = made.reduce()
    both = first.and_then(conservative)
    assert both.searches == (*first.searches, *conservative.searches)
    assert both.variants == (*first.variants, *conservative.variants)


def test_a_search_is_for_the_first_device_that_reads_the_format(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgevit.devices.device import load_device
    from edgevit.spec.toml_files import names

    formats = {name: {f for unit in load_device(name).units for f in unit.formats} for name in names("devices")}
    reads = next(name for name in sorted(formats) if "onnx" in formats[name])
    others = [name for name in sorted(formats) if "onnx" not in formats[name]]
    asked = searches(monkeypatch, {"onnxruntime": None})
    world("auto", devices=[*others[:1], reads]).reduce()
    assert asked[0][-2].name == reads


def test_a_device_that_cannot_run_blocks_leaves_the_search_to_the_next_and_then_to_this_host(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str | None] = []

    def find(*arguments: Any) -> TokenSearch:
        device = arguments[-2]
        tried.append(device.name if device else None)
        if device:
            raise CandidateFailed("cannot run a block: ADD in float (2 x)")
        return replace(FOUND, backend="onnxruntime", plan=PLAN, predicted_ms=0.5)

    monkeypatch.setattr(token_passes, "find_plan", find)
    reduced = world("auto", "gather", devices=["raspberry-pi-5", "raspberry-pi-4b"]).reduce()
    assert tried == ["raspberry-pi-5", "raspberry-pi-4b", None]
    assert [search.plan for search in reduced.searches] == [PLAN]
    assert [note.partition(":")[0] for note in reduced.notes] == [
        "no token plan was searched for ONNX Runtime on raspberry-pi-5",
        "no token plan was searched for ONNX Runtime on raspberry-pi-4b",
    ]
