"""Fewer blocks and a narrower embedding."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.pruning.narrow import least_dims, narrowed, without_blocks  # noqa: E402
from edgevit.pruning.prune import Judge  # noqa: E402

# isort: split
from tests.pruning.networks import SIDE, noise_images, pixels, small_vit  # noqa: E402


def test_blocks_leave() -> None:
    module = small_vit(depth=3)
    smaller = without_blocks(module, (1,))
    assert (len(smaller.blocks), len(module.blocks)) == (2, 3)
    with torch.inference_mode():
        x = module.norm_pre(module.patch_drop(module._pos_embed(module.patch_embed(pixels()))))
        expected = module.forward_head(module.norm(module.blocks[2](module.blocks[0](x))))
        torch.testing.assert_close(smaller(pixels()), expected)


def test_a_narrower_model_is_captured_and_refitting_helps() -> None:
    module, images = small_vit(init_values=1.0, reg_tokens=2), noise_images()
    gone = least_dims(module, images.batches(), 4)
    assert len(set(gone)) == 4
    fitted, bare = narrowed(module, gone, images.batches()), narrowed(module, gone, None)
    judge = Judge(module, images)
    assert judge.divergence(fitted) < judge.divergence(bare)
    assert {tuple(value.shape) for value in fitted.state_dict().values()} == {
        tuple(value.shape) for value in bare.state_dict().values()
    }
    assert fitted.embed_dim == 28
    capture(fitted, (SIDE, SIDE))
    assert module.embed_dim == 32


def test_a_dimension_that_nothing_reads_leaves_without_a_trace() -> None:
    """It is constant over all tokens and images, and the mean of the norm counts it: the refit makes up for that."""
    module = small_vit()
    for name, value in module.named_parameters():
        if name.endswith(("patch_embed.proj.weight", "patch_embed.proj.bias", "attn.proj.weight", "attn.proj.bias")):
            value[5] = 0
        if name.endswith(("mlp.fc2.weight", "mlp.fc2.bias")):
            value[5] = 0
        if name in ("cls_token", "pos_embed"):
            value[..., 5] = 0
    images = noise_images()
    assert least_dims(module, images.batches(), 1) == [5] or Judge(module, images).divergence(
        narrowed(module, [5], images.batches())
    ) < Judge(module, images).divergence(narrowed(module, [6], images.batches()))
