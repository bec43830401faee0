"""Outputs of modules by name."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.outputs import (  # noqa: E402
    NamedOutputs,
    OnlyLogits,
    as_rows,
    largest_difference,
    named_tensors,
    outputs_of,
)

ROW, MAP = torch.ones(1, 2), torch.zeros(1, 3, 4, 5)
Pair = namedtuple("Pair", ["first", "second"])


@dataclass
class Found:
    """What some libraries return."""

    row: Any
    nothing: Any = None


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (ROW, ["output"]),
        ((ROW, MAP), ["output_0", "output_1"]),
        ([MAP], ["output_0"]),
        (OrderedDict(out=MAP, aux=MAP), ["out", "aux"]),
        ({"z": ROW, "a": {"b": [ROW, ROW]}}, ["z", "a_b_0", "a_b_1"]),
        (Pair(ROW, MAP), ["first", "second"]),
        (Found(ROW), ["row"]),
        ({"stage 1/out": ROW, 7: ROW}, ["stage_1_out", "output_7"]),
    ],
)
def test_names(value: Any, names: list[str]) -> None:
    assert list(named_tensors(value)) == names


def test_the_name_of_the_input_is_taken() -> None:
    with pytest.raises(UsageError, match="input is the name of its input too"):
        named_tensors({"input": ROW})


def test_shapes_are_of_one_image() -> None:
    assert [(output.name, output.shape) for output in outputs_of((ROW, MAP))] == [
        ("output_0", (2,)),
        ("output_1", (3, 4, 5)),
    ]


def test_rows_of_all_values() -> None:
    assert as_rows(ROW) is ROW
    rows = as_rows({"a": torch.tensor([[[1.0, 2.0]], [[5.0, 6.0]]]), "b": torch.tensor([[3.0], [7.0]])})
    assert rows.tolist() == [[1, 2, 3], [5, 6, 7]]


def test_differences_are_relative_to_their_own_output() -> None:
    expected = {"small": torch.tensor([[1.0]]), "large": torch.tensor([[1000.0]])}
    found = {"small": torch.tensor([[1.5]]), "large": torch.tensor([[1000.0]])}
    assert largest_difference(found, expected) == 0.5
    assert largest_difference(torch.tensor([[3.0]]), torch.tensor([[2.0]])) == 0.5
    broken = {**found, "small": torch.tensor([[torch.nan]])}
    assert not largest_difference(broken, expected) <= 1


class Both(nn.Module):
    """Returns logits in a mapping."""

    def forward(self, images: Any) -> Any:
        """Returns the means of the channels."""
        return {"logits": images.mean((2, 3)), "loss": None}


def test_wrappers() -> None:
    images = torch.rand(2, 3, 4, 4)
    assert list(NamedOutputs(Both())(images)) == ["logits"]
    assert torch.equal(OnlyLogits(Both())(images), images.mean((2, 3)))
