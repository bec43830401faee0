"""Token maths."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from edgevit.passes.tokens import class_attention, cut_margin, keep_top  # noqa: E402


def test_class_attention_known_answer() -> None:
    """Two heads, class token and one more before three patches; only row 0 and the patch columns count."""
    attention = torch.zeros(1, 2, 5, 5)
    attention[0, 0, 0] = torch.tensor([0.9, 0.0, 0.1, 0.2, 0.3])
    attention[0, 1, 0] = torch.tensor([0.0, 0.9, 0.3, 0.2, 0.5])
    attention[:, :, 1:] = 7.0
    torch.testing.assert_close(class_attention(attention, 2), torch.tensor([[0.2, 0.2, 0.4]]))


def test_keep_top_known_answer() -> None:
    tokens = torch.arange(5.0).reshape(1, 5, 1)
    kept = keep_top(tokens, torch.tensor([[0.1, 0.4, 0.2, 0.3]]), 2, 1)
    assert kept.flatten().tolist() == [0.0, 2.0, 4.0]


@pytest.mark.parametrize("keep", [0, 4, -1])
def test_keep_top_out_of_range(keep: int) -> None:
    with pytest.raises(ValueError, match=f"cannot keep {keep} of 3 patch tokens"):
        keep_top(torch.zeros(1, 4, 2), torch.zeros(1, 3), keep, 1)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 3), st.data())
def test_the_best_stay_and_prefix_tokens_never_leave(
    batch: int, patches: int, prefix: int, data: st.DataObject
) -> None:
    keep = data.draw(st.integers(1, patches))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 999)))
    tokens = torch.randn(batch, prefix + patches, 4, generator=generator)
    scores = torch.stack([torch.randperm(patches, generator=generator) for _ in range(batch)]).float()
    kept = keep_top(tokens, scores, keep, prefix)
    assert kept.shape == (batch, prefix + keep, 4)
    assert torch.equal(kept[:, :prefix], tokens[:, :prefix])
    for row in range(batch):
        best = sorted(range(patches), key=lambda index, row=row: -float(scores[row, index]))[:keep]  # type: ignore[misc]
        assert torch.equal(kept[row, prefix:], tokens[row, prefix:][best])


def test_cut_margin_known_answer() -> None:
    scores = torch.tensor([[0.4, 0.1, 0.2, 0.3], [0.25, 0.25, 0.25, 0.25]])
    torch.testing.assert_close(cut_margin(scores, 2), torch.tensor([(0.3 - 0.2) / 0.3, 0.0]))
    torch.testing.assert_close(cut_margin(scores, 4), torch.tensor([1.0, 1.0]))
