"""Encoders that are not timm's, with fewer tokens, on every backend: parity, and which ops choose tokens."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.artifacts.verify import FLOAT_TOLERANCE  # noqa: E402
from edgevit.backends import backend_names, get_backend  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.spec.token_plan import FORMS, Form, parse_plan  # noqa: E402
from edgevit.tokens.captured.model import reduce_captured  # noqa: E402
from edgevit.tokens.selection_ops import token_selection_ops  # noqa: E402

# isort: split
from tests.encoders import ENCODERS, encoder, own_gated, post_norm  # noqa: E402
from tests.models import image  # noqa: E402

SIZE = (32, 32)
PRODUCTS: dict[tuple[str, Form], int] = {
    ("evit", "gather"): 1, ("evit", "arithmetic"): 2, ("squeeze", "gather"): 3, ("squeeze", "arithmetic"): 4,
    ("tome", "gather"): 2, ("tome", "arithmetic"): 3, ("evit_fused", "gather"): 1, ("evit_fused", "arithmetic"): 2,
}  # fmt: skip
"""Products of two activations at one site: scores, similarities, merging, rows."""
MODELS: dict[str, Callable[[], nn.Module]] = {
    **{name: functools.partial(encoder, name) for name in ENCODERS},
    "gated": own_gated,
    "norm last": post_norm,
    "norm last, tokens first": functools.partial(post_norm, batch_first=False),
}
EACH_TIME = ("onnxruntime", "torchvision", "squeeze", "gather")
"""Tested each time; all others are slow."""
CASES = [
    pytest.param(*case, id="-".join(case), marks=[] if case == EACH_TIME else [pytest.mark.slow])
    for backend in backend_names()
    for name in MODELS
    for case in ((backend, name, "squeeze", "gather"), (backend, name, "tome", "arithmetic"))
]
pytestmark = pytest.mark.usefixtures("one_thread")


@functools.cache
def captured(name: str, method: str, form: Form) -> Any:
    return capture(reduce_captured(MODELS[name](), parse_plan(f"{method}:1=40,3=24"), form, SIZE), SIZE)


@pytest.mark.parametrize(("name", "model", "method", "form"), CASES)
def test_exports_give_the_same_logits_and_their_choice_is_found(
    name: str, model: str, method: str, form: Form, tmp_path: Path
) -> None:
    backend, program = get_backend(name), captured(model, method, form)
    path = backend.export(program, tmp_path)
    session, module = backend.open_session(path, 1, "f32"), cast(nn.Module, program.module())
    pixels = [image(seed) for seed in range(3)]
    with torch.inference_mode():
        known = np.concatenate([module(each).numpy() for each in pixels])
    found = np.concatenate([session.run((each.numpy(),))[0] for each in pixels])
    assert known.std(axis=0).max() > 0.01
    assert np.abs(found - known).max() <= FLOAT_TOLERANCE * np.abs(known).max()
    graph = backend.read_graph(path)
    chosen = set(token_selection_ops(graph))
    products = [op for op in graph.ops if op.name in chosen and op.macs]
    assert len(products) == 2 * PRODUCTS[method, form]


def test_every_case_is_of_a_known_method() -> None:
    assert {form for _, form in PRODUCTS} == set(FORMS)
