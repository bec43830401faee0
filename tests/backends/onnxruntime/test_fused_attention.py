"""Attention with three axes computes what Attention with four axes and permutations did, and masks what they mask."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper, shape_inference  # noqa: E402

from edgevit.backends.onnxruntime.fused_attention import expand_masks, join_heads  # noqa: E402

HEADS, WIDTH, KEYS = 2, 8, 12


def model(
    queries: int = KEYS, also: str = "", mask: np.ndarray | None = None, times: int = 1, **attributes: float
) -> onnx.ModelProto:
    """Attention of [1, tokens, 16] as torch's exporter writes it; the first one's result is the next one's query."""
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
    masks = [] if mask is None else ["mask"]
    if mask is not None:
        constants.append(numpy_helper.from_array(mask, "mask"))
    for again in range(1, times):
        made = f"made{again}"
        nodes.append(
            helper.make_node("Attention", [query, "k_heads", "v_heads", *masks], [made], name=made, **attributes)
        )
        query = made
    nodes += [
        helper.make_node("Attention", [query, "k_heads", "v_heads", *masks], ["made"], name="attend", **attributes),
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
    if mask is not None:  # as torch's exporter notes it
        kind = helper.np_dtype_to_tensor_dtype(mask.dtype)
        graph.value_info.append(helper.make_tensor_value_info("mask", kind, mask.shape))
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


@pytest.mark.parametrize("also", ["changed by heads", "heads read"])
def test_all_else_stays(also: str) -> None:
    made = model(also=also)
    before = made.SerializeToString()
    assert join_heads(made) == 0
    assert made.SerializeToString() == before


def test_without_shapes_nothing_is_known() -> None:
    made = model()
    del made.graph.value_info[:]
    assert join_heads(made) == 0


FOR_KEYS = np.random.default_rng(1).standard_normal((1, 1, 1, KEYS)).astype(np.float32) * 3
FOR_QUERIES = np.random.default_rng(1).standard_normal((KEYS, KEYS)).astype(np.float32) * 3
SOME_KEYS = FOR_KEYS > 0


def attended(mask: np.ndarray, queries: int) -> np.ndarray:
    """What the model computes, in float64: softmax(q k / sqrt(8) + mask) v and relu, with the inputs that run gives."""
    generator = np.random.default_rng(0)
    query, keys, values = (
        generator.standard_normal((1, n, HEADS * WIDTH), dtype=np.float32)
        .astype(np.float64).reshape(n, HEADS, WIDTH).transpose(1, 0, 2)
        for n in (queries, KEYS, KEYS)
    )  # fmt: skip
    products = query @ keys.transpose(0, 2, 1) / np.sqrt(WIDTH)
    products = np.where(mask[0], products, -np.inf) if mask.dtype == bool else products + mask[0]
    weights = np.exp(products - products.max(axis=-1, keepdims=True))
    made = weights / weights.sum(axis=-1, keepdims=True) @ values
    return np.maximum(made.transpose(1, 0, 2).reshape(1, queries, HEADS * WIDTH), 0)


@pytest.mark.parametrize("queries", [KEYS, 5])
@pytest.mark.parametrize("mask", [FOR_KEYS, SOME_KEYS], ids=["added", "true or false"])
def test_a_mask_for_keys_gets_a_row_for_each_query(mask: np.ndarray, queries: int) -> None:
    made = model(queries, mask=mask)
    assert expand_masks(made) == 1
    onnx.checker.check_model(made, full_check=True)
    assert Counter(node.op_type for node in made.graph.node)["Expand"] == 1
    assert np.allclose(run(made), attended(mask, queries), rtol=0, atol=1e-5)
    assert expand_masks(made) == 0
    assert join_heads(made) == 1
    onnx.checker.check_model(made, full_check=True)
    assert Counter(node.op_type for node in made.graph.node) == {"Expand": 1, "Attention": 1, "Relu": 1}
    assert np.allclose(run(made), attended(mask, queries), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("queries", "mask"), [(1, FOR_KEYS), (KEYS, FOR_QUERIES)])
def test_masks_with_a_row_for_each_query_stay(queries: int, mask: np.ndarray) -> None:
    made = model(queries, mask=mask)
    before = made.SerializeToString()
    assert expand_masks(made) == 0
    assert made.SerializeToString() == before
    expected = attended(mask.reshape(1, 1, *mask.shape[-2:]), queries)
    assert np.allclose(run(made), expected, rtol=0, atol=1e-5)
    assert join_heads(made) == 1
    assert np.allclose(run(made), expected, rtol=0, atol=1e-5)


def test_one_mask_is_expanded_once() -> None:
    made = model(mask=FOR_KEYS, times=3)
    assert expand_masks(made) == 1
    onnx.checker.check_model(made, full_check=True)
    readers = [node.input[3] for node in made.graph.node if node.op_type == "Attention"]
    assert len(readers) == 3 and len(set(readers)) == 1
    rows = np.broadcast_to(FOR_KEYS, (1, 1, KEYS, KEYS)).copy()
    assert np.allclose(run(made), run(model(mask=rows, times=3)), rtol=0, atol=1e-6)


def test_masks_without_shapes_stay() -> None:
    made = model(mask=FOR_KEYS)
    del made.graph.value_info[:]
    assert expand_masks(made) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("plan", "masks"), [("tome:4@1,2", 1), ("squeeze:4@1", 1), ("evit:4@1", 0)])
def test_a_model_with_merged_tokens(plan: str, masks: int, tmp_path: Path) -> None:
    """Two blocks count merged tokens, of which the last has one query, of the class token, and needs no more rows."""
    torch = pytest.importorskip("torch")
    from edgevit.backends.onnxruntime.export import export
    from edgevit.model.program.layers import export_again
    from edgevit.quantization.rewrites.class_token_only import class_token_only
    from edgevit.spec.token_plan import parse_plan
    from edgevit.tokens.reduce import reduce_tokens
    from tests.models import images, program, vit

    fewer = reduce_tokens(vit(depth=3).requires_grad_(False), parse_plan(plan))  # as models are loaded
    whole = program(fewer)
    module = whole.module()
    assert class_token_only(module, images()) == 1
    path = export(export_again(module, whole), tmp_path, fused=True)
    nodes = onnx.load(path).graph.node
    assert [node.op_type for node in nodes].count("Attention") == 3
    assert sum(node.op_type == "Expand" and node.name.endswith("queries") for node in nodes) == masks
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels = images(1)
    with torch.inference_mode():
        expected = fewer(torch.from_numpy(pixels)).numpy()
    (logits,) = session.run(None, {"input": pixels})
    assert np.allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
