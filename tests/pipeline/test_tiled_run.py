"""What a run in tiles cannot have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.tiled_run import check_tiled_run  # noqa: E402
from edgevit.results.artifact import Preprocessing, Tiles  # noqa: E402
from edgevit.results.output import Output  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402

# isort: split
from tests.several_outputs import SIDE, Embedding  # noqa: E402

WANTED = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, tiles=Tiles((SIDE, SIDE), 0.1, "mean"))


def model(classes: int = 10, **changes: Any) -> Model:
    named = () if classes else (Output("map", (6, 4, 4)),)
    return Model("net", Embedding(), replace(WANTED, **changes), classes, random_weights=False, named_outputs=named)


def spec(**asked: Any) -> Spec:
    return Spec.model_validate({"model": {"name": "net"}, **asked})


def test_a_classifier_of_images_is_compressed_as_ever() -> None:
    check_tiled_run(spec(), model())
    check_tiled_run(spec(passes={"tokens": "evit:0.7@4"}), model(tiles=None))


@pytest.mark.parametrize(
    ("asked", "given", "said", "hint"),
    [
        ({}, model(0), r"net gives map \[6, 4, 4\]", "--masks DIR"),
        ({}, model(mean=(0.5,) * 4, std=(0.5,) * 4), "net takes 4 channels", "eval FILE --tiles"),
        ({"passes": {"tokens": "auto"}}, model(), "--tokens auto", "--tokens none"),
        ({"budget": {"metric": "multilabel"}}, model(), "--metric multilabel", "leave out"),
    ],
)
def test_the_rest_is_refused(asked: dict[str, Any], given: Model, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        check_tiled_run(spec(**asked), given)
    assert hint in str(refused.value.hint)
