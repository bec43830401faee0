"""Plans of every kind, carried out and checked in one place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.spec.token_plan import ResizePlan, Site, TokenPlan, parse_plans  # noqa: E402
from edgevit.tokens.plan import carry_out, check_plan, check_searchable, is_reducible  # noqa: E402
from edgevit.tokens.reduce import ReducedVisionTransformer, reduce_tokens  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402

# isort: split
from tests.encoders import shared_encoder  # noqa: E402
from tests.models import SIDE, small_vit  # noqa: E402

SIZE = (SIDE, SIDE)


def plan(text: str) -> TokenPlan | ResizePlan:
    (found,) = parse_plans(text)
    assert not isinstance(found, str)
    return found


def test_both_are_a_resized_model_with_fewer_tokens() -> None:
    module = small_vit(depth=2)
    both, smaller = plan("resolution:24+evit:1=20"), plan("resolution:24")
    made = carry_out(module, both, "gather", SIZE)
    assert made.input_size == (24, 24)
    assert isinstance(made.module, ReducedVisionTransformer)
    assert made.module.sites == check_plan(module, both, SIZE) == (Site(1, 20),)
    image = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    assert isinstance(smaller, ResizePlan)
    alone = plan("evit:1=20")
    assert isinstance(alone, TokenPlan)
    expected = reduce_tokens(resize(module, smaller, SIZE).module, alone)(image)
    assert torch.equal(made.module(image), expected)


def test_one_alone_is_as_it_was() -> None:
    module = small_vit(depth=2)
    assert carry_out(module, plan("resolution:24"), "gather", SIZE).input_size == (24, 24)
    assert check_plan(module, plan("resolution:24"), SIZE) == ()
    assert carry_out(module, plan("evit:1=20"), "gather", SIZE).input_size == SIZE
    assert check_plan(module, plan("evit:1=20"), SIZE) == (Site(1, 20),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resolution:24+evit:1=40", "leaves 40 of 36 patch tokens"),  # there are 64 in the model's own size
        ("resolution:23+evit:1=20", "resolution:23"),
        ("resolution:32+evit:1=20", "no reduction"),
        ("evit:9=20", "names block 9"),
    ],
)
def test_what_a_model_cannot_carry_out_is_refused(text: str, message: str) -> None:
    module = small_vit(depth=2)
    with pytest.raises(UsageError, match=message):
        check_plan(module, plan(text), SIZE)
    with pytest.raises(UsageError, match=message):
        carry_out(module, plan(text), "gather", SIZE)


def fixed() -> torch.nn.Module:
    """Takes images of one size alone."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 2)).eval()


def convolutions() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()


@pytest.mark.parametrize(("make", "tokens_can_leave"), [(small_vit, True), (convolutions, False)])
def test_a_plan_is_searched_for_where_tokens_can_leave_or_images_can_be_smaller(
    make: Callable[[], torch.nn.Module], tokens_can_leave: bool
) -> None:
    check_searchable(make(), SIZE)
    assert is_reducible(make(), (32, 32)) == tokens_can_leave


def test_none_is_searched_for_where_neither_can_be() -> None:
    with pytest.raises(
        UsageError, match=r"needs an encoder of softmax-attention blocks.* takes 32 x 32 alone"
    ) as caught:
        check_searchable(fixed(), SIZE)
    assert "resolution" not in (caught.value.hint or "")


class ConvolutionalStem(torch.nn.Module):
    """An encoder of two blocks without a table of positions, so that its images may have any size."""

    def __init__(self) -> None:
        super().__init__()
        norm, relu = torch.nn.BatchNorm2d(8), torch.nn.ReLU(inplace=True)
        self.embed = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 4, 4), norm, relu)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        for _ in range(2):
            x = x + torch.nn.functional.scaled_dot_product_attention(x, x * 2, x)
        return self.head(x.mean(1))


def test_a_combined_plan_works_on_other_encoders_that_can_be_resized() -> None:
    model, both = ConvolutionalStem().eval(), plan("resolution:16+tome:1=10")
    assert check_plan(model, both, SIZE) == (Site(1, 10),)
    made = carry_out(model, both, "gather", SIZE)
    assert made.input_size == (16, 16)
    program = capture(made.module, made.input_size)
    assert not any("batch_norm" in str(node.target) for node in program.graph.nodes)


def test_a_combined_plan_is_refused_where_the_size_is_fixed() -> None:
    with pytest.raises(UsageError, match="cannot take 16 x 16 images"):
        check_plan(shared_encoder("torchvision"), plan("resolution:16+tome:1=10"), SIZE)
