"""Attention with three axes computes what Attention with four axes and permutations did."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper, shape_inference  # noqa: E402

from edgevit.backends.onnxruntime.attention import join_heads  # noqa: E402

HEADS, WIDTH, KEYS = 2, 8, 12


def model(queries: int = KEYS, also: str = "", **attributes: float) -> onnx.ModelProto:
    """Attention of [1, tokens, 16] as torch's exporter writes it."""
    nodes, constants = [], []

    def shape(name: str, *lengths: int) -> str:
        constants.append(numpy_helper.from_array(np.array(lengths, np.int64), name))
        return name

    for name, tokens in (("q", queries), ("k", KEYS), ("v", KEYS)):
        permutation = [0, 2, 3, 1] if also == "other axes" and name == "k" else [0, 2, 1, 3]
        nodes += [
            helper.make_node("Reshape", [name, shape(f"{name}_shape", 1, tokens, HEADS, WIDTH)], [f"{name}4"]),
            helper.make_node("Transpose", [f"{name}4"], [f"{name}_heads"], perm=permutation),
        ]
    query = "q_heads"
    if also == "changed by heads":
        nodes.append(helper.make_node("Relu", ["q_heads"], ["q_changed"]))
        query = "q_changed"
    mask = ["mask"] if also == "mask" else []
    if mask:
        constants.append(numpy_helper.from_array(np.zeros((queries, KEYS), np.float32), "mask"))
    nodes += [
        helper.make_node("Attention", [query, "k_heads", "v_heads", *mask], ["made"], name="attend", **attributes),
        helper.make_node("Transpose", ["made"], ["tokens"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["tokens", shape("joined", 1, queries, HEADS * WIDTH)], ["joined_tokens"]),
        helper.make_node("Relu", ["joined_tokens"], ["y"]),
    ]
    outputs = ["y"]
    if also == "heads read":
        nodes.append(helper.make_node("Relu", ["made"], ["z"]))
        outputs.append("z")
    graph = helper.make_graph(
        nodes, "attention",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, HEADS * WIDTH])
         for name, n in (("q", queries), ("k", KEYS), ("v", KEYS))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    return shape_inference.infer_shapes(made, data_prop=True)


def run(made: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    feeds = {given.name: generator.standard_normal(given.shape, dtype=np.float32) for given in session.get_inputs()}
    return session.run(None, feeds)[0]


@pytest.mark.parametrize(
    ("queries", "attributes"), [(KEYS, {}), (1, {}), (KEYS, {"scale": 0.7}), (KEYS, {"is_causal": 1})]
)
def test_the_numbers_are_the_same(queries: int, attributes: dict[str, float]) -> None:
    before, after = model(queries, **attributes), model(queries, **attributes)
    assert join_heads(after) == 1
    onnx.checker.check_model(after, full_check=True)
    assert Counter(node.op_type for node in after.graph.node) == {"Attention": 1, "Relu": 1}
    assert not after.graph.initializer
    assert np.allclose(run(after), run(before), rtol=0, atol=1e-6)
    assert after.graph.node[0].name == "attend"
    assert join_heads(after) == 0


@pytest.mark.parametrize("also", ["mask", "changed by heads", "heads read"])
def test_all_else_stays(also: str) -> None:
    made = model(also=also)
    before = made.SerializeToString()
    assert join_heads(made) == 0
    assert made.SerializeToString() == before


def test_without_shapes_nothing_is_known() -> None:
    made = model()
    del made.graph.value_info[:]
    assert join_heads(made) == 0
