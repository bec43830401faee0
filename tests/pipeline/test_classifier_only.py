"""What only classifiers can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.classifier_only import check_kind  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.output import Output  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402

# isort: split
from tests.several_outputs import SIDE, Embedding  # noqa: E402


def model(classes: int) -> Model:
    wanted = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3)
    named = () if classes else (Output("output", (6,)),)
    return Model("net", Embedding(), wanted, classes, random_weights=False, named_outputs=named)


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"passes": {"tokens": "evit:0.7@4"}}, "--tokens evit:0.7@4 is given", "--tokens none"),
    ({"passes": {"tokens": "auto"}}, "--tokens auto is given", "--tokens none"),
    ({"finetune": {"mode": "quick"}}, "--finetune quick is given", "--finetune none"),
    ({"export": {"labels": Path("names.txt")}}, "labels name its classes", "leave out --labels"),
    ({"data": {"evaluation": "digits", "class_offset": 1}}, "--class-offset is given", "leave it out"),
    ({"data": {"evaluation": "digits"}, "budget": {"expect_top1": 80.0}}, "--expect-top1 is given", "leave it out"),
    (
        {
            "distill": {"teacher": {"name": "digits_cnn"}},
            "data": {"train": "digits-train", "evaluation": "digits"},
        },
        "distillation is asked for",
        "leave out",
    ),
]


@pytest.mark.parametrize(("asked", "said", "hint"), CASES)
def test_it_is_refused_with_the_outputs_and_the_next_step(asked: dict[str, Any], said: str, hint: str) -> None:
    spec = Spec.model_validate({"model": {"name": "net"}, **asked})
    with pytest.raises(UsageError) as caught:
        check_kind(spec, model(0))
    assert caught.value.message.startswith(f"{said}, and net is no classifier: it gives output [6]; ")
    assert caught.value.hint
    assert hint in caught.value.hint
    check_kind(spec, model(6))


def test_what_any_model_can_have_is_not_refused() -> None:
    asked = {"model": {"name": "net"}, "data": {"evaluation": "digits", "calibration": "20%"}}
    check_kind(Spec.model_validate(asked), model(0))
