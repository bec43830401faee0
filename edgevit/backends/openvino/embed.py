"""Puts the normalization of pixels into OpenVINO IR, with OpenVINO's own PrePostProcessor."""

from __future__ import annotations

import tempfile
from pathlib import Path

import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor

from edgevit.backends.layout import guess_layout
from edgevit.backends.pixels import free_name, no_float_image, offset_and_divisor


def embed_normalization(path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Lets a file take pixels, see :meth:`edgevit.backends.Backend.embed_normalization`.

    The steps are built as a model of their own, and put before the other: built with it, they would be fused into the weights
    of its first convolution, which would be floats again where they are compressed. OpenVINO multiplies by the reciprocal of the
    divisor, so that its numbers differ from those outside by rounding.

    Args:
        path: Of the ``.xml`` file; the ``.bin`` beside it is written anew.
        mean: Of each channel.
        std: Of each channel.

    Raises:
        UsageError: its input is not one float32 image.
    """
    model = ov.Core().read_model(path)
    old, layout = model.get_parameters()[0], _layout(model, path)
    steps = _normalizing(old, layout, mean, std)
    pixels, known = steps.get_parameters()[0], {op.get_friendly_name() for op in model.get_ordered_ops()}
    name, tensor_names = old.get_friendly_name(), old.output(0).get_names()
    old.output(0).replace(steps.get_results()[0].input_value(0))
    embedded = ov.Model(model.get_results(), [pixels], model.get_friendly_name())
    pixels.output(0).set_names(tensor_names)
    pixels.set_friendly_name(name)
    for op in embedded.get_ordered_ops():  # their names count in the process, and equal runs make equal files
        if op.get_friendly_name() not in known:
            op.set_friendly_name(free_name(f"pixels/{op.get_type_name()}", known))
            known.add(op.get_friendly_name())
    with tempfile.TemporaryDirectory(
        dir=path.parent
    ) as folder:  # weights are read from the old file as they are written
        ov.save_model(embedded, Path(folder, path.name), compress_to_fp16=False)
        for made in sorted(Path(folder).iterdir()):
            made.replace(path.with_name(made.name))


def _normalizing(old: ov.op.Parameter, layout: str, mean: tuple[float, ...], std: tuple[float, ...]) -> ov.Model:
    """The steps from pixels to what a parameter takes."""
    given = ops.parameter(old.get_partial_shape(), ov.Type.f32)
    processor = PrePostProcessor(ov.Model([ops.result(given)], [given]))
    offset, divisor = offset_and_divisor(mean, std)
    image = processor.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    image.model().set_layout(ov.Layout(layout))
    image.preprocess().convert_element_type(ov.Type.f32).mean(offset.tolist()).scale(divisor.tolist())
    return processor.build()


def _layout(model: ov.Model, path: Path) -> str:
    (port, *others) = model.inputs
    layout = guess_layout(tuple(1 if length.is_dynamic else length.get_length() for length in port.partial_shape))
    if others or layout not in ("NCHW", "NHWC") or port.element_type != ov.Type.f32:
        raise no_float_image(path)
    return layout
