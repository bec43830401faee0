"""One exported model: its files, inputs, outputs and preprocessing, and the passes that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgevit.results.alias import alias
from edgevit.results.document import LATER


@dataclass(frozen=True)
class Tiles:
    """How a large image is cut into tiles that are fed one by one, and what is made of their outputs.

    An image that is no larger than a tile is fed as a whole, see :class:`Preprocessing`.
    """

    size: tuple[int, int]
    """Height and width of a tile, in pixels of the image; a tile is resized to the input size, and not cropped."""
    overlap: float
    """Share of a tile, 0..0.9, that neighbours have in common at least."""
    reduce: Literal["mean", "max", "best"]
    """Of the probabilities of the tiles: their mean; the largest of each class; or those of the most confident tile. Maps are blended
    over the overlap, which is their mean."""

    def __str__(self) -> str:
        height, width = self.size
        size = f"{height}" if height == width else f"{height}x{width}"
        return f"size={size},overlap={self.overlap:g},reduce={self.reduce}"


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of an image for the model, in timm's terms.

    The image is resized to ``floor(input_size / crop_pct)``, by its shorter side (``crop_mode`` "center") or by both
    sides whatever its aspect ratio ("squash"), and the centre is cropped; then ``(pixel / 255 - mean) / std`` per
    channel. An array (``input`` "array") is taken as it is: ``(value - mean) / std`` per channel, and nothing else.
    With ``tiles`` this is done to each tile of a larger image, resized to the input size as a whole.
    """

    input_size: tuple[int, int]
    """Height and width in pixels."""
    mean: tuple[float, ...]
    """Of each channel: three for RGB, one for grey, any number for arrays."""
    std: tuple[float, ...]
    """Of each channel."""
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    crop_pct: float = 1.0
    crop_mode: Literal["center", "squash"] = "center"
    input: Annotated[Literal["image", "array"], LATER] = "image"
    """What is fed: images of 8 bits, or arrays of floats as they are."""
    tiles: Annotated[Tiles | None, LATER] = None
    """How a large image is fed; None where each is fed as a whole."""

    @property
    def channels(self) -> int:
        """Number of channels of the input."""
        return len(self.mean)


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of an artifact as the file declares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """numpy's name, such as "float32" or "int8"."""
    layout: str
    """"NCHW" or "NHWC" for images, "NC" for logits, "" when unknown."""
    scale: float | None = None
    """Quantization scale of an integer tensor: value = scale * (stored - zero_point)."""
    zero_point: int | None = None


@dataclass(frozen=True)
class PassRecord:
    """One pass that a model went through and what it changed."""

    name: str
    settings: str
    """The pass as the user wrote it, such as "evit:0.7@4,7,10"."""
    macs_before: int
    macs_after: int
    top1_before: float | None = None
    """Top-1 accuracy as a fraction, in PyTorch; None without labels."""
    top1_after: float | None = None
    note: str = ""
    """Empty so far."""


@dataclass(frozen=True)
class Artifact:
    """One exported model."""

    path: str
    """Main file, relative to the run folder."""
    files: tuple[str, ...]
    """Every file that belongs to it, relative to the run folder."""
    sha256: str
    """Of the contents of ``files`` in that order."""
    size_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocessing: Preprocessing
    int8_mac_share: float
    """Share of the MACs, 0..1, whose weights and activations are multiplied as int8."""
    macs: int
    params: int
    numerics: str = "float"
    """Numerics of its layers, read from the file: "float", "static int8", "dynamic int8", "static and dynamic int8",
    "static int16" or "weights only"."""
    float_layer_count: Annotated[int, alias("float_islands")] = 0
    """Layers (ops with weights and MACs) kept in float although others are quantized; 0 for a float artifact."""
    float_weight_share: Annotated[float, LATER] = 0.0
    """Share of the layers' weights, 0..1, that stayed float although others are quantized; 0 for a float artifact."""
    float_layers: Annotated[tuple[str, ...], LATER] = ()
    """The ops that hold them, most weights first."""
    conversions: int = 0
    """Ops that convert between number formats."""
