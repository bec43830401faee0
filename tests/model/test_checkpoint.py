"""Files of weights: where in them a model may be."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.checkpoint import read_file, state_dicts  # noqa: E402

OWN = {"a.weight": torch.zeros(2), "a.bias": torch.zeros(1)}


def test_every_mapping_of_tensors_is_found_with_its_place() -> None:
    document = {"epoch": 3, "one": dict(OWN), "two": {"three": dict(OWN), "ema": dict(OWN)}}
    assert [(state.place, state.averaged) for state in state_dicts(document, OWN)] == [
        ("one", False),
        ("two: three", False),
        ("two: ema", True),
    ]


def test_names_that_only_contain_the_letters_are_no_averages() -> None:
    document = {"schema": dict(OWN), "schematic_model": dict(OWN), "emaciated": dict(OWN)}
    assert not any(state.averaged for state in state_dicts(document, OWN))


def test_behind_a_prefix_all_tensors_of_the_model_have_to_be() -> None:
    state = {"m.a.weight": torch.zeros(2), "n.a.weight": torch.zeros(2), "n.a.bias": torch.zeros(1)}
    _, behind = state_dicts(state, OWN)
    assert (behind.place, set(behind.values), behind.left_out) == ("n.", set(OWN), ("m.a.weight",))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="no such weights file") as caught:
        read_file(tmp_path / "weight.pt")
    assert caught.value.hint and "weights.pt" in caught.value.hint
    with pytest.raises(UsageError, match="is no weights file: it is a folder"):
        read_file(tmp_path)
