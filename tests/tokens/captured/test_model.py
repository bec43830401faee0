"""Classifiers with fewer tokens, made from their captured programs."""

from __future__ import annotations

import functools

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.model.program.trainable import Trainable, capture_for_training  # noqa: E402
from edgevit.spec.token_plan import FORMS, METHODS, Form, Site, TokenPlan, parse_plan  # noqa: E402
from edgevit.tokens.captured.model import ReducedEncoder, captured_sites, reduce_captured  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.reduction import CutMargins, ReducedModel  # noqa: E402

# isort: split
from tests.encoders import ENCODERS, each_encoder, encoder, gated_vit, own_gated, post_norm, shared_encoder  # noqa: E402
from tests.models import SMALL_VIT_KINDS, SMALL_VIT_PATCHES, image, small_vit, swap_patches  # noqa: E402

SIZE = (32, 32)
PLANS = {method: f"{method}:0.6@1,3" for method in METHODS}
pytestmark = pytest.mark.usefixtures("one_thread")


def reduced(model: nn.Module, plan: str, form: Form = "gather") -> ReducedEncoder:
    return reduce_captured(model, parse_plan(plan), form, SIZE)


def run(model: nn.Module, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(pixels)
    return found


def check_equal(found: ReducedModel, known: ReducedModel, rtol: float = 2e-5) -> None:
    pixels = image(3, batch=3)
    torch.testing.assert_close(run(found, pixels), run(known, pixels), rtol=rtol, atol=rtol)
    with torch.inference_mode():
        for one, other in zip(found.sources(pixels), known.sources(pixels), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found.margins(pixels), known.margins(pixels), rtol=1e-3, atol=1e-5)


@functools.cache
def vit(kind: str) -> nn.Module:
    found: nn.Module = small_vit(kind)
    return found


READ_CLASS = [kind for kind in SMALL_VIT_KINDS if kind != "average"]
"""With a class token that the head does not read, the captured program does not tell that it is one."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind == "registers" else [pytest.mark.slow]) for kind in READ_CLASS]
)
def test_a_vit_gives_what_it_gives_when_it_is_written_anew(kind: str, method: str, form: Form) -> None:
    check_equal(reduced(vit(kind), PLANS[method], form), reduce_tokens(vit(kind), parse_plan(PLANS[method]), form))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", each_encoder())
def test_other_ways_to_write_a_vit_give_what_timms_gives(name: str, method: str) -> None:
    known = reduce_tokens(small_vit(ENCODERS[name][0]), parse_plan(PLANS[method]))
    check_equal(reduced(shared_encoder(name), PLANS[method]), known)


@pytest.mark.parametrize(
    "method", ["tome", *(pytest.param(each, marks=pytest.mark.slow) for each in ("evit", "squeeze"))]
)
def test_a_gate_written_by_hand_and_timms_are_the_same(method: str) -> None:
    check_equal(reduced(own_gated(), PLANS[method]), reduced(gated_vit(), PLANS[method]))


MEANS = ("own, mean", "own, joined")


def with_copies(model: nn.Module, position: str, copies: dict[int, int]) -> tuple[nn.Module, Tensor]:
    """The model and an image in which patches equal others, with their positions."""
    order = [copies.get(place, place) for place in range(SMALL_VIT_PATCHES)]
    with torch.no_grad():
        table = model.get_parameter(position)[:, -SMALL_VIT_PATCHES:]
        table.copy_(table[:, torch.as_tensor(order)].clone())
    return model, swap_patches(image(), order)


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize(
    "name",
    [
        "norm last",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("gated", "norm last, tokens first", *MEANS)),
    ],
)
def test_merging_duplicates_leaves_the_logits(name: str, block: int) -> None:
    """Attention and a mean count all that a token stands for."""
    made = {
        "gated": own_gated, "norm last": post_norm, "norm last, tokens first": lambda: post_norm(batch_first=False),
    }.get(name, lambda: encoder(name))()  # fmt: skip
    copies = {1: 0, 11: 40, 33: 12, 35: 12, 63: 6, 21: 20}
    model, pixels = with_copies(made, "position", copies)
    plan = TokenPlan("tome", (Site(block, SMALL_VIT_PATCHES - len(copies)),))
    fewer = reduce_captured(model, plan, "gather", SIZE)
    with torch.inference_mode():
        groups = [row.nonzero().flatten().tolist() for row in fewer.sources(pixels)[0][0]]
    assert sorted(group for group in groups if len(group) > 1) == [[0, 1], [6, 63], [11, 40], [12, 33, 35], [20, 21]]
    torch.testing.assert_close(run(fewer, pixels), run(model, pixels), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "torchvision" else [pytest.mark.slow]) for name in ENCODERS]
)
def test_it_is_captured_for_one_image_and_for_training(name: str) -> None:
    made, pixels = reduced(shared_encoder(name), PLANS["squeeze"], "arithmetic"), image(4, batch=16)
    program = capture(made, SIZE)
    assert count_macs(program) < 0.8 * count_macs(capture(shared_encoder(name), SIZE))
    one: Tensor = program.module()(pixels[:1])
    torch.testing.assert_close(one, run(made, pixels[:1]), rtol=1e-4, atol=1e-5)
    training = Trainable(capture_for_training(made, SIZE))
    outputs = training(pixels)
    torch.testing.assert_close(outputs.logits, run(made, pixels), rtol=1e-4, atol=1e-5)
    assert set(training.parameters) >= {f"model.{key}" for key, _ in shared_encoder(name).named_parameters()}
    outputs.logits.square().sum().backward()
    missing = [key for key, parameter in training.parameters.items() if parameter.grad is None]
    assert missing == []
    capture(CutMargins(made), SIZE)


def test_tuned_weights_have_the_names_of_the_original_and_serve_it() -> None:
    model = encoder("own, separate")
    made = reduced(model, PLANS["evit"])
    assert made.original.state_dict().keys() == model.state_dict().keys()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.01)
    again = encoder("own, separate")
    again.load_state_dict(made.original.state_dict())
    torch.testing.assert_close(run(reduced(again, PLANS["evit"]), image()), run(made, image()))
    assert not torch.equal(run(again, image()), run(model, image())), "the two share weights"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("evit:0.7@2,4", "names block 4, the model has 3"),
        ("tome:33@1", "leaves 31 of 64 patch tokens at block 1: tome merges at most half of them"),
        ("evit:0.999@1", "keeps all 64 patch tokens"),
    ],
)
def test_plans_that_are_refused(plan: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        captured_sites(shared_encoder("torchvision"), parse_plan(plan), SIZE)
    with pytest.raises(UsageError, match=message):
        reduced(shared_encoder("torchvision"), plan)
