"""Every backend with every token reduction method in both export forms; new ones need no change here."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.artifacts.feed import run_once  # noqa: E402
from edgevit.artifacts.verify import FLOAT_TOLERANCE, UNDECIDED_MARGIN, compare  # noqa: E402
from edgevit.backends import Session, backend_names, get_backend  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.graph import Graph  # noqa: E402
from edgevit.spec.token_plan import FORMS, METHODS, Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.reduction import CutMargins  # noqa: E402

# isort: split
from tests.models import SMALL_VIT_PATCHES, image, small_vit, swap_patches  # noqa: E402

SITES = "1=40,2=20"
ROUNDING = 1e-5
"""Largest relative difference between the forms, which compute the same but for the order of sums."""
FAST = ("tome", "squeeze")
FAST_ON_LITERT: tuple[str, ...] = ()
"""Methods not marked as slow: they use every op that the others use, and LiteRT's conversion takes seconds."""
SELECTING = (
    "topk", "sort", "argmax", "argmin", "gather", "embeddinglookup", "scatter", "onehot", "equal", "greater", "less",
    "where", "select", "nonzero", "unique", "cumsum", "dynamicslice", "dynamicupdateslice", "trilu", "eyelike",
)  # fmt: skip
"""Parts of the names of ops that select or compare, in all formats, in lower case and without underscores."""


def cases(*others: str) -> list[Any]:
    """Every backend with every method (and form); those that take long are marked."""
    return [
        pytest.param(
            backend,
            method,
            *rest,
            id="-".join((backend, method, *rest)),
            marks=[] if method in (FAST_ON_LITERT if backend == "litert" else FAST) else [pytest.mark.slow],
        )
        for backend in backend_names()
        for method in METHODS
        for rest in ([(other,) for other in others] or [()])
    ]


every_form = pytest.mark.parametrize(("backend", "method", "form"), cases(*FORMS))
every_method = pytest.mark.parametrize(("backend", "method"), cases())


pytestmark = pytest.mark.usefixtures("one_thread")


def vit(key: float = 1.0) -> Any:
    """Returns a ViT whose first block scores all patches of an image without blue equally, bit for bit.

    Half of the channels of a patch depend on its blue alone, and the keys of the first block on these channels alone; no
    normalization mixes them with the others. Without blue they are zero, and all keys are the bias: ``key`` in the first
    channel of each head, 0 in the others, so that products with it have one term and round the same in every runtime.
    The patches still differ in the other half, so that it matters which of them are kept.

    There is no position embedding, so that patches of one colour are equal in all blocks. The head reads the mean of all
    patches; the class token, which ranks them, does not depend on what is pruned after the last attention.
    """
    model = small_vit("average", depth=2, pos_embed="none")
    first, proj, width = model.blocks[0], model.patch_embed.proj, model.embed_dim
    first.norm1 = nn.Identity()
    with torch.no_grad():
        nn.init.normal_(model.cls_token)
        proj.weight.mul_(2)
        proj.weight[: width // 2, 2] = 0
        proj.weight[width // 2 :, :2] = 0
        proj.bias[width // 2 :] = 0
        keys = first.attn.qkv.weight[width : 2 * width]
        keys[:, : width // 2] = 0
        biases = first.attn.qkv.bias[width : 2 * width].view(first.attn.num_heads, -1)
        biases[:] = 0
        biases[:, 0] = key
    return model


def images() -> dict[str, Tensor]:
    """Returns images by their special property, each float32 [2, 3, 32, 32].

    Equal patches occur only in an image of one colour: among others, rounding would decide which of the equal tokens, of
    different sizes, another one is merged into.
    """
    without_blue = image(2, batch=2)
    without_blue[:, 2] = 0
    one_colour = image(1, batch=2)[:, :, :1, :1].expand(2, 3, 32, 32).contiguous()
    return {"noise": image(0, batch=2), "one colour": one_colour, "equal keys": without_blue}


@functools.cache
def reduced(method: str, form: Form) -> nn.Module:
    return reduce_tokens(vit(), parse_plan(f"{method}:{SITES}"), form)


@functools.cache
def captured(method: str, form: Form) -> Any:
    return capture(reduced(method, form), (32, 32))


@dataclass(frozen=True)
class Exported:
    """A loaded artifact and its logits."""

    path: Path
    session: Session
    graph: Graph
    logits: dict[str, np.ndarray]
    """float32 [n, classes] for :func:`images`, by name."""


Export = Callable[[str, str, Form], Exported]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Returns a function that exports each backend, method and form once."""

    @functools.cache
    def make(name: str, method: str, form: Form) -> Exported:
        backend = get_backend(name)
        path = backend.export(captured(method, form), tmp_path_factory.mktemp(f"{name}-{method}-{form}"))
        session = backend.open_session(path, 1, "f32")
        answers = {kind: exported_logits(session, pixels) for kind, pixels in images().items()}
        return Exported(path, session, backend.read_graph(path), answers)

    return make


def logits(module: nn.Module, pixels: Tensor) -> Tensor:
    """Returns logits float32 [n, classes], computed one image at a time as artifacts do."""
    with torch.inference_mode():
        return torch.cat([module(one[None]) for one in pixels])


def exported_logits(session: Session, pixels: Tensor) -> np.ndarray:
    return np.concatenate([run_once(session, one[None].numpy()) for one in pixels])


def ops_named(graph: Graph, *parts: str) -> Counter[str]:
    """Counts the ops of a graph whose name contains one of these."""
    names = [op.native for op in graph.ops]
    return Counter(name for name in names if any(part in name.lower().replace("_", "") for part in parts))


# Preconditions of the other tests.


@pytest.mark.parametrize("method", METHODS)
def test_images_are_what_they_are_called(method: str) -> None:
    """On noise all margins are large; for equal keys they are zero, and another selection gives other logits."""
    module, given = reduced(method, "gather"), images()
    margins = {name: logits(CutMargins(cast(Any, module)), pixels) for name, pixels in given.items()}
    assert margins["noise"].min() > UNDECIDED_MARGIN
    assert margins["one colour"].tolist() == margins["equal keys"].tolist() == [[0.0], [0.0]]
    expected = logits(module, given["equal keys"])
    others = logits(module, swap_patches(given["equal keys"], range(SMALL_VIT_PATCHES - 1, -1, -1)))
    assert (others - expected).abs().max() > 1000 * FLOAT_TOLERANCE * expected.abs().max()


# Every backend.


@every_form
def test_exported_logits_are_pytorchs(backend: str, method: str, form: Form, export: Export) -> None:
    for kind, found in export(backend, method, form).logits.items():
        expected = logits(reduced(method, form), images()[kind]).numpy()
        assert np.ptp(expected, axis=0).max() > 0.01 * np.abs(expected).max(), "logits that do not depend on the image"
        verification = compare(found, expected, "pytorch", FLOAT_TOLERANCE)
        assert verification.passed, (kind, verification)


@every_method
def test_both_forms_agree(backend: str, method: str, export: Export) -> None:
    gathered, computed = (export(backend, method, form).logits for form in FORMS)
    for kind, found in computed.items():
        assert np.abs(found - gathered[kind]).max() <= ROUNDING * np.abs(gathered[kind]).max(), kind


@every_form
def test_shapes_are_static(backend: str, method: str, form: Form, export: Export) -> None:
    """No dimension is dynamic, no shape is computed at run time, and no op is of unknown kind, as NonZero and loops are."""
    made = export(backend, method, form)
    assert all(type(length) is int and length > 0 for tensor in made.graph.tensors for length in tensor.shape)
    assert not {op.native for op in made.graph.ops if op.kind in ("constant", "other")}
    assert not ops_named(made.graph, "where", "select", "nonzero", "unique", "compress")
    if backend == "litert":  # the other readers refuse dynamic shapes; this one takes the shapes of an example
        assert dynamic_tensors(made.path) == []


def dynamic_tensors(path: Path) -> list[bytes]:
    """Returns the names of the tensors with dynamic shapes in a TFLite file of one subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    (subgraph,) = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs
    signatures = {tensor.name: tensor.shapeSignature for tensor in subgraph.tensors}
    return [name for name, signature in signatures.items() if signature is not None and min(signature, default=0) < 0]


@every_form
def test_only_the_gather_form_has_selecting_ops(backend: str, method: str, form: Form, export: Export) -> None:
    graph = export(backend, method, form).graph
    if form == "gather":  # which proves that these names would find them
        assert ops_named(graph, "topk")
        assert ops_named(graph, "gather", "embeddinglookup")
        assert bool(ops_named(graph, "equal")) == (method in ("tome", "squeeze"))
        return
    # ONNX and OpenVINO fetch a class token for the head by a Gather at a constant index, also in models that keep all
    # tokens; it needs no exception here, since the head of this model reads a mean.
    assert not ops_named(graph, *SELECTING)


@pytest.mark.parametrize(("backend", "method"), [case for case in cases() if case.values[0] == "litert"])
def test_litert_runs_the_arithmetic_form_in_one_piece(
    backend: str, method: str, export: Export, request: pytest.FixtureRequest
) -> None:
    assert export(backend, method, "gather").session.delegate != "XNNPACK, 1 partition"  # XNNPACK has no TopK
    assert export(backend, method, "arithmetic").session.delegate == "XNNPACK, 1 partition"


@pytest.mark.parametrize(
    "backend", [pytest.param(name, marks=[pytest.mark.slow] if name == "litert" else []) for name in backend_names()]
)
def test_keys_of_zeros_can_be_compared(backend: str, tmp_path: Path) -> None:
    """They are equally similar to all others, see :func:`edgevit.tokens.maths.cosine`."""
    module, pixels = reduce_tokens(vit(key=0.0), parse_plan("tome:1=40")), images()["equal keys"]
    path = get_backend(backend).export(capture(module, (32, 32)), tmp_path)
    found = exported_logits(get_backend(backend).open_session(path, 1, "f32"), pixels)
    assert compare(found, logits(module, pixels).numpy(), "pytorch", FLOAT_TOLERANCE).passed
