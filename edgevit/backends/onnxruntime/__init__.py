"""ONNX Runtime and its format, ONNX."""

from __future__ import annotations

from edgevit.backends import Backend
from edgevit.quantization.policy import FirstGuess
from edgevit.spec.recipe import LAYER_KINDS, TRANSFORMER_FLOAT_KINDS, OpKind, Rewrite

SCHEMES: dict[str, tuple[OpKind, ...]] = {
    "fp32": (),
    "dynamic_wi8_afp32": ("linear",),
    "static_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "activation", "pooling", "reduction", "layout", "gather"),
    "mixed_wi8_ai8": (*LAYER_KINDS, "matmul", "elementwise", "activation", "pooling", "reduction", "layout", "gather"),
    "weight_only_wi8_afp32": ("linear",),
    "weight_only_wi4_afp32": ("linear",),
}
"""No fp16 and bf16: the CPU execution provider has no such kernels and would cast back and forth. No int16 activations:
it computes them in float. Dynamic convolutions (ConvInteger) are slower than float ones, so they stay float."""
_REWRITES: tuple[Rewrite, ...] = (
    "class_token_only", "position_before_concat", "split_query_key_value", "split_massive_neurons",
)  # fmt: skip
POLICY = (
    FirstGuess(
        architecture="transformer",
        unit="cpu",
        has_symmetric=True,
        schemes=("dynamic_wi8_afp32", "static_wi8_ai8"),
        ranges=("min_max", "mse", "percentile_99.999"),
        float_kinds=TRANSFORMER_FLOAT_KINDS,
        rewrites={
            "int8_dynamic": (*_REWRITES, "fused_ops", "tanh_gelu"),
            "int8_static": _REWRITES,
        },
        float_below_mac_share=0.001,
    ),
    FirstGuess(
        architecture="transformer",
        unit="npu",
        has_symmetric=True,
        schemes=("static_wi8_ai8",),
        ranges=("min_max", "mse", "percentile_99.999"),
        float_kinds=TRANSFORMER_FLOAT_KINDS,
    ),
    FirstGuess(
        architecture="cnn",
        unit="cpu",
        has_symmetric=True,
        schemes=("static_wi8_ai8", "dynamic_wi8_afp32"),
        ranges=("mean_min_max", "mse", "percentile_99.999"),
        float_stem=True,
    ),
    FirstGuess(
        architecture="cnn",
        unit="npu",
        has_symmetric=True,
        schemes=("static_wi8_ai8",),
        ranges=("mean_min_max", "mse", "percentile_99.999"),
    ),
)

BACKEND = Backend(
    name="onnxruntime",
    title="ONNX Runtime",
    format="onnx",
    suffix=".onnx",
    most_bytes=2**31 - 1,
    runtime="onnxruntime",
    makers=("torch", "onnx", "onnxscript"),
    schemes=SCHEMES,
    policy=POLICY,
)
"""Without GPTQ: its quantizer delegates that to neural-compressor, on which edgevit does not depend."""
