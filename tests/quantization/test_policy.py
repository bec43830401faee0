"""The policy: a first recipe for every kind of target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.backends import all_backends, get_backend
from edgevit.quantization.policy import Target, first_guess, first_recipe
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
