"""Every pass against one contract: model in, model out. A new token method or resizing needs no change here."""

from __future__ import annotations

import copy
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.artifacts.verify import FLOAT_TOLERANCE  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.images import Samples, open_images  # noqa: E402
from edgevit.distillation.distill import train_student  # noqa: E402
from edgevit.distillation.distill_job import DistillJob, LabelledImages  # noqa: E402
from edgevit.distillation.processes import Group  # noqa: E402
from edgevit.distillation.student import prepare_student  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.spec.spec import DistillSpec, ModelSpec  # noqa: E402
from edgevit.spec.token_plan import FORMS, METHODS, RESIZINGS, Form, ResizePlan, TokenPlan, parse_plans  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.resize import Resized, resize  # noqa: E402

# isort: split
from tests.models import small_vit  # noqa: E402

CLASSES, SIDE, IMAGES = 5, 32, 6
PLAIN = Preprocessing((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
SIZES = {"resolution": 24}
"""Pixels for each resizing; for one that is not here, twice the patch."""
Pass = Callable[[nn.Module], Resized]


def _distilled(module: nn.Module) -> Resized:
    student, teacher = (
        Model(name, net, PLAIN, CLASSES, random_weights=False)
        for name, net in (("student", copy.deepcopy(module)), ("teacher", small_vit(depth=1)))
    )
    ids = open_images("digits:train").ids
    images, kept = (LabelledImages(Samples("digits:train", part), None) for part in (ids[:8], ids[8:16]))
    settings = DistillSpec(teacher=ModelSpec(name="teacher"), epochs=1, batch_size=4, learning_rate=1e-3)
    with tempfile.TemporaryDirectory() as folder:
        job = DistillJob(
            ModelSpec(name="student"), "none", settings, images, "8 digits", kept, None, "cpu", 1, 0, Path(folder) / "w"
        )
        trained = prepare_student(student, settings)
        train_student(job, trained, teacher, Group("cpu"))
    return Resized(trained.module.eval().requires_grad_(False), (SIDE, SIDE))


def _planned(text: str, form: Form, module: nn.Module) -> Resized:
    (plan,) = parse_plans(text)
    if isinstance(plan, TokenPlan):
        return Resized(reduce_tokens(module, plan, form), (SIDE, SIDE))
    assert isinstance(plan, ResizePlan)
    return resize(module, plan, (SIDE, SIDE))


PASSES: dict[str, Pass] = {
    "distill": _distilled,
    **{
        f"{method} {form}": functools.partial(_planned, f"{method}:1=40,2=24", form)
        for method in METHODS
        for form in FORMS
    },
    **{name: functools.partial(_planned, f"{name}:{SIZES.get(name, 8)}", "gather") for name in RESIZINGS},
}

every_pass = pytest.mark.parametrize("name", PASSES)

pytestmark = pytest.mark.usefixtures("one_thread")


@functools.cache
def passed(name: str) -> Resized:
    """Returns what a pass makes of a small ViT."""
    return PASSES[name](small_vit(depth=2))


@functools.cache
def captured(name: str) -> Any:
    """Returns the captured program of :func:`passed`."""
    made = passed(name)
    return capture(made.module, made.input_size)


def images(size: tuple[int, int], count: int = IMAGES) -> Tensor:
    return cast(Tensor, torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(5)))


def logits(module: Any, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = module(pixels)
    return found


@every_pass
def test_the_callers_model_stays_as_it_is(name: str) -> None:
    model = small_vit(depth=2)
    before, kept = copy.deepcopy(model.state_dict()), logits(model, images((SIDE, SIDE)))
    flags = [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    made = PASSES[name](model).module
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()] == flags
    assert not model.training
    assert not made.training
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert torch.equal(logits(model, images((SIDE, SIDE))), kept), "the two share weights"


@every_pass
def test_it_gives_one_finite_row_of_logits_for_each_image(name: str) -> None:
    made = passed(name)
    for count in (1, IMAGES):
        found = logits(made.module, images(made.input_size, count))
        assert (found.shape, found.dtype) == ((count, CLASSES), torch.float32)
        assert found.isfinite().all()
    assert found.std(dim=0).max() > 0.01 * found.abs().max(), "all images get the same logits: the tests could not fail"


@every_pass
def test_it_does_something_and_does_not_cost_more(name: str) -> None:
    dense = small_vit(depth=2)
    macs = count_macs(capture(dense, (SIDE, SIDE)))
    if name == "distill":
        assert count_macs(captured(name)) == macs
        assert not torch.equal(logits(dense, images((SIDE, SIDE))), logits(passed(name).module, images((SIDE, SIDE))))
    else:
        assert count_macs(captured(name)) < macs


@every_pass
def test_the_same_model_gives_the_same_one(name: str) -> None:
    first, again = passed(name), PASSES[name](small_vit(depth=2))
    assert first.input_size == again.input_size
    pixels = images(first.input_size)
    assert torch.equal(logits(first.module, pixels), logits(again.module, pixels))
    assert torch.equal(logits(first.module, pixels), logits(first.module, pixels))


@every_pass
def test_it_can_be_captured_with_shapes_of_plain_numbers(name: str) -> None:
    program, made = captured(name), passed(name)
    values = [node.meta["val"] for node in program.graph.nodes if isinstance(node.meta.get("val"), Tensor)]
    assert all(type(length) is int for value in values for length in value.shape)
    (given,) = program.example_inputs[0]
    assert given.shape == (1, 3, *made.input_size)
    pixels = images(made.input_size, 1)
    torch.testing.assert_close(logits(program.module(), pixels), logits(made.module, pixels), rtol=1e-5, atol=1e-5)


@every_pass
def test_exported_logits_are_pytorchs(name: str, tmp_path: Path) -> None:
    """By one backend, so that the ops are known to exist there; the others are in test_token_forms."""
    pytest.importorskip("onnxruntime")
    made, backend = passed(name), get_backend("onnxruntime")
    session = backend.open_session(backend.export(captured(name), tmp_path), 1, "f32")
    pixels = images(made.input_size)
    expected = logits(made.module, pixels).numpy()
    found = np.concatenate([session.run((image[None].numpy(),))[0] for image in pixels])
    assert found.shape == (IMAGES, CLASSES)
    assert np.abs(found - expected).max() <= FLOAT_TOLERANCE * np.abs(expected).max()
