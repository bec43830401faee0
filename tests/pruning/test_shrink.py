"""The smaller module computes what the masked one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.pruning.refit import Reader  # noqa: E402
from edgevit.pruning.shrink import read_weights, shrink, with_widths  # noqa: E402
from edgevit.pruning.units import KINDS, find_groups  # noqa: E402

# isort: split
from tests.pruning.networks import SIDE, pixels, small_residuals, small_vit  # noqa: E402


def network(kind: str) -> torch.nn.Module:
    return small_residuals() if kind == "channels" else small_vit()


def masked(module: torch.nn.Module, kept: dict[Any, list[int]], images: torch.Tensor) -> torch.Tensor:
    """Logits where what the readers read of other units is zero."""

    def mask(group: Any, units: list[int]) -> Any:
        def hook(_: Any, read: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
            shape = (1, -1, 1, 1) if read[0].dim() == 4 else (-1,)
            ones = torch.zeros(group.units * group.width)
            ones[group.inputs(units)] = 1
            return (read[0] * ones.reshape(shape),)

        return hook

    readers = {group: module.get_submodule(group.reader) for group in kept}
    handles = [readers[group].register_forward_pre_hook(mask(group, units)) for group, units in kept.items()]
    with torch.inference_mode():
        found: torch.Tensor = module(images)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_pruned_equals_masked(kind: Any) -> None:
    module, images = network(kind), pixels()
    kept = {
        group: sorted(np.random.default_rng(n).permutation(group.units)[: 3 * group.units // 4].tolist())
        for n, group in enumerate(find_groups(module, kind))
    }
    before = {name: value.clone() for name, value in module.state_dict().items()}
    smaller = shrink(module, kept, {})
    with torch.inference_mode():
        found, whole = smaller(images), module(images)
    expected = masked(module, kept, images)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert (whole - expected).abs().max() > 1e-2 * expected.abs().max()  # something left
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in module.parameters())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    program = capture(smaller, (SIDE, SIDE))
    assert torch.allclose(program.module()(images[:1]), found[:1], atol=1e-4)


def test_readers_get_new_weights_and_a_bias() -> None:
    module, images = small_residuals(), pixels()
    (group, _) = find_groups(module, "channels")
    old = read_weights(module, group.reader)
    assert (old.weight.shape, old.bias.tolist()) == ((16, 48), [0.0] * 16)
    units = list(range(40))
    new = Reader(old.weight[:, units], np.full(16, 0.5))
    smaller = shrink(module, {group: units}, {group.reader: new})
    assert read_weights(smaller, group.reader).bias.tolist() == [0.5] * 16
    with torch.inference_mode():
        assert not torch.allclose(smaller(images), shrink(module, {group: units}, {})(images))


@pytest.mark.parametrize("kind", KINDS)
def test_its_shape_can_be_built_again_for_its_weights(kind: Any) -> None:
    module, images = network(kind), pixels()
    groups = find_groups(module, kind)
    kept = {group: list(range(1, group.units)) for group in groups}
    readers = {
        group.reader: Reader(old.weight[:, group.inputs(kept[group])], old.bias + 0.1)
        for group in groups
        if (old := read_weights(module, group.reader))
    }
    smaller = shrink(module, kept, readers)
    again = with_widths(module, {group: group.units - 1 for group in groups})
    again.load_state_dict(smaller.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(images), smaller(images))
    assert not {p.data_ptr() for p in again.parameters()} & {p.data_ptr() for p in module.parameters()}
