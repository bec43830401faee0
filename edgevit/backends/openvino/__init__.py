"""OpenVINO and its format, IR (an .xml and a .bin)."""

from __future__ import annotations

from edgevit.backends import Backend
from edgevit.quantization.arithmetic import Int8Arithmetic
from edgevit.quantization.policy import FirstGuess
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS, OpKind

SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "fp16": LAYER_KINDS,
    "bf16": (*LAYER_KINDS, "matmul", "elementwise", "activation", "softmax", "normalization", "reduction", "pooling"),
    "static_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "pooling"),
    "mixed_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "pooling"),
    "weight_only_wi8_afp32": LAYER_KINDS,
    "weight_only_wi4_afp32": LAYER_KINDS,  # NNCF gives convolutions int8 weights
}
"""No dynamic schemes: the CPU plugin quantizes activations at run time for weight-compressed language models only."""
POLICY = (
    FirstGuess(
        architecture="transformer",
        unit="cpu",
        schemes=("static_wi8_ai8", "bf16"),
        ranges=("mean_min_max", "min_max", "mse", "percentile_99.999"),
        float_kinds=TRANSFORMER_FLOAT_KINDS,
        rewrites={
            "int8_static": ("class_token_only", "split_massive_neurons", "explicit_attention", "polynomial_gelu")
        },
        float_below_mac_share=0.001,
    ),
    FirstGuess(
        architecture="cnn",
        unit="cpu",
        schemes=("static_wi8_ai8", "bf16"),
        ranges=("mean_min_max", "min_max", "mse", "percentile_99.999"),
    ),
)

BACKEND = Backend(
    name="openvino",
    title="OpenVINO",
    format="openvino",
    suffix=".xml",
    runtime="openvino",
    makers=("torch", "nncf"),
    schemes=SCHEMES,
    policy=POLICY,
    width_step=16,
    gptq_schemes=("weight_only_wi4_afp32",),
    arithmetic=Int8Arithmetic(
        folded_into_linear="shift",
        rounds_query_and_key=True,
        symmetric_ranges=True,
        depthwise_ranges="channel",
        corrects_biases=True,
    ),
)
