"""What all models that reduce tokens have in common."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from edgevit.spec.token_plan import METHODS, Site  # noqa: E402
from edgevit.tokens.maths import Patches  # noqa: E402
from edgevit.tokens.reduction import CutMargins, ReducedModel, SiteInputs, TokenReduction, log_sizes_of  # noqa: E402


class TwoSites(ReducedModel):
    """Keeps the first patches by rank of a given attention, twice."""

    def __init__(self, *attention: list[float]) -> None:
        super().__init__()
        self.sites, self.patches = (Site(1, 2), Site(2, 1)), 3
        self.attention = [torch.tensor([each]) for each in attention]

    @property
    def original(self) -> nn.Module:
        return self

    def decisions(self, images: Tensor) -> list[tuple[TokenReduction, SiteInputs]]:
        return [
            (
                TokenReduction("evit", site.tokens, "gather"),
                SiteInputs(torch.ones_like(scores).unsqueeze(2), scores, torch.zeros(1, scores.shape[1], 2)),
            )
            for site, scores in zip(self.sites, self.attention, strict=True)
        ]


def test_sources_follow_patches_through_all_sites() -> None:
    first, second = TwoSites([0.1, 0.6, 0.3], [0.2, 0.8]).sources(torch.zeros(1, 3, 2, 2))
    assert first[0].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert second[0].tolist() == [[0, 0, 1]]


def test_the_smallest_margin_of_all_sites_counts() -> None:
    """Margins are (0.3 - 0.1) / 0.3 and (0.8 - 0.2) / 0.8."""
    model = CutMargins(TwoSites([0.1, 0.6, 0.3], [0.2, 0.8]))
    assert model(torch.zeros(1, 3, 2, 2)).item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_what_it_is_told(method: str) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, metric = (torch.randn(2, 6, 4, generator=generator) for _ in range(2))
    attention = torch.rand(2, 6, generator=generator)
    reduction = TokenReduction(method, 4, "arithmetic")
    fewer = reduction(Patches(tokens, torch.ones(2, 6, 1)), attention, metric)
    assert fewer.tokens.shape == (2, 4, 4)
    assert fewer.sizes.sum().item() == (12 if reduction.merges else 8)
    assert (reduction.margin(attention, metric) > 0).all()


def test_log_sizes_of_prefix_tokens_are_0() -> None:
    found = log_sizes_of(torch.tensor([[[1.0], [4.0]]]), prefix=2)
    torch.testing.assert_close(found.exp(), torch.tensor([[[[1.0, 1.0, 1.0, 4.0]]]]))
