"""The graph of an encoder written anew."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.spec.token_plan import Site  # noqa: E402
from edgevit.tokens.captured.encoder import find_encoder  # noqa: E402
from edgevit.tokens.captured.model import EncoderPart, ReducedEncoder  # noqa: E402
from edgevit.tokens.captured.rewrite import Part, Reductions, write_reduced  # noqa: E402
from edgevit.tokens.captured.steps import KeyWeights, PoolWeights, SiteStep  # noqa: E402

# isort: split
from tests.encoders import ENCODERS, each_encoder, encoder, gated_vit, own_gated, post_norm, shared_encoder  # noqa: E402
from tests.models import image  # noqa: E402

SIZE = (32, 32)
ALL = Reductions("tome", (), "gather")
pytestmark = pytest.mark.usefixtures("one_thread")

MODELS: dict[str, Callable[[], nn.Module]] = {
    **{name: functools.partial(shared_encoder, name) for name in ENCODERS},
    "gated": own_gated,
    "gated, timm's": gated_vit,
    "norm last": post_norm,
    "norm last, tokens first": functools.partial(post_norm, batch_first=False),
}


@pytest.mark.parametrize("name", each_encoder("gated", "gated, timm's", "norm last", "norm last, tokens first"))
def test_without_sites_it_is_the_same_for_every_batch(name: str) -> None:
    model = MODELS[name]()
    same = ReducedEncoder(model, find_encoder(model, SIZE), ALL)
    for batch in (1, 2, 5):
        pixels = image(batch, batch)
        with torch.inference_mode():
            torch.testing.assert_close(same(pixels), model(pixels), rtol=1e-5, atol=1e-5)


def steps(name: str, method: str, *sites: Site) -> list[type[nn.Module]]:
    model = shared_encoder(name)
    return [
        type(each)
        for each in write_reduced(model, find_encoder(model, SIZE), Reductions(method, sites, "gather")).steps
    ]


def test_merging_weighs_all_that_is_computed_behind_it_and_pruning_nothing() -> None:
    sites = Site(1, 40), Site(3, 20)
    assert steps("own, mean", "tome", *sites) == [SiteStep, KeyWeights, KeyWeights, SiteStep, PoolWeights]
    assert steps("torchvision", "squeeze", *sites) == [SiteStep, KeyWeights, KeyWeights, SiteStep]
    assert steps("own, mean", "evit", *sites) == [SiteStep, SiteStep]


class WithConstants(nn.Module):
    """Reads a tensor that is no parameter, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = encoder("own, separate")
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.25), persistent=False)
        self.scale = torch.tensor(2.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.vit((images - self.mean) / self.scale * torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1))


def test_constants_of_the_module_are_kept() -> None:
    model = WithConstants().eval()
    same = ReducedEncoder(model, find_encoder(model, SIZE), ALL)
    with torch.inference_mode():
        torch.testing.assert_close(same(image()), model(image()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", each_encoder("norm last, tokens first"))
def test_parts_are_the_model(name: str) -> None:
    model, pixels = MODELS[name](), image(1, 3)
    encoder = find_encoder(model, SIZE)
    reduced = Reductions("tome", (Site(2, 40), Site(3, 24)), "gather")
    with torch.inference_mode():
        streams = EncoderPart(model, encoder, ALL, Part(streams=(1, 2, 3))).outputs(pixels)
        torch.testing.assert_close(streams[3], model(pixels), rtol=1e-5, atol=1e-5)
        block = EncoderPart(model, encoder, ALL, Part(first=2, streams=(3,), logits=False))
        torch.testing.assert_close(block(streams[1]), streams[2], rtol=1e-5, atol=1e-5)
        tail, whole = EncoderPart(model, encoder, reduced, Part(first=2)), ReducedEncoder(model, encoder, reduced)
        torch.testing.assert_close(tail(streams[1]), whole(pixels), rtol=1e-5, atol=1e-5)


def test_a_block_takes_any_number_of_tokens_with_weights_of_their_keys() -> None:
    """All that enter are of one kind, so that only weights that differ from token to token change anything."""
    model = MODELS["own, joined"]()
    encoder = find_encoder(model, SIZE)
    tokens = torch.randn(1, 21, 48, generator=torch.Generator().manual_seed(0))
    plain, weighed = (
        EncoderPart(model, encoder, ALL, Part(first=2, streams=(3,), logits=False, entering=21, merged=merged))
        for merged in (False, True)
    )
    with torch.inference_mode():
        known = model.vit if hasattr(model, "vit") else model
        assert plain(tokens).shape == weighed(tokens).shape == tokens.shape
        torch.testing.assert_close(plain(tokens), known.blocks[1](tokens), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(plain(tokens), weighed(tokens))
