"""Loading weights: what fits, which of several are taken, and what is refused because it is broken or not finite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.weights import load_weights, refuse_non_finite  # noqa: E402


class Net(nn.Module):
    """A small network with batch normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["head.weight", "conv.bias", "norm.running_var", "norm.running_mean"])
def test_weights_that_are_not_finite_are_named_and_counted(name: str, value: float) -> None:
    net = Net()
    net.state_dict()[name].flatten()[:3] = value
    with pytest.raises(UsageError) as caught:
        refuse_non_finite(net, "w.pt")
    assert f"w.pt: NaN or infinity in 1 tensors: {name} (3 of " in caught.value.message
    assert caught.value.hint and "checkpoint" in caught.value.hint


def test_many_broken_tensors_are_cut_short() -> None:
    net = Net()
    for tensor in net.parameters():
        tensor.data.fill_(float("nan"))
    with pytest.raises(UsageError, match=r"in 6 tensors: conv.weight \(216 of 216 values\), .* and 2 more"):
        refuse_non_finite(net, "w.pt")


def test_a_mask_of_minus_infinity_is_no_weight() -> None:
    net = Net()
    net.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))
    refuse_non_finite(net, "model")
    net.mask[0, 0] = float("nan")
    with pytest.raises(UsageError, match=r"mask \(1 of 16 values\)"):
        refuse_non_finite(net, "model")


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    torch.save({key: value.half() for key, value in module.state_dict().items()}, tmp_path / "w.pt")
    load_weights(module, tmp_path / "w.pt")
    assert module.weight.dtype == torch.float32


def test_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    state = module.state_dict()
    state["extra.weight"] = torch.zeros(1)
    del state["0.bias"]
    state["1.weight"] = torch.zeros(5, 3)
    torch.save(state, tmp_path / "w.pt")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(UsageError) as caught:
        load_weights(module, tmp_path / "w.pt")
    assert "missing (1): 0.bias" in caught.value.message
    assert "unexpected (1): extra.weight" in caught.value.message
    assert "of another shape (1): 1.weight [5, 3], not [2, 3]" in caught.value.message
    assert caught.value.hint and "number of classes" in caught.value.hint
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "w.pt")
    module = nn.Sequential(*[nn.Linear(1, 1) for _ in range(10)])
    with pytest.raises(UsageError, match=r"missing \(20\): .* and 12 more"):
        load_weights(module, tmp_path / "w.pt")


class Malicious:
    """A pickle that would run a command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Malicious(tmp_path / "ran")}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="cannot read weights from") as caught:
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")
    assert caught.value.hint and "safetensors" in caught.value.hint
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04.", bytes(range(256)) * 9])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_broken_files_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"w{suffix}"):
        load_weights(nn.Linear(2, 2), path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_a_file_escapes_as_anything_but_an_error_that_names_it(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "w.pt"
    old_format = data.draw(st.booleans())
    torch.save({"weight": torch.ones(2, 2), "bias": torch.ones(2)}, path, _use_new_zipfile_serialization=not old_format)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    said = ""
    try:
        load_weights(nn.Linear(2, 2), path)
    except UsageError as error:
        said = error.message
    assert not said or "w.pt" in said


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(nn.Linear(64, 64).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UsageError, match="cannot read weights from"):
        load_weights(nn.Linear(64, 64), path)


@pytest.mark.parametrize("content", [[1], {1: torch.zeros(2)}, torch.zeros(2), {"weight": "text"}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="does not hold a state dict|does not fit the model"):
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")


def changed(by: float) -> dict[str, Any]:
    """State dict of a Net whose tensors are all ``by``."""
    return {key: torch.full_like(value, by) for key, value in Net().state_dict().items()}


def prefixed(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + key: value for key, value in state.items()}


def loaded(path: Path, document: Any, **options: bool) -> tuple[float, tuple[str, ...]]:
    """The value of the weights that were taken of a file, and what was said of it."""
    torch.save(document, path)
    net = Net()
    notes = load_weights(net, path, **options)
    values = {float(value) for tensor in net.state_dict().values() for value in tensor.flatten().tolist()}
    assert len(values) == 1
    return values.pop(), notes


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (changed(3), None),
        (
            {"state_dict": changed(3), "epoch": 7, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
            "state_dict",
        ),
        ({"model_state_dict": changed(3), "loss": torch.tensor(0.5)}, "model_state_dict"),
        ({"model": changed(3)}, "model"),
        ({"state_dict": prefixed(changed(3), "model.")}, "state_dict: model."),
        (prefixed(changed(3), "module."), "module."),
        ({"net": prefixed(changed(3), "module._orig_mod.")}, "net: module."),
        (prefixed(changed(3), "_orig_mod."), None),
        ({"checkpoint": {"model": changed(3)}}, "checkpoint: model"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_the_usual_layouts_are_read_and_told(tmp_path: Path, document: Any, place: str | None) -> None:
    value, notes = loaded(tmp_path / "w.pt", document)
    assert value == 3
    assert notes == (() if place is None else (f"{tmp_path / 'w.pt'}: the weights are taken from {place}",))


@pytest.mark.parametrize(
    "document",
    [
        {"state_dict": changed(3), "state_dict_ema": changed(5)},
        {"model": changed(3), "model_ema": {"module": changed(5), "n_averaged": torch.tensor(9)}},
        {"model": changed(3), "model_ema": {**prefixed(changed(5), "module."), "n_averaged": torch.tensor(9)}},
        {"state_dict": {**prefixed(changed(3), "model."), **prefixed(changed(5), "ema_model.")}},
        {"net": changed(3), "ema": changed(5)},
    ],
)
def test_averaged_weights_are_taken_and_told_unless_they_are_not_wanted(tmp_path: Path, document: Any) -> None:
    value, notes = loaded(tmp_path / "w.pt", document)
    assert value == 5
    assert "the averaged weights (EMA)" in notes[0] and "--no-ema takes the others" in notes[0]
    value, notes = loaded(tmp_path / "w.pt", document, no_ema=True)
    assert value == 3
    assert "not the averaged ones (EMA)" in notes[0]


def test_averaged_weights_that_do_not_fit_are_not_passed_over(tmp_path: Path) -> None:
    document = {"state_dict": changed(3), "state_dict_ema": {"conv.weight": torch.zeros(8, 3, 3, 3)}}
    with pytest.raises(UsageError, match=r"averaged weights \(state_dict_ema\) that do not fit") as caught:
        loaded(tmp_path / "w.pt", document)
    assert caught.value.hint and "--no-ema" in caught.value.hint
    assert loaded(tmp_path / "w.pt", document, no_ema=True)[0] == 3


def test_of_several_models_none_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds several models that fit: student, teacher"):
        loaded(tmp_path / "w.pt", {"student": changed(3), "teacher": changed(5)})
    assert loaded(tmp_path / "w.pt", {"student": changed(3), "copy": changed(3)})[0] == 3


def test_what_lies_beside_the_model_is_told(tmp_path: Path) -> None:
    document = {"state_dict": {**prefixed(changed(3), "model."), "criterion.weight": torch.ones(4)}}
    value, notes = loaded(tmp_path / "w.pt", document)
    assert value == 3
    assert "1 tensors beside state_dict: model. are not read: criterion.weight" in notes[1]
    with pytest.raises(
        UsageError, match=r"\(state_dict: model.\) does not fit the model:\n  unexpected \(1\): more.bias"
    ):
        loaded(tmp_path / "w.pt", {"state_dict": prefixed({**changed(3), "more.bias": torch.ones(4)}, "model.")})


def test_what_inference_does_not_need_may_be_there_or_not(tmp_path: Path) -> None:
    state = {key: value for key, value in changed(0).items() if not key.endswith("num_batches_tracked")}
    counters = {"total_ops": torch.ones(1), "conv.total_ops": torch.ones(1), "norm.total_params": torch.ones(1)}
    assert loaded(tmp_path / "w.pt", {**state, **counters})[0] == 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (torch.ones(4, 8, dtype=torch.complex64), "torch.complex64"),
        (torch.ones(4, 8).to_sparse(), "sparse, torch.sparse_coo"),
        (torch.ones(4, 8, device="meta"), "a tensor without values"),
        (torch.ones(4, 8, dtype=torch.int64), "torch.int64, not torch.float32"),
        (torch.ones(4, 8, dtype=torch.bool), "torch.bool, not torch.float32"),
    ],
    ids=str,
)
def test_tensors_of_another_kind_are_refused(tmp_path: Path, value: torch.Tensor, kind: str) -> None:
    with pytest.raises(UsageError, match="of another kind") as caught:
        loaded(tmp_path / "w.pt", {**changed(3), "head.weight": value})
    assert f"head.weight ({kind}" in caught.value.message


def test_plain_values_of_training_scripts_do_not_hinder(tmp_path: Path) -> None:
    import argparse

    import numpy as np

    beside = {
        "args": argparse.Namespace(lr=0.1, out=Path("x")),
        "best": np.float64(0.8),
        "history": np.arange(3),
    }
    assert loaded(tmp_path / "w.pt", {"model": changed(3), **beside})[0] == 3


def test_a_whole_model_is_refused_without_advice_to_run_its_code(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(UsageError, match="it holds torch.nn.modules.linear.Linear, a class of a program") as caught:
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")
    said = f"{caught.value.message} {caught.value.hint}"
    assert "torch.save(model.state_dict(), FILE)" in said
    assert "weights_only" not in said and "trust" not in said and "\033" not in said


def test_a_torchscript_program_is_called_so(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "w.pt"))
    with pytest.raises(UsageError, match="holds a TorchScript program, not a state dict"):
        load_weights(nn.Linear(2, 2), tmp_path / "w.pt")
