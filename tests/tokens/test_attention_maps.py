"""Attention maps against closed forms."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from edgevit.tokens import attention_maps as maps  # noqa: E402


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_attention(*shape: int, seed: int = 0) -> Tensor:
    return noise(*shape, seed=seed).softmax(dim=-1)


def test_attention_is_that_of_torch() -> None:
    query, keys, values = (noise(2, 3, 5, 4, seed=seed) for seed in range(3))
    weights = maps.attention_weights(query, keys, 0.5)
    expected = torch.nn.functional.scaled_dot_product_attention(query, keys, values, scale=0.5)
    torch.testing.assert_close(weights @ values, expected)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))


def test_rollout_of_attention_to_itself_is_the_identity() -> None:
    itself = torch.eye(6).expand(2, -1, -1)
    assert torch.equal(maps.rollout([itself] * 4), itself)


@pytest.mark.parametrize("blocks", [1, 3, 12])
def test_rollout_of_uniform_attention_is_uniform_but_for_what_never_entered_attention(blocks: int) -> None:
    """Each block halves what a token still has of its own; all else is spread evenly."""
    tokens, own = 6, 0.5**blocks
    uniform = torch.full((1, tokens, tokens), 1 / tokens)
    expected = own * torch.eye(tokens)[None] + (1 - own) * uniform
    torch.testing.assert_close(maps.rollout([uniform] * blocks), expected)


def test_rollout_starts_with_the_first_block() -> None:
    """Token 1 is copied into token 0 by the second block; the first had put token 2 into token 1."""
    first, second = torch.eye(3)[[0, 2, 2]], torch.eye(3)[[1, 1, 2]]
    assert maps.rollout([first[None], second[None]])[0, 0].tolist() == [0.5, 0.25, 0.25]
    assert maps.rollout([second[None], first[None]])[0, 0].tolist() == [0.5, 0.5, 0.0]


def test_rows_of_a_rollout_sum_to_one() -> None:
    flow = maps.rollout([random_attention(2, 9, 9, seed=seed) for seed in range(12)])
    torch.testing.assert_close(flow.sum(dim=-1), torch.ones(2, 9))
    assert (flow >= 0).all()


def test_rows_that_do_not_sum_to_one_are_normalised() -> None:
    attention = random_attention(1, 5, 5) * 1.5
    torch.testing.assert_close(maps.rollout([attention, attention]).sum(dim=-1), torch.ones(1, 5))


def test_the_head_reads_the_class_token_or_the_mean() -> None:
    flow = random_attention(2, 7, 7)
    assert torch.equal(maps.read_patches(flow, 2, class_token=True), flow[:, 0, 2:])
    torch.testing.assert_close(maps.read_patches(flow, 2, class_token=False), flow[:, 2:, 2:].mean(dim=1))
    torch.testing.assert_close(maps.read_patches(flow, 0, class_token=False).sum(dim=1), torch.ones(2))


def test_distances_are_between_centres() -> None:
    distances = maps.centre_distances((2, 3), (16, 8))
    for one in range(6):
        for other in range(6):
            rows, columns = one // 3 - other // 3, one % 3 - other % 3
            assert distances[one, other].item() == pytest.approx(math.hypot(16 * rows, 8 * columns))


@pytest.mark.parametrize("n", [1, 2, 5, 14])
def test_mean_distance_of_uniform_attention_is_the_mean_of_all_distances(n: int) -> None:
    uniform = torch.full((1, 2, n * n, n * n), 1 / n**2)
    cells = [(row, column) for row in range(n) for column in range(n)]
    expected = 16 * sum(math.dist(one, other) for one in cells for other in cells) / n**4
    found = maps.mean_distance(uniform, maps.centre_distances((n, n), (16, 16)))
    assert found.tolist() == [[pytest.approx(expected, rel=1e-4)] * 2]


def test_attention_to_itself_looks_nowhere_and_to_the_neighbour_one_patch_far() -> None:
    distances = maps.centre_distances((1, 6), (4, 4))
    heads = torch.stack([torch.eye(6), torch.eye(6)[[1, 0, 3, 2, 5, 4]]])[None]
    assert maps.mean_distance(heads, distances).tolist() == [[0.0, 4.0]]


def test_attention_elsewhere_does_not_count() -> None:
    """What goes to the class token lowers no distance; a query that gives patches nothing counts as 0."""
    distances, attention = maps.centre_distances((3, 3), (4, 4)), random_attention(2, 3, 9, 9)
    torch.testing.assert_close(maps.mean_distance(attention * 0.1, distances), maps.mean_distance(attention, distances))
    assert maps.mean_distance(torch.zeros(1, 1, 9, 9), distances).tolist() == [[0.0]]


def test_permuting_heads_permutes_distances() -> None:
    distances, attention = maps.centre_distances((3, 4), (16, 16)), random_attention(2, 4, 12, 12)
    order = [2, 0, 3, 1]
    expected = maps.mean_distance(attention, distances)[:, order]
    assert torch.equal(maps.mean_distance(attention[:, order], distances), expected)


def test_kept_patches_are_whole_tokens() -> None:
    sources = torch.tensor([[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.2, 0.1]]])
    assert maps.kept_patches(sources).tolist() == [[True, True, False, False]]


def test_merged_groups_are_tokens() -> None:
    sources = torch.tensor([[[0.5, 0, 0, 0.5, 0], [0, 0.1, 0.9, 0, 0]], [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]])
    assert maps.merged_groups(sources).tolist() == [[0, 1, 1, 0, -1], [0, 1, -1, -1, -1]]
