"""Losses of training: what a student's predictions are compared with, a teacher's, the labels, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Literal["kl", "hard", "nkd", "dist"]
"""How a student is compared with its teacher: KL divergence of softened predictions, the teacher's first class as a label,
normalized knowledge distillation, or the correlation of predictions."""
LOSSES: tuple[Loss, ...] = get_args(Loss)

StudentLogits: TypeAlias = Tensor | tuple[Tensor, Tensor]
"""Logits float32 [b, classes]; or a pair of these, of a class head and a distillation head."""

DEFAULT_TEMPERATURE: Mapping[Loss, float] = {"kl": 3.0, "hard": 1.0, "nkd": 1.0, "dist": 1.0}
"""T of each loss where none is given; ``hard`` has none."""
DEFAULT_TEACHER_SHARE = 0.5
"""Of the loss, where labels have the rest, as in DeiT (Touvron et al. 2021)."""
_NKD_GAMMA = 1.5  # weight of the other classes, where the target has 1: Yang et al. 2023 for ImageNet
_DIST_WEIGHT = 2.0  # of both relations (β = γ), where cross entropy has 1


def distillation_loss(
    kind: Loss,
    student: StudentLogits,
    teacher: Tensor,
    labels: Tensor | None,
    temperature: float,
    teacher_share: float = DEFAULT_TEACHER_SHARE,
) -> Tensor:
    """Returns α teacher_loss + (1 - α) cross entropy with the labels; the teacher's loss alone where there are none.

    Of a student with two heads, the distillation head is compared with the teacher and the class head with the labels, or
    with the teacher too where there are none (Touvron et al., "Training data-efficient image transformers & distillation
    through attention", 2021, section 4).

    Args:
        kind: See :data:`Loss`.
        student: See :data:`StudentLogits`.
        teacher: float32 [b, classes], logits or logarithms of probabilities.
        labels: int64 [b], 0 .. classes - 1; float32 [b, classes], probabilities of mixed images; or None.
        temperature: T > 0, see :func:`teacher_loss`.
        teacher_share: α, 0..1; has no meaning without labels.

    Returns:
        float32 scalar.
    """
    class_head, distillation_head = student if isinstance(student, tuple) else (student, student)
    of_teacher = teacher_loss(kind, distillation_head, teacher, labels, temperature)
    if labels is not None:
        return teacher_share * of_teacher + (1 - teacher_share) * label_loss(class_head, labels)
    if class_head is distillation_head:
        return of_teacher
    return (of_teacher + teacher_loss(kind, class_head, teacher, None, temperature)) / 2


def teacher_loss(kind: Loss, student: Tensor, teacher: Tensor, labels: Tensor | None, temperature: float) -> Tensor:
    """Returns how far a student's predictions are from its teacher's, mean over images.

    Args:
        kind: See :data:`Loss`.
        student: Logits float32 [b, classes].
        teacher: float32 [b, classes], logits or logarithms of probabilities.
        labels: As for :func:`distillation_loss`; read by ``nkd`` alone, which takes the teacher's first class where there
            are none.
        temperature: T > 0, by which logits are divided before softmax; ``hard`` has none, and in ``nkd`` it softens the
            classes that are not the target.

    Returns:
        float32 scalar.
    """
    match kind:
        case "kl":
            return soft_label_loss(student, teacher, temperature)
        case "hard":
            return F.cross_entropy(student, teacher.argmax(dim=1))
        case "nkd":
            target = teacher if labels is None else labels
            return _normalized_loss(student, teacher, target.argmax(dim=1) if target.ndim == 2 else target, temperature)
        case "dist":
            return _relation_loss(student, teacher, temperature)


def label_loss(student: StudentLogits, labels: Tensor) -> Tensor:
    """Returns the cross entropy of predictions with labels, mean over images and, where there are two, over both heads.

    Args:
        student: See :data:`StudentLogits`.
        labels: int64 [b], 0 .. classes - 1; or float32 [b, classes], probabilities of mixed images.

    Returns:
        float32 scalar ≥ 0, in nats.
    """
    if isinstance(student, tuple):
        return (F.cross_entropy(student[0], labels) + F.cross_entropy(student[1], labels)) / 2
    return F.cross_entropy(student, labels)


def soft_label_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Returns T² KL(teacher || student) of the predictions softened by T, mean over images.

    The factor keeps the magnitude of the gradient about the same for every temperature (Hinton, Vinyals and Dean,
    "Distilling the Knowledge in a Neural Network", 2015, section 2).

    Args:
        student: Logits float32 [b, classes].
        teacher: float32 [b, classes], logits or logarithms of probabilities.
        temperature: T > 0.

    Returns:
        float32 scalar ≥ 0, in nats; 0 for equal predictions.
    """
    divergence = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


def feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Returns the mean squared error of features or tokens (Romero et al., "FitNets", 2015), added up over the pairs.

    Args:
        student: Of one or more layers, float32 [b, ...].
        teacher: Of the same layers; pairs of another shape are left out, such as those of fewer tokens.

    Returns:
        float32 scalar ≥ 0; 0 where no pair has one shape.
    """
    errors = [
        F.mse_loss(mine, theirs) for mine, theirs in zip(student, teacher, strict=False) if mine.shape == theirs.shape
    ]
    return torch.stack(errors).sum() if errors else torch.zeros(())


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Returns Pearson's correlation of rows.

    Args:
        one: float32 [rows, n].
        other: float32 [rows, n].

    Returns:
        float32 [rows], -1..1; 0 for a row of equal values.
    """
    return F.cosine_similarity(one - one.mean(dim=1, keepdim=True), other - other.mean(dim=1, keepdim=True), dim=1)


def _normalized_loss(student: Tensor, teacher: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Normalized knowledge distillation without its cross entropy with the label.

    -t_k log s_k - γ T² Σ_{i≠k} N(t)_i log N(s)_i, with the target class k and N the probabilities of the other classes at
    temperature T, which add up to 1: Yang et al., "From Knowledge Distillation to Self-Knowledge Distillation: A Unified
    Approach with Normalized Loss and Customized Soft Labels", 2023.
    """
    chosen = target[:, None]
    of_target = -teacher.softmax(dim=1).gather(1, chosen) * student.log_softmax(dim=1).gather(1, chosen)
    others = torch.ones_like(student, dtype=torch.bool).scatter(1, chosen, False)
    rows = (len(student), student.shape[1] - 1)
    mine = (student[others].view(rows) / temperature).log_softmax(dim=1)
    theirs = (teacher[others].view(rows) / temperature).softmax(dim=1)
    return of_target.mean() - _NKD_GAMMA * temperature**2 * (theirs * mine).sum(dim=1).mean()


def _relation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """1 - the correlation of probabilities over the classes of each image, and over the images of each class.

    Huang et al., "Knowledge Distillation from A Stronger Teacher", 2022. A correlation does not change with the scale of what
    is correlated, so that its gradient needs no factor T².
    """
    mine, theirs = (student / temperature).softmax(dim=1), (teacher / temperature).softmax(dim=1)
    between_classes = 1 - correlation(mine, theirs).mean()
    between_images = 1 - correlation(mine.T, theirs.T).mean()
    return _DIST_WEIGHT * (between_classes + between_images)
