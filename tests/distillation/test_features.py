"""Features that are compared: of the last block and the last layer, where both models have them in one shape."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.distillation.features import Features, check_features  # noqa: E402
from edgevit.distillation.student import Student  # noqa: E402
from edgevit.distillation.teacher import Teacher  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from tests.distillation.small import CONTRACT, small_model  # noqa: E402
from tests.models import small_vit  # noqa: E402

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_tokens_and_what_the_classifier_reads_are_kept_of_the_last_call() -> None:
    vit = small_vit(depth=2).eval()
    features, again = Features(vit), Features(vit)
    vit(IMAGES)
    shapes = features.shapes()
    assert shapes.keys() == {"block", "layer"}
    assert (len(shapes["block"]), len(shapes["layer"])) == (2, 1)
    assert features.error(again).item() == 0
    again.close()
    vit(IMAGES + 1)
    assert features.error(again).item() > 0


def test_models_of_other_kinds_are_compared_by_what_both_have() -> None:
    student, teacher = small_model(0, width=7), small_model(1, width=9)
    with pytest.raises(UsageError, match=r"\[7\] of the last layer, and \[9\] of the last layer"):
        check_features(Student("s", student.module, CONTRACT, 10), Teacher(teacher, "cpu"), "cpu")
    vit = Model("v", small_vit(depth=1), Preprocessing((32, 32), (0.5,) * 3, (0.5,) * 3), 5, random_weights=False)
    width = next(part for part in reversed(list(vit.module.modules())) if isinstance(part, torch.nn.Linear)).in_features
    check_features(Student("s", small_model(0, width=width).module, CONTRACT, 10), Teacher(vit, "cpu"), "cpu")
