"""All rewrites together: the same logits, models that are left alone, and what every backend makes of the result."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

import edgevit.quantization.rewrites as package  # noqa: E402
from edgevit.backends import all_backends  # noqa: E402
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn, digits_vit  # noqa: E402
from edgevit.model.program.capture import load_program, save_program  # noqa: E402
from edgevit.quantization.rewrites import IMAGES, TOLERANCE, find_rewrite, rewrite  # noqa: E402
from edgevit.spec.recipe import REWRITES, Rewrite  # noqa: E402
from edgevit.spec.token_plan import Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.models import DEPTH, difference, images, program, sharpen, vit  # noqa: E402

POSITION = {"position_before_concat": 1}
STEM = {**POSITION, "patches_as_linear": 1}
ATTENTIONS = {"explicit_attention": DEPTH, "split_query_key_value": DEPTH}
THREE_ATTENTIONS = {"explicit_attention": 3, "split_query_key_value": 3}


def reduced(method: str, form: Form = "gather", **given: Any) -> nn.Module:
    """Two blocks that tokens leave, then a plain one."""
    return reduce_tokens(vit(depth=3, **given), parse_plan(f"{method}:0.7@1,2"), form)


def timm_model(name: str, attention: float = 12, **given: Any) -> nn.Module:
    import timm

    torch.manual_seed(0)
    return sharpen(timm.create_model(name, num_classes=5, **given), attention)


@pytest.mark.parametrize(
    ("make", "side", "changed"),
    [
        (vit, 32, {"class_token_only": 1, **STEM, **ATTENTIONS}),
        pytest.param(
            lambda: vit(distilled=True), 32, {"class_token_only": 1, **STEM, **ATTENTIONS}, marks=pytest.mark.slow
        ),
        pytest.param(lambda: vit(global_pool="avg"), 32, {**STEM, **ATTENTIONS}, marks=pytest.mark.slow),
        pytest.param(
            lambda: reduced("evit"), 32, {"class_token_only": 1, **STEM, **THREE_ATTENTIONS}, marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: reduced("evit_fused", "arithmetic"),
            32,
            {"class_token_only": 1, **STEM, **THREE_ATTENTIONS},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: reduced("tome"), 32, {"class_token_only": 1, **STEM, **THREE_ATTENTIONS}, marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: reduced("squeeze", "arithmetic"),
            32,
            {"class_token_only": 1, **STEM, **THREE_ATTENTIONS},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: reduced("tome", global_pool="avg"), 32, {**STEM, **THREE_ATTENTIONS}, marks=pytest.mark.slow
        ),
        pytest.param(
            lambda: sharpen(digits_vit()),
            32,
            {"class_token_only": 1, **STEM, "explicit_attention": 6, "split_query_key_value": 6},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: timm_model("test_vit", img_size=64),
            64,
            {"class_token_only": 1, **POSITION, "explicit_attention": 6, "split_query_key_value": 6},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_logits_stay(make: Callable[[], nn.Module], side: int, changed: dict[str, int]) -> None:
    before = program(make(), side)
    rewritten = rewrite(before, REWRITES, images(side=side))
    assert {name: count for name, count in rewritten.changed.items() if count} == changed
    assert list(rewritten.changed) == list(REWRITES)
    assert difference(before, rewritten.program, side) <= TOLERANCE
    assert rewritten.program.graph_signature.user_inputs == before.graph_signature.user_inputs


@pytest.mark.parametrize(
    "make", [digits_cnn, lambda: timm_model("test_efficientnet"), lambda: timm_model("test_resnet")]
)
def test_convolutional_networks_are_left_alone(make: Callable[[], nn.Module]) -> None:
    before = program(make(), 64)
    rewritten = rewrite(before, REWRITES)
    assert rewritten.program is before
    assert not any(rewritten.changed.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("swin_tiny_patch4_window7_224", 224),
        ("levit_128s", 224),
        ("mobilevit_xxs", 128),
        ("mobilevitv2_050", 128),
        ("efficientformer_l1", 224),
        ("edgenext_xx_small", 128),
        ("coatnet_nano_rw_224", 224),
        ("cait_xxs24_224", 224),
        ("crossvit_tiny_240", 240),
        ("deit3_small_patch16_224", 224),
    ],
)
def test_other_families_keep_their_logits(name: str, side: int) -> None:
    before = program(timm_model(name, attention=1), side)
    rewritten = rewrite(before, REWRITES)  # compares the logits
    assert bool(rewritten.changed["class_token_only"]) is (name == "deit3_small_patch16_224")


def test_names_are_done_in_their_own_order() -> None:
    names = ("explicit_attention", "class_token_only")
    assert list(rewrite(program(vit()), names).changed) == ["class_token_only", "explicit_attention"]


def test_the_callers_program_stays_as_it_is() -> None:
    before = program(vit())
    nodes, state = [str(node) for node in before.graph.nodes], {k: v.clone() for k, v in before.state_dict.items()}
    rewrite(before, REWRITES)
    assert [str(node) for node in before.graph.nodes] == nodes
    assert list(before.state_dict) == list(state)
    assert all(torch.equal(before.state_dict[key], value) for key, value in state.items())


def test_a_few_images_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def see(_: fx.GraphModule, given: np.ndarray) -> int:
        seen.append(given)
        return 0

    monkeypatch.setattr("edgevit.quantization.rewrites.split_massive_neurons.split_massive_neurons", see)
    before, many = program(vit()), images(30)
    rewrite(before, ("split_massive_neurons",), many)
    rewrite(before, ("split_massive_neurons",))
    assert np.array_equal(seen[0], many[:24:3])
    assert len(seen[0]) == IMAGES
    assert np.array_equal(seen[1], before.example_inputs[0][0].numpy())  # type: ignore[index]


@pytest.mark.parametrize("factor", [1.001, float("nan")])
def test_other_logits_fail(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    def spoil(module: fx.GraphModule, _: np.ndarray) -> int:
        for node in module.graph.nodes:
            if node.op == "output":
                (logits,) = node.args[0]
                with module.graph.inserting_before(node):
                    node.args = ((module.graph.call_function(torch.ops.aten.mul.Tensor, (logits, factor)),),)
        return 1

    monkeypatch.setattr("edgevit.quantization.rewrites.explicit_attention.explicit_attention", spoil)
    with pytest.raises(CandidateFailed, match="explicit_attention changed the logits by"):
        rewrite(program(vit()), ("explicit_attention",))


def test_an_unknown_name_fails() -> None:
    with pytest.raises(UsageError, match="unknown rewrite: 'class_token'") as caught:
        rewrite(program(vit()), ("class_token",))
    assert "class_token_only" in str(caught.value.hint)


def test_no_images_fail() -> None:
    with pytest.raises(UsageError, match="no calibration images"):
        rewrite(program(vit()), ("class_token_only",), images(0))


@pytest.mark.parametrize("name", REWRITES)
def test_every_name_has_its_file_and_function(name: Rewrite) -> None:
    function = find_rewrite(name)
    assert function.__module__ == f"edgevit.quantization.rewrites.{name}"
    assert list(inspect.signature(function).parameters) == ["module", "images"]


def test_every_file_is_a_rewrite_or_what_several_share() -> None:
    files = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert files == {*REWRITES, "__init__", "packed_attention"}


@pytest.mark.slow
@pytest.mark.parametrize("make", [vit, lambda: reduced("tome"), lambda: reduced("squeeze", "arithmetic")])
@pytest.mark.parametrize("backend", all_backends(), ids=lambda backend: backend.name)
def test_every_backend_exports_what_comes_out(backend: Any, make: Callable[[], nn.Module], tmp_path: Path) -> None:
    rewritten = rewrite(program(make()), REWRITES).program
    save_program(rewritten, tmp_path / "p.pt2")
    main = backend.export(load_program(tmp_path / "p.pt2"), tmp_path)
    session = backend.open_session(main, 1, "f32")
    expected = rewritten.module()(torch.from_numpy(images(1))).detach().numpy()  # type: ignore[operator]
    (logits,) = session.run((images(1),))
    assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()
