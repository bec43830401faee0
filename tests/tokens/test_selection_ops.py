"""The ops that choose tokens are found in every format, nothing else is, and quantizers leave them alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.artifacts.make import check_label
from edgevit.errors import CandidateFailed
from edgevit.results.graph import Graph, Op, Tensor, size_bytes
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics
from edgevit.tokens.selection_ops import has_attention, token_selection_ops, touched_selection


class Sketch:
    """A graph that grows op by op; tensors are called as the ops that make them."""

    def __init__(self, **inputs: tuple[int, ...]) -> None:
        self.tensors = {name: _tensor(name, shape) for name, shape in inputs.items()}
        self.ops: list[Op] = []

    def op(
        self,
        name: str,
        kind: OpKind,
        shape: tuple[int, ...],
        *reads: str,
        native: str = "",
        numerics: Numerics = "float",
    ) -> str:
        """Adds an op; what it reads and nothing makes is a constant."""
        for read in reads:
            self.tensors.setdefault(read, _tensor(read, (1,), constant=True))
        self.tensors[name] = _tensor(name, shape)
        macs = 1000 if kind in ("linear", "matmul") else 0
        self.ops.append(Op(name, native or kind, kind, reads, (name,), macs, numerics))
        return name

    def graph(self) -> Graph:
        inputs = tuple(name for name in self.tensors if name not in {op.name for op in self.ops})
        return Graph("onnx", tuple(self.ops), tuple(self.tensors.values()), inputs, (self.ops[-1].name,))


def _tensor(name: str, shape: tuple[int, ...], constant: bool = False) -> Tensor:
    return Tensor(name, shape, "float32", size_bytes(shape, "float32"), constant)


N, C = 64, 48
TOKENS, PLACES, SQUARE = (1, N, C), (1, N), (1, N, N)


def block(sketch: Sketch, x: str, between: tuple[OpKind, ...] = (), name: str = "") -> str:
    """Attention and a residual; ``between`` are ops from the product of query and keys on to the softmax."""
    for part in ("query", "keys", "values"):
        sketch.op(part + name, "linear", TOKENS, x, f"weights of {part}{name}")
    passed = sketch.op("product" + name, "matmul", SQUARE, "query" + name, "keys" + name)
    for number, kind in enumerate(between):
        passed = sketch.op(f"between{number}{name}", kind, SQUARE, passed, f"constant {number}{name}")
    sketch.op("softmax" + name, "softmax", SQUARE, passed)
    if "quantize" in between:
        sketch.op("convert" + name, "quantize", SQUARE, "softmax" + name)
        sketch.op("mixed" + name, "matmul", TOKENS, "convert" + name, "values" + name)
    else:
        sketch.op("mixed" + name, "matmul", TOKENS, "softmax" + name, "values" + name)
    return sketch.op("residual" + name, "elementwise", TOKENS, x, "mixed" + name)


@pytest.mark.parametrize(
    "between",
    [(), ("elementwise",), ("elementwise", "elementwise"), ("quantize", "elementwise", "quantize"), ("reshape",)],
    ids=["plain", "scaled", "scaled and masked", "quantized", "reshaped"],
)
def test_attention_chooses_nothing(between: tuple[OpKind, ...]) -> None:
    sketch = Sketch(x=TOKENS)
    block(sketch, block(sketch, "x", between), between, "2")
    assert token_selection_ops(sketch.graph()) == ()


def test_attention_with_a_computed_mask_chooses_nothing() -> None:
    sketch = Sketch(x=TOKENS, mask=SQUARE)
    sketch.op("query", "linear", TOKENS, "x", "w")
    product = sketch.op("product", "matmul", SQUARE, "query", "x")
    sketch.op("masked", "elementwise", SQUARE, product, "mask")
    sketch.op("softmax", "softmax", SQUARE, "masked")
    sketch.op("mixed", "matmul", TOKENS, "softmax", "x")
    assert token_selection_ops(sketch.graph()) == ()


@pytest.mark.parametrize("native", ["ScaledDotProductAttention", "Attention", "MultiHeadAttention"])
def test_attention_in_one_op_chooses_nothing(native: str) -> None:
    sketch = Sketch(query=TOKENS, keys=TOKENS, values=TOKENS)
    sketch.op("attention", "matmul", TOKENS, "query", "keys", "values", native=native)
    assert token_selection_ops(sketch.graph()) == ()


def test_attention_is_a_softmax_that_a_product_reads() -> None:
    for between in ((), ("elementwise",), ("quantize", "elementwise", "quantize")):
        sketch = Sketch(x=TOKENS)
        block(sketch, "x", between)  # type: ignore[arg-type]
        assert has_attention(sketch.graph())
    fused = Sketch(query=TOKENS, keys=TOKENS, values=TOKENS)
    fused.op("attention", "matmul", TOKENS, "query", "keys", "values", native="ScaledDotProductAttention")
    assert has_attention(fused.graph())


def test_a_softmax_before_the_last_op_is_no_attention() -> None:
    classifier = Sketch(x=(1, C))
    classifier.op("logits", "linear", (1, 10), "x", "w")
    classifier.op("softmax", "softmax", (1, 10), "logits")
    classifier.op("probabilities", "reshape", (1, 10), "softmax")
    assert not has_attention(classifier.graph())
    weighing = Sketch(x=TOKENS)
    weighing.op("scores", "linear", TOKENS, "x", "w")
    weighing.op("softmax", "softmax", TOKENS, "scores")
    weighing.op("weighed", "elementwise", TOKENS, "softmax", "x")
    weighing.op("head", "matmul", TOKENS, "softmax", "constant")
    assert not has_attention(weighing.graph())


def test_convolutions_linear_layers_and_maxima_choose_nothing() -> None:
    sketch = Sketch(x=TOKENS)
    sketch.op("conv", "conv", TOKENS, "x", "w")
    sketch.op("linear", "linear", TOKENS, "conv", "v")
    sketch.op("maximum", "reduction", PLACES, "linear", native="ReduceMax")
    sketch.op("constant factor", "matmul", TOKENS, "linear", "u")
    assert token_selection_ops(sketch.graph()) == ()


def scored(sketch: Sketch, x: str = "x", numerics: Numerics = "float") -> None:
    """What EViT adds behind a block: scores, ranks, and a matrix that picks rows (arithmetic form)."""
    sketch.op("reader", "layout", (1, 1, C), "query")
    sketch.op("scoring", "matmul", (1, 1, N), "reader", "keys", numerics=numerics)
    sketch.op("scores", "softmax", (1, 1, N), "scoring")
    sketch.op("column", "reshape", (1, N, 1), "scores")
    sketch.op("differences", "elementwise", SQUARE, "column", "scores")
    sketch.op("ranks", "reduction", PLACES, "differences")
    sketch.op("matrix", "elementwise", (1, 40, N), "ranks", "wanted")
    sketch.op("kept", "matmul", (1, 40, C), "matrix", x, numerics=numerics)


SCORED = ("scoring", "scores", "column", "differences", "ranks", "matrix", "kept")


def test_scores_and_the_matrix_that_picks_are_found_and_nothing_before_or_behind_them() -> None:
    sketch = Sketch(x=TOKENS)
    x = block(sketch, "x")
    scored(sketch, x)
    sketch.op("behind", "linear", (1, 40, C), "kept", "w")
    sketch.op("last", "elementwise", (1, 40, C), "kept", "behind")
    assert token_selection_ops(sketch.graph()) == SCORED


def test_picking_by_topk_is_found() -> None:
    sketch = Sketch(x=TOKENS)
    x = block(sketch, "x")
    scored(sketch, x)
    sketch.ops = sketch.ops[:-2]
    sketch.op("topk", "topk", (1, 40), "ranks", "count", native="TopK")
    sketch.op("kept", "gather", (1, 40, C), x, "topk")
    assert token_selection_ops(sketch.graph()) == (*SCORED[:-2], "topk")


def test_where_scores_join_the_tokens_the_way_ends() -> None:
    """The fused token of EViT is made of scores and tokens; what comes behind it is the model as it was."""
    sketch = Sketch(x=TOKENS)
    x = block(sketch, "x")
    scored(sketch, x)
    sketch.op("weighted", "elementwise", TOKENS, x, "column")
    sketch.op("fused", "reduction", (1, 1, C), "weighted")
    sketch.op("joined", "layout", (1, 41, C), "kept", "fused")
    sketch.op("norm", "reduction", (1, 41, 1), "joined")
    sketch.op("normal", "elementwise", (1, 41, C), "joined", "norm")
    assert token_selection_ops(sketch.graph()) == (*SCORED, "weighted")


def test_merged_tokens_count_in_the_scores_of_the_next_site() -> None:
    """The logarithm of their sizes is added to the products; the way goes on to the softmax and behind it."""
    sketch = Sketch(x=TOKENS, sizes=(1, 1, N))
    x = block(sketch, "x")
    scored(sketch, x)
    place = [op.name for op in sketch.ops].index("scores")
    sketch.op("sized", "elementwise", (1, 1, N), "scoring", "sizes")
    sized = sketch.ops.pop()
    scores = Op("scores", "softmax", "softmax", ("sized",), ("scores",), 0)
    sketch.ops[place : place + 1] = [sized, scores]
    assert token_selection_ops(sketch.graph()) == ("scoring", "sized", *SCORED[1:])


@pytest.mark.parametrize(
    ("native", "kind"),
    [
        ("ReduceMax", "reduction"),
        ("REDUCE_MAX", "reduction"),
        ("ArgMax", "other"),
        ("ARG_MAX", "other"),
        ("TopK", "topk"),
    ],
)
def test_similarities_are_known_by_their_maximum(native: str, kind: OpKind) -> None:
    """With the arithmetic that serves them alone: the norms of the keys, but not the keys, which attention reads too."""
    sketch = Sketch(x=TOKENS)
    x = block(sketch, "x")
    sketch.op("moved keys", "layout", TOKENS, "keys")
    sketch.op("norm", "reduction", (1, N, 1), "moved keys")
    sketch.op("unit", "elementwise", TOKENS, "moved keys", "norm")
    sketch.op("similarity", "matmul", SQUARE, "unit", "unit")
    sketch.op("shifted", "elementwise", SQUARE, "similarity", "two")
    sketch.op("best", kind, PLACES, "shifted", native=native)
    sketch.op("same", "elementwise", SQUARE, "shifted", "best")
    sketch.op("merged", "matmul", TOKENS, "same", x)
    expected = ("moved keys", "norm", "unit", "similarity", "shifted", "best", "same", "merged")
    assert token_selection_ops(sketch.graph()) == expected


def test_what_attention_reads_too_is_not_of_the_selection() -> None:
    sketch = Sketch(x=TOKENS)
    sketch.op("biased", "elementwise", TOKENS, "x", "bias")
    x = block(sketch, "biased")
    sketch.op("similarity", "matmul", SQUARE, "biased", "keys")
    sketch.op("best", "reduction", PLACES, "similarity", native="ReduceMax")
    sketch.op("last", "elementwise", TOKENS, x, "one")
    assert token_selection_ops(sketch.graph()) == ("similarity", "best")


def labelled(numerics: Numerics) -> Graph:
    sketch = Sketch(x=TOKENS)
    sketch.op("stem", "linear", TOKENS, "x", "weights of stem", numerics="int8_static")
    scored(sketch, block(sketch, "stem"), numerics)
    for place, op in enumerate(sketch.ops):
        if op.kind == "linear":
            sketch.ops[place] = Op(op.name, op.native, op.kind, op.inputs, op.outputs, op.macs, "int8_static")
    return sketch.graph()


def test_a_graph_that_chooses_in_integers_is_refused() -> None:
    assert touched_selection(labelled("float")) == ()
    check_label("static_wi8_ai8", labelled("float"))
    assert touched_selection(labelled("int8_static")) == ("scoring", "kept")
    with pytest.raises(CandidateFailed, match="choice of tokens would be made in integers: scoring, kept"):
        check_label("static_wi8_ai8", labelled("int8_static"))


# Real exports.

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.backends import all_backends, get_backend  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.quantization.policy import Target, first_recipe  # noqa: E402
from edgevit.spec.schemes import SCHEMES  # noqa: E402
from edgevit.spec.token_plan import FORMS, METHODS, Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402

# isort: split
from tests.models import small_vit  # noqa: E402

PREFIX, PATCHES, KEPT = 1, 64, 40
PRODUCTS: dict[tuple[str, str], int] = {
    ("evit", "gather"): 1, ("evit", "arithmetic"): 2,  # scores; rows
    ("evit_fused", "gather"): 1, ("evit_fused", "arithmetic"): 2,
    ("tome", "gather"): 2, ("tome", "arithmetic"): 3,  # similarities, merging; rows
    ("squeeze", "gather"): 3, ("squeeze", "arithmetic"): 4,  # scores, similarities, merging; rows
}  # fmt: skip
"""Products of two activations at one site."""
SELECTS = ("topk", "matmul", "softmax", "elementwise", "activation", "reduction", "reshape", "layout", "other")
FAST = ("evit_fused", "arithmetic")
"""The method and form whose export is tested each time; all others are slow."""
FOUND = [
    pytest.param(backend.name, method, form, marks=() if (method, form) == FAST else pytest.mark.slow)
    for backend in all_backends()
    for method in METHODS
    for form in FORMS
]
QUANTIZED = [
    (backend.name, scheme)
    for backend in all_backends()
    for scheme in ("static_wi8_ai8", "dynamic_wi8_afp32")
    if scheme in backend.schemes
]
Exported = Callable[..., Path]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Exports a reduced ViT by a backend, once."""

    @functools.cache
    def make(backend: str, method: str, form: Form, blocks: int = 1) -> Path:
        torch.set_num_threads(1)
        plan = f"{method}:1={KEPT}" if blocks == 1 else f"{method}:1={KEPT},2=24"
        model = small_vit(depth=blocks + 1)
        program = capture(reduce_tokens(model, parse_plan(plan), form), (32, 32))
        return get_backend(backend).export(program, tmp_path_factory.mktemp("reduced"))

    return make


def outside_of_attention(graph: Graph) -> list[Op]:
    """Products of two activations whose shapes are none of an attention's, in a ViT of two blocks."""

    def attends(op: Op) -> bool:
        shapes = [graph.tensor[name].shape for name in (*op.inputs[:2], *op.outputs)]
        squares = {(PREFIX + PATCHES,) * 2, (PREFIX + KEPT,) * 2}
        return "Attention" in op.native or any(shape[-2:] in squares for shape in shapes)

    products = [op for op in graph.ops if op.kind == "matmul"]
    return [op for op in products if not attends(op) and not any(graph.tensor[name].constant for name in op.inputs[:2])]


@pytest.mark.parametrize(("name", "method", "form"), FOUND)
def test_exactly_the_products_that_choose_are_found(name: str, method: str, form: Form, exported: Exported) -> None:
    graph = get_backend(name).read_graph(exported(name, method, form))
    chosen = [op for op in graph.ops if op.name in token_selection_ops(graph)]
    products = [op for op in chosen if op.macs]
    assert products == outside_of_attention(graph)
    assert len(products) == PRODUCTS[method, form]
    assert {op.kind for op in chosen} <= set(SELECTS)


@pytest.mark.parametrize(("name", "method", "form"), FOUND)
def test_nothing_of_the_model_itself_is_found(name: str, method: str, form: Form, exported: Exported) -> None:
    """No op that makes, or moves, what the blocks go on with: rows of all tokens, prefix included, or of those kept."""
    graph = get_backend(name).read_graph(exported(name, method, form))
    chosen = token_selection_ops(graph)
    joined = {(1, PREFIX + PATCHES, 48), (1, PREFIX + KEPT, 48), (1, PREFIX + PATCHES, 144), (1, PREFIX + KEPT, 192)}
    made = [op.name for op in graph.ops if op.name in chosen and graph.tensor[op.outputs[0]].shape in joined]
    assert made == []
    places = [place for place, op in enumerate(graph.ops) if op.name in chosen]
    layers = [place for place, op in enumerate(graph.ops) if op.kind == "linear"]
    behind = [place for place in layers if place > min(places)]
    assert max(places) < behind[1]  # the first layer behind may be written before the last op of the site


BACKENDS = [
    pytest.param(backend.name, marks=[pytest.mark.slow] if backend.name == "litert" else [])
    for backend in all_backends()
]
"""LiteRT's converter takes longest."""


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("kind", ["class token", "average without class"])
def test_a_dense_vision_transformer_chooses_nothing(name: str, kind: str, tmp_path: Path) -> None:
    backend = get_backend(name)
    graph = backend.read_graph(backend.export(capture(small_vit(kind, depth=1), (32, 32)), tmp_path))
    assert any(op.kind == "matmul" for op in graph.ops)
    assert token_selection_ops(graph) == ()


@pytest.mark.parametrize("name", BACKENDS)
def test_a_convolutional_network_chooses_nothing(name: str, tmp_path: Path) -> None:
    from edgevit.model.bundled.digits import digits_cnn

    backend = get_backend(name)
    graph = backend.read_graph(backend.export(capture(digits_cnn().eval(), (32, 32)), tmp_path))
    assert token_selection_ops(graph) == ()


def logits(name: str, path: Path, images: np.ndarray) -> np.ndarray:
    session = get_backend(name).open_session(path, 1, "f32")
    return np.concatenate([session.run((image[None],))[0] for image in images])


def quantize(name: str, scheme: str, parent: Path, images: np.ndarray, folder: Path, **changes: Any) -> Path:
    """As :func:`edgevit.artifacts.make.quantize` does, but for the check of its label."""
    from dataclasses import replace

    backend = get_backend(name)
    folder.mkdir(exist_ok=True)
    graph = backend.read_graph(parent)
    recipe = first_recipe(backend.policy, scheme, Target("transformer", False, "none", ("avx2", "avx512_vnni")))
    recipe = replace(recipe.resolved(graph.layers), **changes)
    return backend.quantize(parent, recipe, images if SCHEMES[scheme].calibrated else None, folder)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 32, 32)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "scheme"), QUANTIZED)
def test_quantizers_leave_the_choice_in_float(
    name: str, scheme: str, method: str, form: Form, exported: Exported, tmp_path: Path
) -> None:
    backend, parent, pixels = get_backend(name), exported(name, method, form, 2), images(64)
    kept = token_selection_ops(backend.read_graph(parent))
    made = quantize(name, scheme, parent, pixels[:16], tmp_path, float_layers=kept)
    graph = backend.read_graph(made)
    check_label(scheme, graph)
    assert touched_selection(graph) == ()
    products = [op for op in graph.ops if op.name in token_selection_ops(graph) and op.macs]
    assert len(products) == 2 * PRODUCTS[method, form]
    assert {op.numerics for op in products} == {"float"}
    wanted, found = logits(name, parent, pixels), logits(name, made, pixels)
    assert (wanted.argmax(1) == found.argmax(1)).mean() >= 0.9
    assert (
        np.square(wanted - wanted.mean(0)).sum() > 2.5 * np.square(wanted - found).sum()
    )  # 4 dB; 6.8 and more measured


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, scheme in QUANTIZED if scheme == "static_wi8_ai8"])
@pytest.mark.parametrize(("method", "form"), [("evit", "arithmetic"), ("squeeze", "gather")])
def test_also_where_all_products_are_quantized(
    name: str, method: str, form: Form, exported: Exported, tmp_path: Path
) -> None:
    """Policies mostly keep attention in float; without that, those that choose are still left alone, and only those."""
    backend, parent, pixels = get_backend(name), exported(name, method, form), images(16)
    kept = token_selection_ops(backend.read_graph(parent))
    whole = {"float_kinds": (), "float_layers": ()}
    left = backend.read_graph(
        quantize(name, "static_wi8_ai8", parent, pixels, tmp_path / "left", **{**whole, "float_layers": kept})
    )
    assert touched_selection(left) == ()
    if "matmul" in backend.schemes["static_wi8_ai8"]:
        touched = backend.read_graph(quantize(name, "static_wi8_ai8", parent, pixels, tmp_path / "touched", **whole))
        assert touched_selection(touched)
        with pytest.raises(CandidateFailed, match="choice of tokens would be made in integers"):
            check_label("static_wi8_ai8", touched)
