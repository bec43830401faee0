"""What single sites do to a model's answers."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.pipeline.token_search import divergence  # noqa: E402
from edgevit.pipeline.token_search.divergence import site_divergences  # noqa: E402
from edgevit.pipeline.token_search.parts import parts_of  # noqa: E402
from edgevit.spec.token_plan import parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402

SIZE = (32, 32)


def test_every_method_and_share_is_looked_at(vit: Any, pixels: Any) -> None:
    found = [(point.method, round(point.share * 64)) for point in site_divergences(parts_of(vit, SIZE), [pixels], (3,))]
    assert {keep for method, keep in found if method == "squeeze"} == {55, 39, 23}
    assert {keep for method, keep in found if method == "tome"} == {52, 32}


def test_divergence_is_that_of_the_reduced_model(vit: Any, pixels: Any) -> None:
    images = pixels
    (point,) = site_divergences(parts_of(vit, SIZE), images.split(7), (4,), {"tome": (0.5,)})
    with torch.inference_mode():
        dense = vit(images).double().log_softmax(1)
        reduced = reduce_tokens(vit, parse_plan("tome:4=32"))(images).double().log_softmax(1)
    assert point.share == 0.5
    assert point.nats == pytest.approx(float((dense.exp() * (dense - reduced)).sum(1).mean()), rel=1e-4)


def test_an_image_counts_no_more_than_a_limit(vit: Any, pixels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = site_divergences(parts_of(vit, SIZE), [pixels], (2,), {"squeeze": (0.2,)})
    monkeypatch.setattr(divergence, "MOST_NATS", whole.nats)
    (limited,) = site_divergences(parts_of(vit, SIZE), [pixels], (2,), {"squeeze": (0.2,)})
    assert 0 < limited.nats < whole.nats


def test_keeping_all_does_nothing(vit: Any, pixels: Any) -> None:
    assert site_divergences(parts_of(vit, SIZE), [pixels], (2,), {"squeeze": (1.0, 0.999)}) == ()


def test_progress_counts_batches(vit: Any, pixels: Any) -> None:
    seen: list[int] = []
    site_divergences(parts_of(vit, SIZE), pixels.split(10), (3,), {"squeeze": (0.5,)}, seen.append)
    assert seen == [1, 2, 3]
