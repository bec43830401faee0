"""Token maths: known answers, invariants, independent references, and the same bits from both export forms."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.spec.token_plan import FORMS, Form  # noqa: E402
from edgevit.tokens import maths  # noqa: E402
from edgevit.tokens.maths import Patches  # noqa: E402

CHANNELS, WIDTH = 6, 4
both_forms = pytest.mark.parametrize("form", FORMS)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def attention(batch: int, n: int, seed: int, kind: str) -> Tensor:
    """float32 [batch, n], each in 0..1, with the kind of ties that is named."""
    made = (2 * torch.randn(batch, n, generator=generator(seed))).softmax(dim=1)
    if kind == "equal":
        made = torch.full((batch, n), 1 / n)
    if kind == "few":
        made = torch.randint(0, 3, (batch, n), generator=generator(seed)) / 8
    if kind == "quantized":
        made = (made * 255).round() / 255
    if kind == "zero":
        made = torch.zeros(batch, n)
    return made


KINDS = ["random", "equal", "few", "quantized", "zero"]


def patches(batch: int, n: int, seed: int, duplicates: bool = False) -> tuple[Patches, Tensor]:
    """Patches of sizes 1..5 and their metric, float32; by choice each token comes several times."""
    tokens = torch.randn(batch, n, CHANNELS, generator=generator(seed))
    metric = torch.randn(batch, n, WIDTH, generator=generator(seed + 1))
    if duplicates:
        again = torch.randint(0, max(1, n // 3), (n,), generator=generator(seed + 2))
        tokens, metric = tokens[:, again], metric[:, again]
    sizes = torch.randint(1, 6, (batch, n, 1), generator=generator(seed + 3)).float()
    return Patches(tokens, sizes), metric


def stable_ranks(scores: Tensor) -> Tensor:
    """Place of each in a stable descending sort."""
    return scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1).to(scores.dtype)


def tied_scores(trials: int, n: int, kind: str) -> Tensor:
    """Scores of 1 or more, float32 [trials, n]."""
    if kind == "neighbours":  # as close as float32 has numbers between 1 and 2
        return 1 + torch.randint(0, 4, (trials, n), generator=generator(n)) * 2.0**-23
    return 1 + n * attention(trials, n, n, kind)


@pytest.mark.parametrize("kind", [*KINDS, "neighbours"])
@pytest.mark.parametrize(
    ("trials", "n"), [(1000, 1), (1000, 2), (1000, 7), (1000, 16), (300, 64), (40, 196), (40, 197)]
)
def test_ranks_are_those_of_a_stable_sort(trials: int, n: int, kind: str) -> None:
    scores = tied_scores(trials, n, kind)
    found = maths.ranks(scores)
    assert torch.equal(found, stable_ranks(scores))
    assert torch.equal(found.sort(dim=1).values, torch.arange(float(n)).expand(trials, n))  # each once


def test_ranks_known_answer() -> None:
    assert maths.ranks(torch.tensor([[1.5, 3.0, 1.5, 2.0, 3.0]])).tolist() == [[3, 0, 4, 2, 1]]


@pytest.mark.parametrize("n", [16, 196])
def test_ranks_in_float16(n: int) -> None:
    """Differences leave its range, and are clipped: no score may become NaN."""
    order = torch.stack([torch.randperm(n, generator=generator(seed)) for seed in range(50)])
    separated = (1 + order * (0.5 if n == 16 else 1.0)).half()
    assert torch.equal(maths.ranks(separated), stable_ranks(separated.float()).half())
    tied = (1 + order // 3).half()
    assert torch.equal(maths.ranks(tied), stable_ranks(tied.float()).half())


def test_attention_in_float16_is_ranked_as_float16_rounds_it() -> None:
    scores = (1 + 196 * attention(100, 196, 0, "random")).half()
    assert torch.equal(maths.ranks(scores), stable_ranks(scores.float()).half())


@both_forms
@pytest.mark.parametrize(("batch", "n"), [(1, 1), (1, 9), (3, 8), (2, 49)])
def test_taking_all_is_a_permutation(batch: int, n: int, form: Form) -> None:
    values = torch.randn(batch, n, CHANNELS, generator=generator(0))
    order = maths.ranks(1 + attention(batch, n, 1, "few"))
    taken = maths.take(values, order, 0, n, form)
    for row in range(batch):
        assert torch.equal(taken[row], values[row, order[row].argsort()])
    back = maths.take(taken, order.argsort(dim=1).argsort(dim=1).to(order.dtype), 0, n, form)
    assert sorted(back.flatten().tolist()) == sorted(values.flatten().tolist())


@both_forms
def test_take_known_answer(form: Form) -> None:
    values = torch.tensor([[[10.0], [11.0], [12.0], [13.0]], [[20.0], [21.0], [22.0], [23.0]]])
    order = torch.tensor([[2.0, 0.0, 3.0, 1.0], [0.0, 1.0, 2.0, 3.0]])
    assert maths.take(values, order, 1, 3, form).flatten(1).tolist() == [[13, 10], [21, 22]]


@both_forms
def test_nearest_takes_the_first_of_equals(form: Form) -> None:
    similarity = torch.tensor([[[1.0, 2.0, 3.0], [1.5, 2.0, 2.0], [1.5, 2.0, 3.0]]])
    assert maths.nearest(similarity, form).tolist() == [[[0, 1, 1], [1, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize("kind", ["random", "few", "quantized", "neighbours"])
@pytest.mark.parametrize("destinations", [1, 2, 25, 98])
def test_nearest_has_one_answer(destinations: int, kind: str) -> None:
    similarity = tied_scores(200, destinations * 3, kind).reshape(200, destinations, 3).clamp(max=3)
    found = [maths.nearest(similarity, form) for form in FORMS]
    assert torch.equal(*found)
    assert torch.equal(found[0].sum(dim=1), torch.ones(200, 3))
    first = (similarity == similarity.amax(dim=1, keepdim=True)).int().argmax(dim=1)
    assert torch.equal(found[0].argmax(dim=1), first)


def test_cosine_known_answer() -> None:
    destinations = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    sources = torch.tensor([[[6.0, 8.0], [-3.0, -4.0], [4.0, -3.0]]])
    torch.testing.assert_close(maths.cosine(destinations, sources), torch.tensor([[[3.0, 1.0, 2.0], [2.0, 2.0, 2.0]]]))


def test_attention_received_known_answer() -> None:
    """Two heads; the products are 0, ln 2 and ln 5, and 0, 0 and 0, before sizes count."""
    query = torch.tensor([[[[2.0]], [[0.0]]]])
    keys = torch.tensor([1.0, 2.0, 5.0]).log().reshape(1, 1, 3, 1).expand(1, 2, 3, 1)
    plain = maths.attention_received(query, keys, 0.5, None)
    torch.testing.assert_close(plain, torch.tensor([[(1 / 8 + 1 / 3) / 2, (2 / 8 + 1 / 3) / 2, (5 / 8 + 1 / 3) / 2]]))
    log_sizes = torch.tensor([3.0, 1.0, 1.0]).log().reshape(1, 1, 1, 3)
    sized = maths.attention_received(query, keys, 0.5, log_sizes)
    torch.testing.assert_close(
        sized, torch.tensor([[(3 / 10 + 3 / 5) / 2, (2 / 10 + 1 / 5) / 2, (5 / 10 + 1 / 5) / 2]])
    )


@both_forms
def test_evit_known_answer(form: Form) -> None:
    tokens = torch.arange(5.0).reshape(1, 5, 1)
    kept = maths.evit(tokens, torch.tensor([[0.2, 0.1, 0.3, 0.2, 0.2]]), 3, form)
    assert kept.flatten().tolist() == [2, 0, 3]


@both_forms
def test_evit_fused_known_answer(form: Form) -> None:
    """Not normalised: 0.1 x 10 + 0.2 x 40."""
    tokens = torch.tensor([10.0, 20.0, 30.0, 40.0]).reshape(1, 4, 1)
    kept = maths.evit_fused(tokens, torch.tensor([[0.1, 0.3, 0.4, 0.2]]), 3, form)
    torch.testing.assert_close(kept.flatten(), torch.tensor([30.0, 20.0, 9.0]))


@both_forms
@pytest.mark.parametrize("n", [8, 97, 196])
def test_the_fused_token_is_the_sum_over_those_that_leave(n: int, form: Form) -> None:
    scores = attention(3, n, n, "random")
    tokens, keep = torch.randn(3, n, CHANNELS, generator=generator(0)), n // 2
    found = maths.evit_fused(tokens, scores, keep, form)
    gone = stable_ranks(scores) >= keep - 1
    direct = (tokens.double() * (scores.double() * gone).unsqueeze(2)).sum(dim=1)
    torch.testing.assert_close(found[:, -1].double(), direct, rtol=0, atol=1e-6)
    assert torch.equal(found[:, :-1], maths.evit(tokens, scores, keep - 1, form))


def reference_tome(patches: Patches, metric: Tensor, keep: int) -> Patches:
    """ToMe written as in the paper: argsort, gather and scatter_reduce."""
    channels, leaving = patches.tokens.shape[2], patches.tokens.shape[1] - keep
    unit = F.normalize(metric, dim=2)
    best, host = (unit[:, 1::2] @ unit[:, 0::2].transpose(1, 2)).max(dim=2)
    order = best.argsort(dim=1, descending=True, stable=True)

    def merge(values: Tensor) -> Tensor:
        sources, destinations = values[:, 1::2], values[:, 0::2]
        width = values.shape[2]
        gone = order[:, :leaving].unsqueeze(2).expand(-1, -1, width)
        stay = order[:, leaving:].sort(dim=1).values.unsqueeze(2).expand(-1, -1, width)
        into = host.unsqueeze(2).expand(-1, -1, width).gather(1, gone)
        destinations = destinations.scatter_reduce(1, into, sources.gather(1, gone), "sum")
        return torch.cat([sources.gather(1, stay), destinations], dim=1)

    sizes = merge(patches.sizes)
    tokens = merge(patches.tokens * patches.sizes)
    assert tokens.shape[2] == channels
    return Patches(tokens / sizes, sizes)


def reference_squeeze(patches: Patches, scores: Tensor, metric: Tensor, keep: int) -> Patches:
    """The same as a loop over those that leave."""
    weights = scores * scores.shape[1] + 1e-3
    tokens, sizes = [], []
    for row in range(len(scores)):
        order = scores[row].argsort(descending=True, stable=True).tolist()
        groups = {kept: [kept] for kept in order[:keep]}
        for gone in order[keep:]:
            near = max(groups, key=lambda kept, row=row, gone=gone: F.cosine_similarity(metric[row, kept], metric[row, gone], dim=0).item())  # type: ignore[misc]  # fmt: skip
            groups[near].append(gone)
        tokens.append(
            torch.stack([
                (patches.tokens[row, group] * weights[row, group, None]).sum(dim=0) / weights[row, group].sum()
                for group in groups.values()
            ])
        )  # fmt: skip
        sizes.append(torch.stack([patches.sizes[row, group].sum(dim=0) for group in groups.values()]))
    return Patches(torch.stack(tokens), torch.stack(sizes))


def in_double(patches: Patches, *others: Tensor) -> tuple[Patches, ...]:
    return (Patches(*(value.double() for value in patches)), *(value.double() for value in others))  # type: ignore[return-value]


@both_forms
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "keep"), [(2, 1), (3, 2), (16, 15), (16, 8), (17, 9), (17, 13), (97, 70)])
def test_tome_is_that_of_the_paper(n: int, keep: int, seed: int, form: Form) -> None:
    before, metric = in_double(*patches(3, n, seed))
    found, expected = maths.tome(before, metric, keep, form), reference_tome(before, metric, keep)
    assert found.tokens.shape == (3, keep, CHANNELS)
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=0, atol=1e-12)
    assert torch.equal(found.sizes, expected.sizes)


@both_forms
@pytest.mark.parametrize(("n", "keep"), [(2, 1), (9, 8), (9, 1), (16, 5), (33, 20)])
def test_squeeze_is_what_its_words_say(n: int, keep: int, form: Form) -> None:
    before, metric, scores = in_double(*patches(2, n, n), attention(2, n, n, "random"))
    found, expected = maths.squeeze(before, scores, metric, keep, form), reference_squeeze(before, scores, metric, keep)
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=0, atol=1e-12)
    assert torch.equal(found.sizes, expected.sizes)


@both_forms
def test_squeeze_known_answer(form: Form) -> None:
    """Weights are 4 x attention and a little; the last one goes to the first, whose metric has its direction."""
    tokens = torch.tensor([1.0, 2.0, 5.0, 9.0]).reshape(1, 4, 1)
    metric = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.2, 1.0], [3.0, 0.1]]).unsqueeze(0)
    found = maths.squeeze(Patches(tokens, torch.ones(1, 4, 1)), torch.tensor([[0.3, 0.4, 0.1, 0.1]]), metric, 2, form)
    torch.testing.assert_close(found.tokens.flatten(), torch.tensor([2.6, 3.0]), rtol=0, atol=0.01)
    assert found.sizes.flatten().tolist() == [2, 2]


@both_forms
def test_tome_keeps_the_order_of_both_halves(form: Form) -> None:
    """Rows 1, 3 and 5 may be merged; 3 is like 4, and is; 1 and 5 come first, then the destinations 0, 2, 4 and 6."""
    tokens = torch.arange(7.0).reshape(1, 7, 1)
    metric = torch.eye(8)[None, :7] + 0.01
    metric[0, 3] = metric[0, 4]
    found = maths.tome(Patches(tokens, torch.tensor([1.0, 1, 1, 1, 3, 1, 1]).reshape(1, 7, 1)), metric, 6, form)
    torch.testing.assert_close(found.tokens.flatten(), torch.tensor([1, 5, 0, 2, (3 + 3 * 4) / 4, 6]))
    assert found.sizes.flatten().tolist() == [1, 1, 1, 1, 4, 1]


@both_forms
def test_a_planted_cluster_merges(form: Form) -> None:
    """The sources 3, 7 and 9 are similar to the destinations 4 and 8; no others are similar."""
    metric = torch.eye(12).unsqueeze(0)
    cluster = [3, 4, 7, 8, 9]
    metric[0, cluster] = torch.ones(12) + 0.01 * torch.randn(5, 12, generator=generator(0))
    found = maths.tome(Patches(torch.eye(12)[None], torch.ones(1, 12, 1)), metric, 9, form)
    merged = found.tokens[0, found.sizes[0, :, 0] > 1]
    assert merged.sum(dim=0).nonzero().flatten().tolist() == [index for index in cluster if merged[:, index].any()]
    assert {3, 7, 9} <= set(merged.sum(dim=0).nonzero().flatten().tolist()) <= set(cluster)


def reduce(method: str, before: Patches, scores: Tensor, metric: Tensor, keep: int, form: Form) -> Patches:
    if method == "tome":
        return maths.tome(before, metric, keep, form)
    if method == "squeeze":
        return maths.squeeze(before, scores, metric, keep, form)
    prune = maths.evit if method == "evit" else maths.evit_fused
    return Patches(prune(before.tokens, scores, keep, form), before.sizes[:, :keep])


def keeps(method: str, n: int) -> range:
    return range({"tome": (n + 1) // 2, "evit_fused": 2}.get(method, 1), n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("duplicates", [False, True])
@pytest.mark.parametrize("n", [5, 12])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("method", ["evit", "evit_fused", "tome", "squeeze"])
def test_both_forms_give_the_same_bits(method: str, batch: int, n: int, duplicates: bool, kind: str) -> None:
    before, metric = patches(batch, n, 7 * n, duplicates)
    scores = attention(batch, n, n, kind)
    for keep in keeps(method, n):
        gathered, computed = (reduce(method, before, scores, metric, keep, form) for form in FORMS)
        assert torch.equal(gathered.tokens, computed.tokens)
        assert torch.equal(gathered.sizes, computed.sizes)
        assert gathered.tokens.shape == (batch, keep, CHANNELS)
        assert torch.isfinite(gathered.tokens).all()


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(["evit", "evit_fused", "tome", "squeeze"]), st.integers(3, 40), st.data())
def test_invariants(method: str, n: int, data: st.DataObject) -> None:
    keep = data.draw(st.sampled_from(keeps(method, n)))
    kind, seed, batch = data.draw(st.sampled_from(KINDS)), data.draw(st.integers(0, 999)), data.draw(st.integers(1, 3))
    before, metric = patches(batch, n, seed, data.draw(st.booleans()))
    scores = attention(batch, n, seed, kind)
    gathered, computed = (reduce(method, before, scores, metric, keep, form) for form in FORMS)
    assert torch.equal(gathered.tokens, computed.tokens) and torch.equal(gathered.sizes, computed.sizes)
    if method in ("tome", "squeeze"):
        assert torch.equal(gathered.sizes.sum(dim=1), before.sizes.sum(dim=1))
        low, high = (edge(before.tokens, dim=1, keepdim=True) for edge in (torch.amin, torch.amax))
        assert ((gathered.tokens >= low - 1e-5) & (gathered.tokens <= high + 1e-5)).all()  # they are means
    if method == "tome":
        whole = (before.tokens * before.sizes).sum(dim=1)
        torch.testing.assert_close((gathered.tokens * gathered.sizes).sum(dim=1), whole, rtol=1e-4, atol=1e-4)


@both_forms
@pytest.mark.parametrize("method", ["evit", "evit_fused", "squeeze"])
def test_the_order_of_patches_does_not_matter(method: str, form: Form) -> None:
    before, metric = patches(2, 20, 3)
    scores, order = attention(2, 20, 3, "random"), torch.randperm(20, generator=generator(1))
    expected = reduce(method, before, scores, metric, 9, form)
    moved = Patches(before.tokens[:, order], before.sizes[:, order])
    found = reduce(method, moved, scores[:, order], metric[:, order], 9, form)
    torch.testing.assert_close(found.tokens, expected.tokens, rtol=0, atol=1e-5)
    assert method == "squeeze" or torch.equal(found.tokens[:, :8], expected.tokens[:, :8])


@both_forms
def test_the_order_of_patches_decides_which_can_meet(form: Form) -> None:
    """Two that look alike merge at places of opposite parity only."""
    metric = torch.eye(6)[None].clone()
    metric[0, 3] = metric[0, 0]
    before = Patches(torch.eye(6)[None], torch.ones(1, 6, 1))
    assert [0.5, 0, 0, 0.5, 0, 0] in maths.tome(before, metric, 5, form).tokens[0].tolist()
    metric = torch.eye(6)[None].clone()
    metric[0, 4] = metric[0, 0]
    assert [0.5, 0, 0, 0, 0.5, 0] not in maths.tome(before, metric, 5, form).tokens[0].tolist()


@both_forms
@pytest.mark.parametrize("keep", [8, 9, 12, 15])
def test_tome_treats_each_half_as_a_set(keep: int, form: Form) -> None:
    before, metric = patches(1, 16, 5)
    even, odd = (torch.randperm(8, generator=generator(seed)) for seed in (1, 2))
    order = torch.stack([2 * even, 2 * odd + 1], dim=1).flatten()
    expected = maths.tome(before, metric, keep, form)
    found = maths.tome(Patches(before.tokens[:, order], before.sizes[:, order]), metric[:, order], keep, form)
    rows = [sorted(made.tokens[0].tolist()) for made in (found, expected)]
    torch.testing.assert_close(torch.tensor(rows[0]), torch.tensor(rows[1]), rtol=0, atol=1e-5)


def test_cut_margin_known_answer() -> None:
    scores = torch.tensor([[0.4, 0.1, 0.2, 0.3], [0.25, 0.25, 0.25, 0.25]])
    torch.testing.assert_close(maths.cut_margin(scores, 2), torch.tensor([(0.3 - 0.2) / 0.3, 0.0]))


def test_nearest_margins_known_answer() -> None:
    similarity = torch.tensor([[[2.5, 1.0], [2.0, 1.0], [1.0, 1.0]]])
    torch.testing.assert_close(maths.nearest_margins(similarity), torch.tensor([[0.5, 0.0]]))
    assert maths.nearest_margins(similarity[:, :1]).tolist() == [[1, 1]]


def direction(*degrees: float) -> Tensor:
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1).unsqueeze(0)


def test_tome_margin_known_answer() -> None:
    """Destinations at 0° and 90°, sources at 10° and 120°, which are 10° and 30° from their nearest ones."""
    metric = direction(0, 10, 90, 120)
    cosines = direction(10, 80, 30, 120)[0, :, 0].tolist()
    leaves_first = (cosines[0] - cosines[2]) / (cosines[0] + 2)
    assert maths.tome_margin(metric, 3).item() == pytest.approx(min(cosines[0] - cosines[1], leaves_first), abs=1e-6)
    both = min(cosines[0] - cosines[1], cosines[2] - cosines[3])  # all that can leave do: where to is all there is
    assert maths.tome_margin(metric, 2).item() == pytest.approx(both, abs=1e-6)
    assert maths.tome_margin(direction(0, 45, 90, 92), 3).item() > 0.01
    assert maths.tome_margin(direction(0, 45, 90, 135), 3).item() == pytest.approx(
        0, abs=1e-6
    )  # both sources are as near


def test_squeeze_margin_known_answer() -> None:
    metric, scores = direction(0, 90, 30), torch.tensor([[0.5, 0.4, 0.1]])
    where = direction(30, 60)[0, :, 0].tolist()
    assert maths.squeeze_margin(scores, metric, 2).item() == pytest.approx(where[0] - where[1], abs=1e-6)
    close = torch.tensor([[0.5, 0.101, 0.1]])
    assert maths.squeeze_margin(close, metric, 2).item() == pytest.approx(0.001 / 0.101, abs=1e-5)
    assert maths.squeeze_margin(scores, direction(0, 90, 45), 2).item() == pytest.approx(0, abs=1e-6)
