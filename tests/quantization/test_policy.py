"""The policy: a first recipe for every kind of target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevit.backends import all_backends, get_backend
from edgevit.quantization.policy import FirstGuess, Target, first_guess, first_recipe
from edgevit.spec.recipe import TRANSFORMER_FLOAT_KINDS
from edgevit.spec.schemes import SCHEMES

CPU = Target("transformer", False, "none", ("avx2", "avx512_vnni"))
CNN = replace(CPU, architecture="cnn")
NPU = replace(CPU, npu=True)


def test_what_wins_depends_on_architecture_and_runtime() -> None:
    first = {
        (backend.name, target.architecture): first_guess(backend.policy, target).schemes[0]
        for backend in all_backends()
        for target in (CPU, CNN)
    }
    assert first["litert", "transformer"] == first["onnxruntime", "transformer"] == "dynamic_wi8_afp32"
    assert first["litert", "cnn"] == first["onnxruntime", "cnn"] == "static_wi8_ai8"
    assert first["openvino", "transformer"] == first["openvino", "cnn"] == "static_wi8_ai8"


@pytest.mark.parametrize("backend", all_backends(), ids=lambda backend: backend.name)
def test_npus_get_static_int8_first(backend: object) -> None:
    for architecture in ("transformer", "cnn"):
        target = replace(NPU, architecture=architecture)
        assert first_guess(backend.policy, target).schemes[0] == "static_wi8_ai8"  # type: ignore[attr-defined]


def test_a_transformers_adds_stay_float_unless_everything_has_to_be_an_integer() -> None:
    policy = get_backend("tflite").policy
    assert first_recipe(policy, "static_wi8_ai8", CPU).float_kinds == TRANSFORMER_FLOAT_KINDS
    integers = first_recipe(policy, "static_wi8_ai8", replace(CPU, integer_io="uint8"))
    assert (integers.float_kinds, integers.integer_io) == ((), "uint8")


@pytest.mark.parametrize(
    ("isa", "reduced"),
    [
        (("avx2", "avx512f", "avx512_vnni"), False),
        (("avx2", "avx_vnni"), False),
        (("avx2",), True),
        (("avx2", "avx512f"), True),
        (("asimd", "asimddp"), False),
        ((), False),
    ],
)
def test_x86_without_vnni_gets_a_reduced_range(isa: tuple[str, ...], reduced: bool) -> None:
    target = replace(CNN, isa=isa)
    for backend in all_backends():
        assert first_recipe(backend.policy, "static_wi8_ai8", target).reduce_range == reduced
        assert not first_recipe(backend.policy, "weight_only_wi8_afp32", target).reduce_range


@pytest.mark.parametrize("backend", all_backends(), ids=lambda backend: backend.name)
def test_float_schemes_are_left_as_they_are(backend: object) -> None:
    for scheme in backend.schemes:  # type: ignore[attr-defined]
        if scheme != "fp32" and not SCHEMES[scheme].is_int8:
            recipe = first_recipe(backend.policy, scheme, CPU)  # type: ignore[attr-defined]
            assert (recipe.preparations, recipe.float_stem, recipe.float_below_mac_share) == ((), False, 0.0)


def guess(scheme: str, **changes: Any) -> FirstGuess:
    given = {"architecture": "cnn", "unit": "cpu", "schemes": (scheme,), "ranges": ("min_max",)}
    return FirstGuess(**{**given, **changes})


VNNI = guess("static_wi8_ai8", isa=("avx512_vnni", "avx_vnni"))
DOTPROD = guess("mixed_wi8_ai8", isa=("asimddp",))
GENERAL = guess("dynamic_wi8_afp32")
TRANSFORMERS = guess("bf16", architecture="transformer", isa=("amx_bf16",))


@pytest.mark.parametrize(
    ("isa", "scheme"),
    [
        (("avx2", "avx_vnni"), "static_wi8_ai8"),
        (("avx2", "avx512_vnni", "avx_vnni"), "static_wi8_ai8"),
        (("asimd", "asimddp"), "mixed_wi8_ai8"),
        (("avx2",), "dynamic_wi8_afp32"),
        (("avx2", "amx_bf16"), "dynamic_wi8_afp32"),
        (("avx",), "dynamic_wi8_afp32"),
        ((), "dynamic_wi8_afp32"),
    ],
)
def test_a_guess_may_name_instruction_sets_of_which_one_is_enough(isa: tuple[str, ...], scheme: str) -> None:
    policy = (TRANSFORMERS, VNNI, DOTPROD, GENERAL)
    assert first_guess(policy, replace(CNN, isa=isa)).schemes == (scheme,)
    assert first_recipe(policy, "static_wi8_ai8", replace(CNN, isa=isa)).scheme == "static_wi8_ai8"


def test_the_first_guess_that_fits_is_taken() -> None:
    assert first_guess((GENERAL, VNNI), CNN) is GENERAL


def test_a_guess_for_the_unit_comes_before_one_for_the_instruction_set() -> None:
    npu = guess("fp16", unit="npu")
    target = replace(CNN, npu=True)
    assert first_guess((VNNI, GENERAL, npu), target) is npu
    assert first_guess((replace(npu, isa=("asimddp",)), GENERAL), target) is GENERAL


def test_instruction_sets_change_the_recipe() -> None:
    stem = guess("static_wi8_ai8", isa=("avx_vnni",), float_stem=True)
    for isa, float_stem in ((("avx_vnni",), True), (("avx2",), False)):
        assert first_recipe((stem, GENERAL), "static_wi8_ai8", replace(CNN, isa=isa)).float_stem == float_stem


@pytest.mark.parametrize("backend", all_backends(), ids=lambda backend: backend.name)
def test_every_policy_serves_every_host(backend: object) -> None:
    for target in (CPU, CNN, NPU, replace(CNN, npu=True)):
        assert first_guess(backend.policy, replace(target, isa=())).isa == ()  # type: ignore[attr-defined]


def test_symmetric_int8_is_for_tensorrt_and_static_onnx_alone() -> None:
    target = replace(NPU, symmetric=True)
    for backend in all_backends():
        for scheme in backend.schemes:
            if not SCHEMES[scheme].is_float:
                expected = backend.name == "onnxruntime" and SCHEMES[scheme].numerics == "int8_static"
                assert first_recipe(backend.policy, scheme, target).symmetric == expected
                assert not first_recipe(backend.policy, scheme, NPU).symmetric
