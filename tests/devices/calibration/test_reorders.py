"""Copies into the layout of convolutions, and out of it."""

from __future__ import annotations

import pytest

from edgevit.devices.calibration.reorders import reorders
from edgevit.results.graph import Graph, Op
from edgevit.spec.recipe import OpKind
from tests.devices.graphs import tensor

MAP, VALUES = (1, 8, 10, 10), 800


def chain(*ops: tuple[str, OpKind], channels: int = 8, format: str = "onnx") -> Graph:
    """Ops that each read what the one before made."""
    names = [f"t{place}" for place in range(len(ops) + 1)]
    tensors = [tensor(names[0], (1, channels, 10, 10)), *(tensor(name, MAP) for name in names[1:])]
    made = [
        Op(f"{place}", native, kind, (names[place],), (names[place + 1],), 0)
        for place, (native, kind) in enumerate(ops)
    ]
    return Graph(format, tuple(made), tuple(tensors), (names[0],), (names[-1],))


CONV: tuple[str, OpKind] = ("Conv", "conv")


@pytest.mark.parametrize(
    ("between", "copies"),
    [
        (("Relu", "activation"), 0),
        (("MaxPool", "pooling"), 0),
        (("Concat", "layout"), 0),
        (("Gelu", "activation"), 2),
        (("Transpose", "layout"), 2),
    ],
)
def test_what_stays_in_blocks_between_two_convolutions(between: tuple[str, OpKind], copies: int) -> None:
    assert list(reorders(chain(CONV, between, CONV, channels=3))) == [("float", VALUES)] * copies


def test_openvino_computes_any_activation_in_blocks() -> None:
    assert not list(reorders(chain(CONV, ("Gelu", "activation"), CONV, channels=3, format="xml")))


def test_an_image_is_read_as_it_is_and_a_map_is_copied_once() -> None:
    assert not list(reorders(chain(CONV, channels=3)))
    wide = chain(CONV, channels=8)
    again = Op("again", "Conv", "conv", ("t0",), ("t2",), 0)
    both = Graph("onnx", (*wide.ops, again), (*wide.tensors, tensor("t2", MAP)), ("t0",), ("t1", "t2"))
    assert list(reorders(both)) == [("float", VALUES)]


def test_a_vector_lies_the_same_way_in_both_layouts() -> None:
    tensors = (
        tensor("x", (1, 3, 10, 10)),
        tensor("y", MAP),
        *(tensor(name, (1, 8, 1, 1)) for name in "mg"),
        tensor("z", MAP),
    )
    ops = (
        Op("conv", "Conv", "conv", ("x",), ("y",), 0),
        Op("mean", "ReduceMean", "reduction", ("y",), ("m",), 0),
        Op("excite", "Conv", "conv", ("m",), ("g",), 0),
        Op("gate", "Mul", "elementwise", ("y", "g"), ("z",), 0),
    )
    assert not list(reorders(Graph("onnx", ops, tensors, ("x",), ("z",))))


def test_tflite_copies_nothing() -> None:
    assert not list(reorders(chain(CONV, ("Transpose", "layout"), format="tflite")))
