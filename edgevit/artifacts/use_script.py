"""Writes the script that is put beside an artifact: it uses it on images with numpy, Pillow and the runtime alone."""

from __future__ import annotations

from pprint import pformat

from edgevit.backends import Backend
from edgevit.data.preprocess import covering_size
from edgevit.results.artifact import Preprocessing
from edgevit.results.contract import Contract
from edgevit.spec.schemes import SCHEMES

USE_SCRIPT = "use.py"
"""Its name."""

_HEAD = '''"""{does}: python {script} IMAGE...

It needs numpy, Pillow and {title} (pip install numpy pillow {runtime}), and the artifact beside it: {scheme},
made by edgevit {version}.
"""

import sys
from pathlib import Path

import numpy as np
{imports}
from PIL import Image, ImageOps

MODEL = Path(__file__).resolve().with_name("{main}")
HEIGHT, WIDTH = {size}
{normalization}{names}
{levels}

def load_pixels(path):
    """Returns an image as the model wants it: {given}."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) // 257).astype(np.uint8))
    image = image.convert("RGB")
{resize}
    left, top = round((image.width - WIDTH) / 2), round((image.height - HEIGHT) / 2)
    pixels = np.array(image.crop((left, top, left + WIDTH, top + HEIGHT)))
    return {returned}


'''
_NORMALIZATION = "MEAN, STD = {mean}, {std}  # of red, green and blue, for pixels in 0..1\n"
_LEVELS = (
    "LEVELS = ((np.arange(256)[:, None] / 255 - MEAN) / STD).astype(np.float32)  # what each level of a pixel becomes\n"
)
_NORMALIZED = "np.ascontiguousarray(LEVELS[pixels, range(3)].transpose(2, 0, 1)[None])"
_SQUASH = """    image = image.resize(({columns}, {rows}), Image.Resampling.{filter})  # whatever its aspect ratio"""
_SQUARE = """    if image.width < image.height:  # its shorter side becomes {rows} pixels
        size = {rows}, int(image.height * {rows} / image.width)
    else:
        size = int(image.width * {rows} / image.height), {rows}
    image = image if size == image.size else image.resize(size, Image.Resampling.{filter})"""
_OBLONG = """    ratio = min(image.height / {rows}, image.width / {columns})  # it covers {rows} rows and {columns} columns
    size = round(image.width / ratio), round(image.height / ratio)
    image = image if size == image.size else image.resize(size, Image.Resampling.{filter})"""
_TAIL = """
if len(sys.argv) < 2:
    sys.exit(f"usage: python {Path(__file__).name} IMAGE...")
run = load_model()
for path in sys.argv[1:]:
    logits = run(load_pixels(path))
    if len(logits) == 1:  # it decides between two classes by its sign
        logits = np.array([0, logits[0]])
    odds = np.exp(logits - logits.max())
    print(path)
    for index in np.argsort(-odds, kind="stable")[:5]:
        name = CLASSES[index] if CLASSES else f"class {index}"
        print(f"{odds[index] / odds.sum():8.2%}  {name}")
"""

_OUTPUTS_TAIL = """
if len(sys.argv) < 2:
    sys.exit(f"usage: python {Path(__file__).name} IMAGE...")
run = load_model()
for path in sys.argv[1:]:
    print(path)
    for name, values in zip(OUTPUTS, run(load_pixels(path))):  # each float32 [1, ...]
        print(f"  {name} {list(values.shape)}: {values.min():.6g} to {values.max():.6g}, mean {values.mean():.6g}")
"""


def use_script(backend: Backend, main: str, contract: Contract) -> str:
    """Returns the script for an artifact, which does to an image exactly what edgevit does.

    Of a classifier it prints the most probable classes, of any other model the name, shape and range of each output.

    Args:
        backend: Of the artifact.
        main: Name of the main file, which lies in the same folder.
        contract: What the artifact carries.
    """
    wanted, precision = contract.preprocessing, SCHEMES[contract.scheme].precision
    embeds = contract.embeds_preprocessing
    head = _HEAD.format(
        does="Prints the outputs for images" if contract.outputs else "Names what is in images",
        script=USE_SCRIPT,
        title=backend.title,
        runtime=backend.runtime,
        scheme=contract.scheme,
        version=contract.edgevit_version,
        imports=backend.use_imports,
        main=main,
        size=wanted.input_size,
        normalization="" if embeds else _NORMALIZATION.format(mean=wanted.mean, std=wanted.std),
        names=_names(contract),
        levels="" if embeds else _LEVELS,
        given="uint8 [1, height, width, 3]" if embeds else "float32 [1, 3, height, width]",
        returned="pixels[None]" if embeds else _NORMALIZED,
        resize=_resize(wanted),
    )
    if contract.outputs:
        return head + backend.output_lines(precision) + "\n\n" + _OUTPUTS_TAIL
    return head + backend.loading_lines(precision) + "\n\n" + _TAIL


def _names(contract: Contract) -> str:
    """The line that names the classes, or the outputs of a model that is no classifier."""
    if contract.outputs:
        return f"OUTPUTS = {[output.name for output in contract.outputs]}  # in the order of the file"
    classes = list(contract.classes)
    return f"CLASSES = {pformat(classes, width=110, compact=True) if classes else '[]'}"


def _resize(wanted: Preprocessing) -> str:
    """The lines that resize an image before its centre is cropped, see :mod:`edgevit.data.preprocess`."""
    rows, columns = covering_size(wanted)
    lines = _SQUASH if wanted.crop_mode == "squash" else _SQUARE if rows == columns else _OBLONG
    return lines.format(rows=rows, columns=columns, filter=wanted.interpolation.upper())
