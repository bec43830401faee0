"""Depth, heads, MLPs, width and patch size, chosen together."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.forward_cost import forward_cost  # noqa: E402
from edgevit.pruning.prune import Judge  # noqa: E402
from edgevit.pruning.shrink import with_widths  # noqa: E402
from edgevit.pruning.sub_network import SubNetwork, build_shape, check_plain, find_sub_network, larger_patches  # noqa: E402
from edgevit.pruning.units import find_groups  # noqa: E402

# isort: split
from tests.pruning.networks import SIDE, noise_images, pixels, small_residuals, small_vit  # noqa: E402


@pytest.mark.slow
def test_a_sub_network_has_the_macs_that_were_asked_and_is_built_again() -> None:
    module, images = small_vit(depth=4), noise_images(12)
    found = find_sub_network(module, 0.75, images, 8)
    dense, left = (
        forward_cost(each, size).macs for each, size in ((module, (SIDE, SIDE)), (found.module, found.input_size))
    )
    assert 0.5 * dense < left <= 0.8 * dense
    judge = Judge(module, images)
    assert found.divergence == pytest.approx(judge.divergence(found.module, images.resized(found.input_size)), rel=1e-4)
    again, size = build_shape(module, (SIDE, SIDE), found.shape, None)
    widths = {each.name: each.after for each in found.widths}
    groups = [group for kind in ("mlp", "heads") for group in find_groups(again, kind) if group.name in widths]
    again = with_widths(again, {group: widths[group.name] for group in groups})
    again.load_state_dict(found.module.state_dict())
    assert size == found.input_size
    with torch.inference_mode():
        torch.testing.assert_close(again(pixels()), found.module(pixels()))


def test_patches_that_are_looked_at() -> None:
    assert larger_patches(16, 224) == (17, 18)
    assert larger_patches(8, 32) == (10, 13)
    assert larger_patches(16, 32) == ()


def test_shapes_are_told() -> None:
    shape = SubNetwork(8, (1,), (3, 4), 2, 0.25)
    assert str(shape) == "patches of 8, 1 blocks, 2 dimensions, 2 heads and 25 % of the hidden units left"
    smaller, size = build_shape(small_vit(depth=3), (SIDE, SIDE), SubNetwork(16, (0,), (3, 4), 0, 0.0), noise_images(6))
    assert (len(smaller.blocks), smaller.embed_dim, size) == (2, 30, (32, 32))
    assert smaller(pixels()).shape == (4, 5)


def test_other_models_are_refused() -> None:
    check_plain(small_vit())
    for other in (small_residuals(), small_vit(pre_norm=True), small_vit(global_pool="avg")):
        with pytest.raises(UsageError, match="--prune macs=… chooses depth"):
            check_plain(other)
