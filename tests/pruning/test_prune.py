"""A model pruned by what single changes do."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.pruning.prune import Pruned, PruningImages, prune  # noqa: E402
from edgevit.spec.pruning_plan import PruningPlan  # noqa: E402

# isort: split
from tests.pruning.networks import noise_images, pixels, small_residuals, small_vit  # noqa: E402


def logits(module: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = module(images)
    return found


def divergence(dense: torch.nn.Module, other: torch.nn.Module, images: PruningImages) -> float:
    batch = torch.cat(list(images.judged()))
    p, q = (logits(each, batch).double().log_softmax(1) for each in (dense, other))
    return float((p.exp() * (p - q)).sum(1).mean())


@pytest.mark.parametrize(
    ("plan", "network", "before", "share"),
    [
        (PruningPlan(mlp=0.25), small_vit, 64, 0.5),
        (PruningPlan(heads=2), small_vit, 4, 0.75),
        (PruningPlan(channels=0.3), small_residuals, 48, 0.5),
    ],
)
def test_a_smaller_model_answers_much_like_the_model(
    plan: PruningPlan, network: Any, before: int, share: float
) -> None:
    module, images = network(), noise_images()
    found = prune(module, plan, images, 8)
    assert found.widths
    for width in found.widths:
        assert width.before == before
        assert width.after < before
        assert width.kind == "heads" or width.after % 8 == 0
    assert found.divergence == pytest.approx(divergence(module, found.module, images), rel=1e-4)
    blind = _without_refit(module, plan)
    assert found.divergence < share * divergence(module, blind, images)
    assert torch.equal(logits(module, pixels()), logits(network(), pixels()))  # left as it was


def _without_refit(module: torch.nn.Module, plan: PruningPlan) -> torch.nn.Module:
    """The first units of each group left out, nothing refitted."""
    from edgevit.pruning.shrink import shrink
    from edgevit.pruning.units import find_groups

    kind: Any = "heads" if plan.heads else "mlp" if plan.mlp else "channels"
    amount = {"heads": 1, "mlp": 16, "channels": 16}[kind]
    return shrink(module, {group: range(amount, group.units) for group in find_groups(module, kind)}, {})


def test_how_much_leaves_is_what_was_asked() -> None:
    found = prune(small_vit(), PruningPlan(mlp=0.25), noise_images(), 8)
    assert sum(each.before - each.after for each in found.widths) == 32
    heads = prune(small_vit(), PruningPlan(heads=3), noise_images(), 8)
    assert sum(each.before - each.after for each in heads.widths) == 3
    assert all(each.after >= 1 for each in heads.widths)


def test_kinds_can_be_combined() -> None:
    found = prune(small_vit(), PruningPlan(mlp=0.25, heads=1), noise_images(), 8)
    assert {each.kind for each in found.widths} == {"mlp", "heads"}


def test_dependent_units_leave_without_a_trace() -> None:
    """Hidden units that are copies of others by a factor: ReLU keeps them linear in each other."""
    module: Any = small_vit(act_layer=torch.nn.ReLU)
    for block in module.blocks:
        for unit in range(16):
            block.mlp.fc1.weight[63 - unit] = (1 + unit / 16) * block.mlp.fc1.weight[unit]
            block.mlp.fc1.bias[63 - unit] = (1 + unit / 16) * block.mlp.fc1.bias[unit]
    found = prune(module, PruningPlan(mlp=0.25), noise_images(), 8)
    expected = logits(module, pixels())
    assert (logits(found.module, pixels()) - expected).abs().max() <= 1e-4 * max(1.0, float(expected.abs().max()))
    assert {each.after for each in found.widths} == {48}


def test_the_same_images_give_the_same_model() -> None:
    first, second = (prune(small_vit(), PruningPlan(mlp=0.25), noise_images(), 8) for _ in range(2))
    assert _state(first).keys() == _state(second).keys()
    for name, value in _state(first).items():
        assert torch.allclose(value, _state(second)[name], atol=1e-5)
    assert first.widths == second.widths


def _state(pruned: Pruned) -> dict[str, torch.Tensor]:
    return pruned.module.state_dict()


def test_progress_is_told_and_too_much_refused() -> None:
    told: list[tuple[int, int]] = []
    prune(small_vit(), PruningPlan(mlp=0.25), noise_images(), 8, lambda done, total: told.append((done, total)))
    assert (16, 16) in told
    with pytest.raises(UsageError, match="at most 6 can leave"):
        prune(small_vit(), PruningPlan(heads=7), noise_images(), 8)
    with pytest.raises(UsageError, match="has no inverted residual"):
        prune(small_vit(), PruningPlan(channels=0.1), noise_images(), 8)


def test_changes_are_measured_on_images_that_nothing_is_fitted_to() -> None:
    images = noise_images(24)
    fitted, judged = (torch.cat(list(each)) for each in (images.batches(), images.judged()))
    assert (len(fitted), len(judged), images.fitted) == (16, 8, 16)
    assert not any(torch.equal(one, other) for one in fitted for other in judged)
