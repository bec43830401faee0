"""The losses against theory: values worked out by hand, limits, and what they must not change with."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from edgevit.distillation.losses import (  # noqa: E402
    DEFAULT_TEMPERATURE,
    LOSSES,
    Loss,
    correlation,
    distillation_loss,
    feature_loss,
    label_loss,
    soft_label_loss,
    teacher_loss,
)


def _logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    mine = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(mine), mine)
    return found


STUDENT, TEACHER = _logits(6, 5, seed=1), _logits(6, 5, seed=2) * 2
LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_soft_loss_is_zero_and_flat_where_student_equals_teacher(temperature: float) -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    mine = logits.clone().requires_grad_()
    loss = soft_label_loss(mine, logits + 3.0, temperature)  # softmax does not see a constant
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert mine.grad is not None
    assert mine.grad.abs().max() < 1e-5


def test_soft_loss_equals_a_value_worked_out_by_hand() -> None:
    # T = 2: teacher softmax([ln 9, 0] / 2) = [3/4, 1/4], student uniform; KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    loss = soft_label_loss(torch.zeros(1, 2), torch.tensor([[math.log(9), 0.0]]), 2.0)
    assert loss.item() == pytest.approx(4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)), rel=1e-5)


def test_gradient_is_t_times_the_difference_and_stays_its_size_at_high_temperature() -> None:
    generator = torch.Generator().manual_seed(1)
    start, teacher = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)

    def gradient(temperature: float) -> Tensor:
        mine = start.clone().requires_grad_()
        soft_label_loss(mine, teacher, temperature).backward()  # type: ignore[no-untyped-call]
        assert mine.grad is not None
        expected = temperature * ((start / temperature).softmax(1) - (teacher / temperature).softmax(1)) / 6
        assert torch.allclose(mine.grad, expected)
        found: Tensor = mine.grad
        return found

    # Hinton et al. 2015, eq. 4: at high T the gradient tends to the centred logits' difference / classes.
    centred = (start - start.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    assert torch.allclose(gradient(1000.0), centred / 5 / 6, atol=1e-3)
    assert 0.5 < gradient(1.0).norm() / gradient(1000.0).norm() < 2


def test_gradients_of_all_losses_equal_finite_differences() -> None:
    for kind in LOSSES:
        for labels in (LABELS, None):

            def loss(mine: Tensor, kind: Loss = kind, labels: Tensor | None = labels) -> Tensor:
                return distillation_loss(kind, mine, TEACHER, labels, 2.5)

            assert torch.autograd.gradcheck(loss, STUDENT.clone().requires_grad_())


@pytest.mark.parametrize("kind", ["kl", "nkd"])
def test_gradients_keep_their_size_at_every_temperature(kind: Loss) -> None:
    def size(temperature: float) -> float:
        return float(_gradient(lambda mine: teacher_loss(kind, mine, TEACHER, LABELS, temperature), STUDENT).norm())

    sizes = [size(temperature) for temperature in (1.0, 3.0, 10.0, 100.0)]
    assert max(sizes) < 2.5 * min(sizes)
    without_factor = _gradient(lambda mine: soft_label_loss(mine, TEACHER, 100.0) / 100**2, STUDENT).norm()
    assert without_factor < 0.01 * sizes[0]


def test_the_gradient_of_relations_needs_no_factor() -> None:
    def size(temperature: float) -> float:
        return float(_gradient(lambda mine: teacher_loss("dist", mine, TEACHER, None, temperature), STUDENT).norm())

    assert size(30.0) == pytest.approx(size(300.0), rel=0.05)


def test_hard_and_soft_agree_for_a_teacher_that_is_certain() -> None:
    certain = torch.nn.functional.one_hot(LABELS, 5).double() * 1e4
    soft = teacher_loss("kl", STUDENT, certain, None, 1.0)
    assert soft.item() == pytest.approx(teacher_loss("hard", STUDENT, certain, None, 1.0).item())
    assert soft.item() == pytest.approx(label_loss(STUDENT, LABELS).item())


def test_soft_becomes_hard_as_the_temperature_falls() -> None:
    for temperature in (0.1, 0.01, 0.001):
        soft = teacher_loss("kl", STUDENT, TEACHER, None, temperature) / temperature**2
        hard = teacher_loss("hard", STUDENT / temperature, TEACHER, None, 1.0)
        assert soft.item() == pytest.approx(hard.item(), rel=10 * temperature)


def test_the_normalized_loss_equals_a_value_worked_out_by_hand() -> None:
    # Teacher [1/2, 3/8, 1/8], target 0: the other classes become [3/4, 1/4]. Student [1/4, 1/4, 1/2]: [1/3, 2/3].
    teacher, student = torch.tensor([[4.0, 3.0, 1.0]]).log(), torch.tensor([[1.0, 1.0, 2.0]]).log()
    others = 0.75 * math.log(1 / 3) + 0.25 * math.log(2 / 3)
    by_hand = -0.5 * math.log(0.25) - 1.5 * others
    labels = torch.tensor([0])
    assert teacher_loss("nkd", student, teacher, labels, 1.0).item() == pytest.approx(by_hand, rel=1e-6)
    assert teacher_loss("nkd", student, teacher, None, 1.0).item() == pytest.approx(by_hand, rel=1e-6)
    mixed = torch.tensor([[0.6, 0.4, 0.0]])  # the class with the larger share is the target
    assert teacher_loss("nkd", student, teacher, mixed, 1.0).item() == pytest.approx(by_hand, rel=1e-6)
    # At T = 2 the others are softened: teacher [3, 1]^(1/2) = [√3, 1] / (√3 + 1), student [1, √2] / (1 + √2); T² = 4.
    share = math.sqrt(3) / (math.sqrt(3) + 1)
    softened = share * math.log(1 / (1 + math.sqrt(2))) + (1 - share) * math.log(math.sqrt(2) / (1 + math.sqrt(2)))
    expected = -0.5 * math.log(0.25) - 1.5 * 4 * softened
    assert teacher_loss("nkd", student, teacher, labels, 2.0).item() == pytest.approx(expected, rel=1e-6)


def test_the_relation_loss_does_not_change_with_the_scale_and_shift_of_predictions() -> None:
    predictions, others = STUDENT.softmax(dim=1), TEACHER.softmax(dim=1)
    moved = predictions * torch.tensor([[0.5], [1], [2], [3], [4], [5]]) + torch.arange(6)[:, None]
    assert torch.allclose(correlation(moved, others), correlation(predictions, others))
    shift = _logits(6, 1, seed=3) * 10  # which softmax does not see
    loss, shifted = (teacher_loss("dist", mine, TEACHER + shift, None, 1.0) for mine in (STUDENT, STUDENT - 2 * shift))
    assert shifted.item() == pytest.approx(loss.item())
    assert shifted.item() == pytest.approx(teacher_loss("dist", STUDENT, TEACHER, None, 1.0).item())


def test_the_relation_loss_equals_a_value_worked_out_by_hand() -> None:
    # Two classes, two images: probabilities of two classes lie on a line, so that every correlation is 1 or -1.
    student = torch.tensor([[0.8, 0.2], [0.4, 0.6]]).log()
    same_order, first_turned = (
        torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log(),
        torch.tensor([[0.4, 0.6], [0.3, 0.7]]).log(),
    )
    assert teacher_loss("dist", student, same_order, None, 1.0).item() == pytest.approx(0, abs=1e-5)
    # Over classes: -1 and 1, mean 0; over images: both 1. 2 (1 - 0) + 2 (1 - 1).
    assert teacher_loss("dist", student, first_turned, None, 1.0).item() == pytest.approx(2, abs=1e-5)


def test_a_row_of_equal_values_has_no_correlation_and_a_finite_gradient() -> None:
    assert correlation(torch.ones(1, 4), torch.rand(1, 4)).item() == 0
    gradient = _gradient(
        lambda mine: teacher_loss("dist", mine, TEACHER[:1], None, 1.0), torch.zeros(1, 5, dtype=torch.float64)
    )
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", LOSSES)
def test_logarithms_of_probabilities_do_for_logits(kind: Loss) -> None:
    temperature = DEFAULT_TEMPERATURE[kind]
    of_logits = teacher_loss(kind, STUDENT, TEACHER, LABELS, temperature)
    assert teacher_loss(kind, STUDENT, TEACHER.log_softmax(dim=1), LABELS, temperature).item() == pytest.approx(
        of_logits.item()
    )


@pytest.mark.parametrize("kind", LOSSES)
def test_labels_have_what_the_teacher_does_not(kind: Loss) -> None:
    of_teacher, of_labels = teacher_loss(kind, STUDENT, TEACHER, LABELS, 2.0), label_loss(STUDENT, LABELS)
    found = distillation_loss(kind, STUDENT, TEACHER, LABELS, 2.0, teacher_share=0.7)
    assert found.item() == pytest.approx((0.7 * of_teacher + 0.3 * of_labels).item())
    alone = distillation_loss(kind, STUDENT, TEACHER, None, 2.0, teacher_share=0.7)
    assert alone.item() == pytest.approx(teacher_loss(kind, STUDENT, TEACHER, None, 2.0).item())


def test_labels_of_mixed_images_are_probabilities() -> None:
    one_hot = torch.nn.functional.one_hot(LABELS, 5).double()
    assert label_loss(STUDENT, one_hot).item() == pytest.approx(label_loss(STUDENT, LABELS).item())
    mixed = 0.7 * one_hot + 0.3 * one_hot.flip(0)
    expected = 0.7 * label_loss(STUDENT, LABELS) + 0.3 * label_loss(STUDENT, LABELS.flip(0))
    assert label_loss(STUDENT, mixed).item() == pytest.approx(expected.item())


def test_of_two_heads_one_learns_from_the_labels_and_the_other_from_the_teacher() -> None:
    heads = _logits(6, 5, seed=4), _logits(6, 5, seed=5)
    found = distillation_loss("hard", heads, TEACHER, LABELS, 1.0)
    expected = 0.5 * label_loss(heads[0], LABELS) + 0.5 * label_loss(heads[1], TEACHER.argmax(dim=1))
    assert found.item() == pytest.approx(expected.item())
    no_labels = distillation_loss("hard", heads, TEACHER, None, 1.0)
    assert no_labels.item() == pytest.approx(label_loss(heads, TEACHER.argmax(dim=1)).item())


def test_features_of_one_shape_are_compared_and_others_left_out() -> None:
    tokens, fewer, width = torch.zeros(2, 4, 3), torch.zeros(2, 3, 3), torch.ones(2, 3)
    found = feature_loss((tokens, fewer, width), (tokens + 2, tokens, 4 * width))
    assert found.item() == pytest.approx(4 + 9)
    assert feature_loss((fewer,), (tokens,)).item() == 0
    assert feature_loss((), ()).item() == 0
