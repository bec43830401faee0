"""Fake quantization: the grids of the runtimes, and gradients that pass rounding."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from edgevit.quantization.fake_quantize import (  # noqa: E402
    fake_quantize_between,
    fake_quantize_image,
    fake_quantize_rows,
    fake_quantize_weight,
)


def test_a_weight_has_one_symmetric_grid_for_each_channel() -> None:
    weight = torch.tensor([[127.0, -3.4, 0.6], [0.0127, 0.00011, -0.0127], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[127.0, -3.0, 1.0], [0.0127, 0.0001, -0.0127], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(fake_quantize_weight(weight, 127), expected, rtol=1e-5, atol=1e-8)
    assert len(fake_quantize_weight(torch.linspace(-1, 1, 1001)[None], 63).unique().round(decimals=5)) <= 127


def test_rows_and_images_have_the_range_of_their_values_widened_to_zero() -> None:
    values = torch.tensor([[[0.0, 2.55, 0.104], [10.0, 25.5, 20.04]]])
    rows = torch.tensor([[[0.0, 2.55, 0.10], [10.0, 25.5, 20.0]]])
    torch.testing.assert_close(fake_quantize_rows(values), rows)
    image = torch.tensor([[[0.0, 2.6, 0.1], [10.0, 25.5, 20.0]]])
    torch.testing.assert_close(fake_quantize_image(values), image)


def test_zero_stays_zero_on_every_grid() -> None:
    values = torch.cat([torch.zeros(1), torch.randn(100, generator=torch.Generator().manual_seed(0)) + 0.3])
    for function in (fake_quantize_image, fake_quantize_rows):
        assert function(values)[0] == 0
    assert fake_quantize_between(values, torch.tensor(-0.7), torch.tensor(1.9))[0].abs() < 1e-9


def test_static_values_are_clipped_and_get_no_gradient_there() -> None:
    values = torch.tensor([-9.0, 0.5, 9.0], requires_grad=True)
    found = fake_quantize_between(values, torch.tensor(-1.0), torch.tensor(1.55))
    torch.testing.assert_close(found, torch.tensor([-1.0, 0.5, 1.55]))
    found.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "rounded",
    [fake_quantize_rows, fake_quantize_image, lambda values: fake_quantize_weight(values, 127)],
    ids=["rows", "image", "weight"],
)
def test_gradients_are_those_of_the_float_part(rounded: Callable[[Tensor], Tensor]) -> None:
    """Against finite differences of the same function without rounding, at the rounded values."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(4, 6, generator=generator, dtype=torch.float64).requires_grad_(True)
    weight = torch.randn(4, 6, generator=generator, dtype=torch.float64)

    def after(inner: Tensor) -> Tensor:
        return (inner.sin() * weight).sum()

    after(rounded(values)).backward()
    at, step = rounded(values).detach(), 1e-6
    assert values.grad is not None
    for place in range(at.numel()):
        change = torch.zeros(at.numel(), dtype=torch.float64)
        change[place] = step
        change = change.view_as(at)
        slope = (after(at + change) - after(at - change)) / (2 * step)
        assert float(values.grad.flatten()[place]) == pytest.approx(float(slope), rel=1e-5, abs=1e-8)


def test_mapped_over_a_batch_each_image_has_its_own_range() -> None:
    images = torch.stack([torch.linspace(0, 1, 7), torch.linspace(0, 100, 7)])
    mapped = torch.vmap(fake_quantize_image)(images)
    assert torch.equal(mapped, torch.stack([fake_quantize_image(image) for image in images]))
