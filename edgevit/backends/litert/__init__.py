"""LiteRT (formerly TensorFlow Lite) and its format, TFLite."""

from __future__ import annotations

from edgevit.backends import Backend
from edgevit.quantization.arithmetic import Int8Arithmetic
from edgevit.quantization.policy import FirstGuess
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS, OpKind

_STATIC: tuple[OpKind, ...] = (
    *LAYER_KINDS, "matmul", "elementwise", "activation", "softmax", "normalization", "reduction", "pooling", "reshape", "layout",
    "gather",
)  # fmt: skip

SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "fp16": LAYER_KINDS,
    "dynamic_wi8_afp32": LAYER_KINDS,
    "static_wi8_ai8": _STATIC,
    "mixed_wi8_ai8": _STATIC,
    "static_wi8_ai16": _STATIC,
    "weight_only_wi8_afp32": LAYER_KINDS,
    "weight_only_wi4_afp32": LAYER_KINDS,
}
POLICY = (
    FirstGuess(
        architecture="transformer",
        unit="cpu",
        schemes=("dynamic_wi8_afp32", "static_wi8_ai8"),
        ranges=("min_max", "mse", "percentile_99.999"),
        float_kinds=TRANSFORMER_FLOAT_KINDS,
        rewrites={"int8_dynamic": ("class_token_only", "patches_as_linear", "explicit_attention")},
    ),
    FirstGuess(
        architecture="transformer",
        unit="npu",
        schemes=("static_wi8_ai8", "static_wi8_ai16", "fp16"),
        ranges=("min_max", "mse", "percentile_99.999"),
    ),
    FirstGuess(
        architecture="cnn",
        unit="cpu",
        schemes=("static_wi8_ai8", "dynamic_wi8_afp32"),
        ranges=("mean_min_max", "mse", "percentile_99.999"),
    ),
    FirstGuess(
        architecture="cnn",
        unit="npu",
        schemes=("static_wi8_ai8", "static_wi8_ai16"),
        ranges=("mean_min_max", "mse", "percentile_99.999"),
    ),
)
"""XNNPACK has dynamic int8 for linear layers, and static int8 for convolutions but not for GELU or LayerNorm."""

BACKEND = Backend(
    name="litert",
    title="LiteRT",
    format="tflite",
    suffix=".tflite",
    most_bytes=2**31 - 1,
    runtime="ai-edge-litert",
    makers=("torch", "litert-torch", "ai-edge-quantizer"),
    makers_platforms=(("linux", "x86_64"), ("darwin", "arm64")),
    schemes=SCHEMES,
    policy=POLICY,
    gptq_schemes=("weight_only_wi4_afp32",),
    has_integer_io=True,
    arithmetic=Int8Arithmetic(linear_ranges="row", folded_into_linear="scale and shift"),
)
