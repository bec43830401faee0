"""What is put between the calls of an encoder."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.spec.token_plan import METHODS  # noqa: E402
from edgevit.tokens.captured.axes import BATCH, TOKENS, Axes, Length  # noqa: E402
from edgevit.tokens.captured.steps import KeyWeights, PoolWeights, SiteLayout, SiteStep, aligned, by_heads  # noqa: E402
from edgevit.tokens.reduction import TokenReduction, log_sizes_of  # noqa: E402

B, H, T, D = 2, 3, 5, 4


def values(*sizes: int) -> torch.Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("leading", "order"),
    [
        (((BATCH,), (H,)), "bhtd"),
        (((H,), (BATCH,)), "hbtd"),
        (((BATCH, H),), "(bh)td"),
        (((H, BATCH),), "(hb)td"),
        (((BATCH,),), "btd"),
    ],
)
def test_heads_come_behind_the_batch(leading: tuple[Length, ...], order: str) -> None:
    heads = 1 if order == "btd" else H
    known = values(B, heads, T, D)
    given = known.transpose(0, 1) if order.strip("(").startswith("h") else known
    given = given.reshape(-1, T, D) if len(leading) == 1 else given
    assert torch.equal(by_heads(given, leading), known)


@pytest.mark.parametrize(
    ("axes", "place"),
    [
        (((BATCH,), (H,), (TOKENS,), (TOKENS,)), 3),
        (((BATCH, H), (TOKENS,), (TOKENS,)), 2),
        (((H, BATCH), (TOKENS,), (TOKENS,)), 2),
        (((BATCH,), (TOKENS,), (D,)), 1),
        (((TOKENS,), (BATCH,), (D,)), 0),
    ],
)
def test_a_value_of_each_token_meets_its_token(axes: Axes, place: int) -> None:
    given = values(B, T)
    sizes = {(BATCH,): B, (H,): H, (TOKENS,): T, (D,): D, (BATCH, H): B * H, (H, BATCH): B * H}
    whole = aligned(given, axes, place).expand([sizes[length] for length in axes])
    at = next(where for where, length in enumerate(axes) if BATCH in length)
    for image in range(B):
        for token in range(T):
            rows = {(BATCH,): [image], (BATCH, H): [image * H + head for head in range(H)]}.get(
                axes[at], [head * B + image for head in range(H)]
            )
            chosen = whole.index_select(at, torch.tensor(rows)).select(place, token)
            assert (chosen == given[image, token]).all()


def test_weights_of_a_pool_make_its_mean_one_over_patches() -> None:
    """Two patches and one for three others, beside a class token that counts once."""
    sizes = torch.tensor([[[1.0], [1.0], [3.0]]])
    tokens = torch.tensor([[[7.0], [1.0], [2.0], [4.0]]])
    weights = PoolWeights(((BATCH,), (TOKENS,), (D,)), 1, 1, 5)(sizes)
    assert (tokens * weights).mean() == pytest.approx((7 + 1 + 2 + 4 * 3) / 6)


def test_key_weights_leave_out_what_was_cut_off() -> None:
    logs = log_sizes_of(torch.tensor([[[1.0], [2.0], [3.0]]]), prefix=2)
    found = KeyWeights(((BATCH,), (TOKENS,)), 1, skipped=1)(logs)
    torch.testing.assert_close(found.exp(), torch.tensor([[1.0, 1.0, 2.0, 3.0]]))


@pytest.mark.parametrize("method", METHODS)
def test_a_site_gives_the_same_with_tokens_first(method: str) -> None:
    x, query, keys = values(B, T + 1, D), values(B, H, T + 1, D), values(B, H, T + 1, D) + 1
    found = []
    for first in (False, True):
        layout = SiteLayout(1, 0, first, ((BATCH,), (H,)), ((BATCH,), (H,)), D**-0.5)
        step = SiteStep(TokenReduction(method, 3, "gather"), layout)
        fewer, sizes, logs, decided = step(x.transpose(0, 1) if first else x, query, keys, None, None)
        assert decided[1].shape == (B, T)
        found.append((fewer.transpose(0, 1) if first else fewer, sizes, logs))
    assert found[0][0].shape == (B, 4, D)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][0][:, 0], x[:, 0])
    assert (found[0][2] is not None) == (method in ("tome", "squeeze"))
