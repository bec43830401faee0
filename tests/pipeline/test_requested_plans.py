"""Token plans of a spec are refused where the model cannot carry them out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.requested_plans import check_plans, check_pruning, pruned_by_auto  # noqa: E402
from edgevit.spec.pruning_plan import parse_pruning  # noqa: E402
from edgevit.spec.token_plan import parse_plans  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import CONTRACT_32, noise  # noqa: E402


def vit() -> Model:
    return Model("small_vit", small_vit(depth=2), CONTRACT_32, 5, random_weights=False)


def cnn() -> Model:
    return Model("digits_cnn", digits_cnn().eval(), CONTRACT_32, 10, random_weights=False)


def fixed() -> Model:
    """Takes images of one size alone."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2)).eval()
    return Model("fixed", module, CONTRACT_32, 2, random_weights=False)


@pytest.mark.parametrize(
    ("make", "tokens", "message"),
    [
        (
            cnn,
            "evit:0.7",
            "token reduction needs an encoder of softmax-attention blocks, and DigitsCnn is none: it has no softmax attention",
        ),
        (cnn, "tome:8", "token reduction needs an encoder of softmax-attention blocks"),
        (fixed, "auto", "needs an encoder of softmax-attention blocks.* takes 32 x 32 alone"),
        (cnn, "auto", "--tokens auto needs images"),
        (cnn, "patch:8", "patch:8 needs a plain vision transformer"),
        (vit, "evit:0.7@3", "names block 3, the model has 2"),
        (vit, "tome:60", "leaves 4 of 64 patch tokens at block 1: tome merges at most half"),
        (vit, "evit:0.999", "keeps all 64 patch tokens"),
        (vit, "resolution:27", "27"),
        (vit, "resolution:64", "64"),
        (vit, "resolution:32", "resolution:32 is no reduction: it is what the model has"),
        (vit, "patch:4", "patch:4 is no reduction: it is what the model has"),
        (cnn, "resolution:32", "resolution:32 is no reduction"),
        (vit, "patch:2", "patch:2 is no reduction"),
        (vit, "evit:0.7,tome:60", "tome merges at most half"),  # the second of two
        (vit, "auto", "--tokens auto needs images"),
    ],
)
def test_a_plan_that_the_model_cannot_carry_out_is_refused(
    make: Callable[[], Model], tokens: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check_plans(parse_plans(tokens), make(), RunData(None, None))
    assert caught.value.hint or "names block 3" in message


@pytest.mark.parametrize(
    ("make", "tokens", "data"),
    [
        (vit, "none", RunData(None, None)),
        (vit, "evit:0.7,evit_fused:0.5@2,tome:8,squeeze:1=40,resolution:24,patch:8", RunData(None, None)),
        (vit, "auto", RunData(noise(2), None)),
        (vit, "auto", RunData(None, noise(2))),
        (cnn, "none", RunData(None, None)),
        (cnn, "resolution:24", RunData(None, None)),
        (cnn, "auto", RunData(noise(2), None)),
    ],
)
def test_plans_that_it_can_are_not_and_the_model_stays_as_it_is(
    make: Callable[[], Model], tokens: str, data: RunData
) -> None:
    model = make()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    check_plans(parse_plans(tokens), model, data)
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


CALIBRATED = RunData(None, noise(12))


def test_what_can_be_pruned_passes() -> None:
    for text in ("mlp=0.25", "heads=1", "auto", "none"):
        check_pruning(parse_pruning(text), vit(), CALIBRATED)
    assert (pruned_by_auto(vit()), pruned_by_auto(cnn())) == ("mlp", None)


@pytest.mark.parametrize(
    ("make", "text", "message"),
    [
        (vit, "channels=0.2", "--prune channels: VisionTransformer has no inverted residual"),
        (vit, "heads=99", "at most .* can leave"),
        (cnn, "mlp=0.25", "--prune mlp: DigitsCnn has no MLP"),
        (cnn, "auto", "--prune mlp: DigitsCnn has no MLP"),
    ],
)
def test_pruning_that_is_not_possible_is_refused(make: Callable[[], Model], text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_pruning(parse_pruning(text), make(), CALIBRATED)


def test_pruning_needs_images() -> None:
    with pytest.raises(UsageError, match="--prune refits what is left on images") as refused:
        check_pruning(parse_pruning("mlp=0.25"), vit(), RunData(noise(4), None))
    assert "--calibration" in str(refused.value.hint)
    with pytest.raises(UsageError, match="11 are too few"):
        check_pruning(parse_pruning("mlp=0.25"), vit(), RunData(None, noise(11)))
