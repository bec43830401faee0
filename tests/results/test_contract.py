"""The contract as text, and names of classes by output."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgevit.errors import UsageError
from edgevit.results.artifact import Tiles
from edgevit.results.contract import contract_from_text, contract_to_text, names_by_output
from edgevit.results.output import Output
from tests.factories import make_contract


def test_a_contract_is_one_line_that_reads_back() -> None:
    contract = make_contract()
    text = contract_to_text(contract)
    assert "\n" not in text
    assert "é" in text  # readable by people
    assert contract_from_text(text, "model.onnx") == contract
    assert contract_from_text(contract_to_text(replace(contract, classes=())), "model.onnx").classes == ()


def test_what_a_newer_version_adds_is_left_out() -> None:
    text = contract_to_text(make_contract()).replace("{", '{"newer": 1, ', 1)
    assert contract_from_text(text, "model.onnx") == make_contract()


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"preprocessing": 1}'])
def test_other_texts_are_refused_with_the_file(text: str) -> None:
    with pytest.raises(UsageError, match="model.onnx: the contract in its metadata is damaged") as caught:
        contract_from_text(text, "model.onnx")
    assert caught.value.hint == "export it again"


def test_classes_are_named_only_if_all_are() -> None:
    assert names_by_output({"b": 1, "a": 0, "c": 2}, 3) == ("a", "b", "c")
    assert names_by_output({"b": 1, "a": 0}, 3) == ()
    assert names_by_output({}, 3) == ()
    assert names_by_output({"no": 0, "yes": 1}, 1) == ("no", "yes")  # a single logit tells two classes apart


def test_named_outputs_are_told_and_a_classifiers_contract_is_as_it_was() -> None:
    assert "outputs" not in json.loads(contract_to_text(make_contract()))
    outputs = (Output("map", (21, 3, 4)), Output("score", ()))
    contract = make_contract(classes=(), outputs=outputs)
    assert json.loads(contract_to_text(contract))["outputs"] == [
        {"name": "map", "shape": [21, 3, 4]},
        {"name": "score", "shape": []},
    ]
    assert contract_from_text(contract_to_text(contract), "x") == contract


def test_only_a_file_that_normalizes_by_itself_says_so() -> None:
    plain, embedded = make_contract(), make_contract(layout="NHWC", embeds_preprocessing=True)
    assert "embeds_preprocessing" not in contract_to_text(plain)
    assert contract_from_text(contract_to_text(embedded), "model.onnx") == embedded
    assert plain.fed == plain.preprocessing
    assert (embedded.fed.mean, embedded.fed.std) == ((0.0,) * 3, (1 / 255,) * 3)
    assert replace(embedded.fed, mean=plain.preprocessing.mean, std=plain.preprocessing.std) == plain.preprocessing


def test_tiles_are_told_where_there_are_some() -> None:
    plain = make_contract()
    assert "tiles" not in contract_to_text(plain)
    tiled = replace(plain, preprocessing=replace(plain.preprocessing, tiles=Tiles((224, 224), 0.1, "best")))
    assert '"tiles": {"size": [224, 224], "overlap": 0.1, "reduce": "best"}' in contract_to_text(tiled)
    assert contract_from_text(contract_to_text(tiled), "model.onnx") == tiled
    assert tiled.fed.tiles == tiled.preprocessing.tiles
