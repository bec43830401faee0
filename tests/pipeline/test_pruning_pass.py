"""A pruned model beside the dense one of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.model.forward_cost import forward_cost  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline import pruning_pass  # noqa: E402
from edgevit.pipeline.context import RunContext, Variant  # noqa: E402
from edgevit.pipeline.finetuning import Student, _module  # noqa: E402
from edgevit.pipeline.model_passes import TrainedModel  # noqa: E402
from edgevit.pipeline.pruning_pass import with_pruned  # noqa: E402
from edgevit.pipeline.token_passes import reduce_for  # noqa: E402
from edgevit.pruning.sub_network import FoundSubNetwork, SubNetwork, build_shape  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402

# isort: split
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402
from tests.pruning.networks import CONTRACT, SIDE, pixels, small_vit  # noqa: E402


@pytest.fixture(autouse=True)
def no_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "run_in_child", run_here)


def begun(folder: Path, *, resume: bool = False, **passes: Any) -> RunContext:
    spec = Spec.model_validate({"model": {"name": "m"}, "passes": passes, "export": {"backends": ["onnx"]}})
    model = Model("m", small_vit(), CONTRACT, 5, random_weights=False)
    data = RunData(noise(6, (0, 1, 2, 3, 4, 0)), noise(24))
    inputs = make_inputs(spec, model=model, data=data, forms=("gather",))
    with torch.inference_mode():
        images = torch.cat([torch.from_numpy(batch) for batch in _evaluation(inputs)])
        logits = model.module(images).numpy()
    return make_context(inputs, folder, logits, resume=resume)


def _evaluation(inputs: Any) -> list[np.ndarray]:
    from edgevit.data.prepared import PreparedImages

    return list(PreparedImages(inputs.images, CONTRACT).batches())


def dense(context: RunContext) -> TrainedModel:
    variant = Variant("dense", Path("dense.pt2"), CONTRACT, (), context.original.logits)
    return TrainedModel(context.inputs.model.module, context.original, variant)


def test_without_a_plan_nothing_is_pruned(tmp_path: Path) -> None:
    context = begun(tmp_path)
    trained = dense(context)
    assert with_pruned(context, trained) is trained


def test_the_pruned_model_is_a_variant_of_its_own(tmp_path: Path) -> None:
    context = begun(tmp_path, prune="mlp=0.25", tokens="resolution:24")
    with context.stages.folder:
        trained = with_pruned(context, dense(context))
        assert trained.pruned is not None
        variant = trained.pruned.dense
        assert (variant.slug, variant.is_pruned, variant.is_compressed) == ("prune-mlp-0.25", True, True)
        (record,) = variant.passes
        assert (record.name, record.settings) == ("prune", "mlp=0.25")
        assert 0 < record.macs_after < forward_cost(trained.module, (SIDE, SIDE)).macs
        assert record.note.startswith("32 hidden units left ")
        slugs = [each.slug for each, *_ in reduce_for(context, trained, context.inputs.backends[0]).variants]
        assert slugs == ["prune-mlp-0.25", "resolution-24", "prune-mlp-0.25-resolution-24"]
        combined = reduce_for(context, trained, context.inputs.backends[0]).variants[2][0]
        assert [each.name for each in combined.passes] == ["prune", "resize"]
    with torch.inference_mode():
        again = _module(context, trained, variant)
        torch.testing.assert_close(again(pixels()), trained.pruned.module(pixels()))
        assert not torch.allclose(again(pixels()), trained.module(pixels()))
        whole = _module(context, trained, trained.dense)
        torch.testing.assert_close(whole(pixels()), trained.module(pixels()))
    assert Student(variant.slug, again, CONTRACT).slug == "prune-mlp-0.25"


def test_it_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = begun(tmp_path, prune="mlp=0.25,heads=1")
    with context.stages.folder:
        first = with_pruned(context, dense(context)).pruned
        monkeypatch.setattr(pruning_pass, "prune", None)
        second = with_pruned(context, dense(context)).pruned
    assert first is not None
    assert second is not None
    with torch.inference_mode():
        assert torch.equal(first.module(pixels()), second.module(pixels()))


@pytest.mark.parametrize(("drops", "slug"), [((0.5,), "prune-mlp-0.25"), ((3, 1.5, 0.9), "prune-mlp-0.0625")])
def test_auto_takes_the_most_that_keeps_the_drop_allowed(
    drops: tuple[float, ...], slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(drops)
    monkeypatch.setattr(pruning_pass, "counted_drop", lambda accuracy: next(left))
    context = begun(tmp_path, prune="auto")
    with context.stages.folder:
        found = with_pruned(context, dense(context)).pruned
    assert found is not None
    assert found.dense.slug == slug


def test_auto_prunes_nothing_where_all_lose_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning_pass, "counted_drop", lambda accuracy: 9.0)
    context = begun(tmp_path, prune="auto")
    with context.stages.folder:
        assert with_pruned(context, dense(context)).pruned is None


def test_a_sub_network_may_take_smaller_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = SubNetwork(10, (0,), (3,), 0, 0.0)

    def found(module: torch.nn.Module, share: float, images: Any, *_: Any) -> FoundSubNetwork:
        smaller, size = build_shape(module, (SIDE, SIDE), shape, images)
        return FoundSubNetwork(smaller, size, shape, (), 0.1, 0.2)

    monkeypatch.setattr(pruning_pass, "find_sub_network", found)
    context = begun(tmp_path, prune="macs=0.6", tokens="tome:4")
    with context.stages.folder:
        trained = with_pruned(context, dense(context))
        assert trained.pruned is not None
        variant = trained.pruned.dense
        assert (variant.slug, variant.preprocessing.input_size) == ("prune-macs-0.6", (30, 30))
        assert "patches of 10, 1 blocks, 1 dimensions" in variant.passes[0].note
        both = reduce_for(context, trained, context.inputs.backends[0]).variants[2][0]
        assert (both.slug, both.preprocessing.input_size) == ("prune-macs-0.6-tome-4-gather", (30, 30))
        assert _module(context, trained, both)(torch.zeros(1, 3, 30, 30)).shape == (1, 5)
