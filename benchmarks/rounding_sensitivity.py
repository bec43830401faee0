"""How far the answers of a file are decided by rounding: the file against itself, with inputs moved by a rounding error.

Processors round floats differently in the last place. Where a file multiplies integers between float ops, such a difference can move
a value to the next integer, and the answers of another processor differ by as much as this prints for one and the same processor.

    python -m benchmarks.rounding_sensitivity FILE [FILE ...] --data DIR [--samples N]
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np

from edgevit.backends import backend_of_file
from edgevit.cli.terminal import print_table
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages

ERROR = 1e-6
"""Relative, standard deviation: about that of a few float32 operations."""


def main() -> None:
    """Prints the agreement of each file with itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--samples", type=int, default=64)
    asked = parser.parse_args()
    rows = [(str(file), *agreement_with_itself(file, asked.data, asked.samples)) for file in asked.files]
    print_table(("file", "same class", "SNR, dB", "largest difference"), rows)


def agreement_with_itself(file: Path, data: str, samples: int) -> tuple[str, str, str]:
    """Returns in how many images the class stays, and by how much the outputs differ.

    Args:
        file: An artifact of edgevit, which carries its preprocessing.
        data: Folder of images.
        samples: The first so many of them.
    """
    backend = backend_of_file(file)
    contract = backend.read_contract(file)
    assert contract is not None, f"{file} does not carry its preprocessing"
    session = backend.open_session(file, 1, "fastest")
    channels_last = session.inputs[0].shape[-1] == len(contract.preprocessing.mean)
    random = np.random.default_rng(0)
    images = PreparedImages(open_images(data).samples, contract.preprocessing)
    exact, moved = [], []
    for image in islice(images.batches(), samples):
        other = image * (1 + ERROR * random.standard_normal(image.shape).astype(np.float32))
        for values, found in ((image, exact), (other, moved)):
            fed = values.transpose(0, 2, 3, 1) if channels_last else values
            (logits, *_) = session.run((np.ascontiguousarray(fed, dtype=np.float32),))
            found.append(logits[0])
    before, after = np.stack(exact), np.stack(moved)
    noise = float(((before - after) ** 2).sum())
    same = int((before.argmax(1) == after.argmax(1)).sum())
    snr = f"{10 * np.log10(float((before**2).sum()) / noise):.1f}" if noise else "identical"
    return f"{same} of {len(before)}", snr, f"{np.abs(before - after).max():.2g}"


if __name__ == "__main__":
    main()
