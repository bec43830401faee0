"""Writes the script that is put beside an artifact: it uses it on images with numpy, Pillow and the runtime alone."""

from __future__ import annotations

from pprint import pformat

from edgevit.artifacts.use_pixels import given_files, imports_pillow, pixel_lines
from edgevit.backends import Backend
from edgevit.results.contract import Contract
from edgevit.spec.schemes import SCHEMES

USE_SCRIPT = "use.py"
"""Its name."""

_HEAD = '''"""{does}: python {script} {files}

It needs {needs} (pip install numpy {pip_pillow}{runtime}), and the artifact beside it: {scheme},
made by edgevit {version}.
"""

{imports_math}import sys
from pathlib import Path

import numpy as np
{imports}
{imports_pillow}
MODEL = Path(__file__).resolve().with_name("{main}")
HEIGHT, WIDTH = {size}
{normalization}{names}
'''
_NORMALIZATION = "MEAN, STD = {mean}, {std}  # of each channel, for {values}\n"
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
    embeds, is_array = contract.embeds_preprocessing, wanted.input == "array"
    values = "the values of an array" if is_array else "pixels in 0..1"
    head = _HEAD.format(
        does="Prints the outputs for images" if contract.outputs else "Names what is in images",
        script=USE_SCRIPT,
        files=given_files(wanted),
        needs=f"numpy and {backend.title}" if is_array else f"numpy, Pillow and {backend.title}",
        pip_pillow="" if is_array else "pillow ",
        runtime=backend.runtime,
        scheme=contract.scheme,
        version=contract.edgevit_version,
        imports=backend.use_imports,
        imports_pillow=imports_pillow(wanted),
        imports_math="import math\n" if wanted.tiles else "",
        main=main,
        size=wanted.input_size,
        normalization="" if embeds else _NORMALIZATION.format(mean=wanted.mean, std=wanted.std, values=values),
        names=_names(contract),
    )
    loading = backend.output_lines(precision) if contract.outputs else backend.loading_lines(precision)
    tail = _OUTPUTS_TAIL if contract.outputs else _TAIL
    if wanted.tiles:
        tail = tail.replace("run(load_pixels(path))", "reduce_tiles([run(pixels) for pixels in load_pixels(path)])")
    return f"{head}{pixel_lines(contract)}\n\n{loading}\n\n{tail.replace('IMAGE...', given_files(wanted))}"


def _names(contract: Contract) -> str:
    """The line that names the classes, or the outputs of a model that is no classifier."""
    if contract.outputs:
        return f"OUTPUTS = {[output.name for output in contract.outputs]}  # in the order of the file"
    classes = list(contract.classes)
    return f"CLASSES = {pformat(classes, width=110, compact=True) if classes else '[]'}"
