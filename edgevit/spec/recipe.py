"""Recipes: how a scheme is carried out for one model and one runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol, get_args

from edgevit.spec.schemes import SCHEMES

OpKind = Literal[
    "conv",
    "depthwise_conv",
    "linear",
    "matmul",
    "elementwise",
    "activation",
    "softmax",
    "normalization",
    "reduction",
    "pooling",
    "reshape",
    "layout",
    "gather",
    "topk",
    "quantize",
    "constant",
    "other",
]
"""Op families: "depthwise_conv" convolves each channel by itself; "matmul" multiplies two activations, "linear" an
activation by weights; "reshape" renames axes and moves nothing; "layout" moves data (transpose, slice, concat, pad);
"quantize" converts between number formats."""
LAYER_KINDS: tuple[OpKind, ...] = ("conv", "depthwise_conv", "linear")


RangeMethod = Literal["min_max", "mean_min_max", "mse", "percentile_99.999"]
"""How the range of an activation follows from calibration images: the extremes over all images; the mean over the
images of each one's extremes; the range with the least squared error; the values that all but 1 in 100,000 lie in."""

Rewrite = Literal[
    "class_token_only",
    "position_before_concat",
    "patches_as_linear",
    "explicit_attention",
    "split_query_key_value",
    "split_massive_neurons",
]
"""Exact rewrites of the captured graph, in the order in which they are done. Each is the function of this name in the
file of this name in :mod:`edgevit.quantization.rewrites`."""
ExportOption = Literal["fused_ops"]
"""Options of the exporter: "fused_ops" writes the runtime's newest fused ops (attention, GELU), which other readers of
the format may not know."""
QuantizerOption = Literal["polynomial_gelu", "tanh_gelu", "tuned_biases"]
"""Options of a backend's quantizer. Two compute GELU far closer than an int8 step: "polynomial_gelu" to 1.2e-3
(:mod:`edgevit.backends.openvino.gelu`), "tanh_gelu" to 4.8e-4 (:mod:`edgevit.backends.onnxruntime.gelu`). "tuned_biases" leaves
biases as fine-tuning made them, where the quantizer would correct them (NNCF)."""
WeightChange = Literal["equalize", "bias_correction"]
"""Changes of the captured graph's weights that calibration images decide (:mod:`edgevit.quantization.equalize`,
:mod:`edgevit.quantization.bias_correction`)."""
Preparation = Literal[Rewrite, ExportOption, QuantizerOption, WeightChange]
"""What is done to the model besides rounding."""
REWRITES: tuple[Rewrite, ...] = get_args(Rewrite)
WEIGHT_CHANGES: tuple[WeightChange, ...] = get_args(WeightChange)

IntegerIo = Literal["none", "int8", "uint8"]
"""Number format of the artifact's input and output: float, or integers throughout as some NPUs need it."""

LATER = "added after the first version of the document"
"""As :data:`edgevit.results.document.LATER`, which this package may not import."""

TRANSFORMER_FLOAT_KINDS: tuple[OpKind, ...] = (
    "elementwise", "activation", "softmax", "normalization", "reduction", "matmul",
)  # fmt: skip
"""Kept in float in a vision transformer: residual adds, GELU, LayerNorm, softmax, and its product with the values.
Quantizing them costs a ViT most of its accuracy (docs of TinyNeuralNetwork, NNCF's transformer mode)."""


class Layer(Protocol):
    """What a recipe needs to know about a layer."""

    @property
    def name(self) -> str:
        """Name of the op in the float artifact."""

    @property
    def kind(self) -> str:
        """Kind of the op, see :data:`edgevit.spec.recipe.OpKind`."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the numbers of an artifact, except its float parent and the calibration images."""

    scheme: str
    ranges: RangeMethod = "min_max"
    float_kinds: tuple[OpKind, ...] = ()
    """Ops of these kinds stay float in a static scheme."""
    float_layers: tuple[str, ...] = ()
    """Ops of the float parent, by name, that stay float."""
    float_stem: bool = False
    """Whether the convolution that reads the image stays float, and where a depthwise one follows it, that one and the
    next: with three input channels int8 gains little, and errors made first grow most."""
    float_below_mac_share: float = 0.0
    """Layers with a smaller share of the model's MACs stay float, for int8 would save no time there; 0..1."""
    preparations: tuple[Preparation, ...] = ()
    rounding: Literal["nearest", "gptq"] = "nearest"
    """GPTQ: Frantar et al., 2022."""
    reduce_range: bool = False
    """7-bit weights, for processors whose int8 instructions saturate (x86 without VNNI)."""
    integer_io: IntegerIo = "none"
    symmetric: Annotated[bool, LATER] = False
    """Whether static int8 keeps to what TensorRT reads: signed integers with the zero point 0, biases in float, weights in float
    behind quantize and dequantize. Of ONNX alone."""

    def after_tuning(self, *, corrects_biases: bool) -> Recipe:
        """Returns the recipe for weights that were tuned in its int8 numbers, without what would undo that.

        Tuning makes the int8 model answer like the dense one, however far its float model is from both. What draws the int8
        layers back towards that float model loses this again, as correcting biases does.

        Args:
            corrects_biases: Whether the backend's quantizer does so by itself.
        """
        kept = tuple(each for each in self.preparations if each not in WEIGHT_CHANGES)
        return replace(self, preparations=(*kept, "tuned_biases") if corrects_biases else kept)

    def resolved(self, layers: Sequence[Layer]) -> Recipe:
        """Returns the recipe with every layer that stays float by its position or size in ``float_layers``.

        Args:
            layers: Layers of the float parent, in order.
        """
        total = sum(layer.macs for layer in layers)
        separable = len(layers) > 1 and layers[1].kind == "depthwise_conv"
        stem = layers[: (3 if separable else 1) if self.float_stem else 0]
        small = [layer for layer in layers if layer.macs < self.float_below_mac_share * total]
        names = dict.fromkeys([*self.float_layers, *(layer.name for layer in (*stem, *small))])
        return replace(self, float_layers=tuple(names), float_stem=False, float_below_mac_share=0.0)

    @property
    def summary(self) -> str:
        """How it differs from the quantizer's defaults, in a few words."""
        parts = [self.ranges.replace("_", " ")] if SCHEMES[self.scheme].calibrated else []
        parts += [preparation.replace("_", " ") for preparation in self.preparations]
        if self.float_stem:
            parts.append("stem in float")
        if self.float_below_mac_share:
            parts.append(f"layers below {self.float_below_mac_share:.2%} of the MACs in float")
        if self.float_layers:
            parts.append(f"{len(self.float_layers)} layers in float")
        if self.rounding != "nearest":
            parts.append(self.rounding)
        if self.reduce_range:
            parts.append("7-bit weights")
        if self.symmetric:
            parts.append("symmetric, for TensorRT")
        if self.integer_io != "none":
            parts.append(f"{self.integer_io} in and out")
        return ", ".join(parts) or "as the runtime's quantizer does by default"
