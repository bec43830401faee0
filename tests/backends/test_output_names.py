"""The names of a program's outputs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.backends.output_names import output_names  # noqa: E402
from edgevit.model.program.outputs import NamedOutputs  # noqa: E402

# isort: split
from tests.several_outputs import SIDE, Embedding, EmbeddingAndMaps  # noqa: E402


def test_a_dict_has_its_names_in_its_order_and_a_tensor_is_logits() -> None:
    image = (torch.rand(1, 3, SIDE, SIDE),)
    named = torch.export.export(NamedOutputs(EmbeddingAndMaps().eval()), image)
    assert output_names(named) == ("zoomed", "embedding", "body")
    assert output_names(torch.export.export(Embedding().eval(), image)) == ("logits",)
