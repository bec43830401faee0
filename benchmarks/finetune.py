"""What label-free fine-tuning regains: ``make bench-finetune``.

Runs ``edgevit finetune``'s pipeline on real models, choosing on one half of the labelled images, and judges the untuned and
the tuned files on the other half, on which no step was chosen. KL is the mean divergence of the predictions from the dense
float model's in PyTorch, in nats.

    python -m benchmarks.finetune [--data DIR] [--out DIR] [--only static,tokens,mobilenet,mobilenet-full,flowers,float]

A run that was stopped goes on with the same --out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.compress import dense_logits, judge, library_file, logits_of
from benchmarks.imagenet import Halves, flowers_halves, imagenet_halves
from benchmarks.library_knobs import STATIC_PRODUCTS
from benchmarks.models import default_data
from edgevit import units
from edgevit.cli.terminal import make_progress, print_table
from edgevit.data.images import ImageSet, open_images
from edgevit.pipeline.compress import finetune
from edgevit.results.run import Run
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec

_PLAN = "tome:4=118,7=71,10=43"
_SQUEEZE = "squeeze:4=118,7=71,10=43"
"""As many tokens after the same blocks."""
_INT8 = {"onnx": "dynamic_wi8_afp32", "openvino": "static_wi8_ai8", "tflite": "dynamic_wi8_afp32"}


@dataclass(frozen=True)
class Row:
    """A model, what is tuned, and what that must reach."""

    model: str
    weights: str
    halves: Callable[[Path, Path], Halves]
    settings: dict[str, dict[str, object]]
    formats: dict[str, str]
    """Scheme by format; each is a run of its own."""
    required: str
    library: str = ""
    """What the library makes of the dense float32 file, to stand beside it: a name of :data:`MAKERS`."""


_QUICK: dict[str, dict[str, object]] = {"finetune": {"mode": "quick"}}
_VIT, _VIT_WEIGHTS = "vit_tiny_patch16_224", "vit_tiny_patch16_224.safetensors"
_STATIC = dict.fromkeys(_INT8, "static_wi8_ai8")
ROWS = {
    "static": Row(
        _VIT,
        _VIT_WEIGHTS,
        imagenet_halves,
        _QUICK,
        {"onnx": "static_wi8_ai8"},
        "KL ≤ 1/3 of the library's file",
        STATIC_PRODUCTS,
    ),
    "tokens": Row(
        _VIT,
        _VIT_WEIGHTS,
        imagenet_halves,
        {**_QUICK, "passes": {"tokens": _PLAN, "form": "arithmetic"}},
        _INT8,
        "≤ 5 min, half of what full regains",
    ),
    "mobilenet": Row(
        "mobilenetv2_100",
        "mobilenetv2_100.safetensors",
        imagenet_halves,
        _QUICK,
        _STATIC,
        "KL ≤ 1/2 of untuned, drop ≤ 0.5 pt",
    ),
    "mobilenet-full": Row(
        "mobilenetv2_100",
        "mobilenetv2_100.safetensors",
        imagenet_halves,
        {"finetune": {"mode": "full"}},
        _STATIC,
        "KL ≤ 1/2 of untuned, drop ≤ 0.5 pt",
    ),
    "flowers": Row(
        "tf_efficientnet_lite0",
        "tf_efficientnet_lite0.flowers5.safetensors",
        flowers_halves,
        _QUICK,
        _STATIC,
        "agreement ≥ 99 %",
    ),
    "float": Row(
        _VIT,
        _VIT_WEIGHTS,
        imagenet_halves,
        {"finetune": {"mode": "full", "max_minutes": 120.0}, "passes": {"tokens": _SQUEEZE, "form": "arithmetic"}},
        {"onnx": "fp32"},
        "KL ≤ 0.060 within 32,000 views",
    ),
}


def main() -> None:
    """Runs what is not there yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="folder with imagenet_val, flowers5, weights …"
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-finetune-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(ROWS)
    if unknown or given.data is None:
        parser.error(f"no row {', '.join(sorted(unknown))}" if unknown else "no data folder: give --data DIR")
    rows = []
    for name in given.only.split(","):
        row = ROWS[name]
        halves = row.halves(given.data, given.out.resolve())
        for file_format, scheme in row.formats.items():
            spec, folder = _spec(row, given.data, halves, file_format, scheme), given.out / f"{name}-{file_format}"
            with make_progress(verbose=False) as progress:
                run = finetune(spec, folder, resume=True, progress=progress)
            rows += [(name, *each, row.required) for each in _judged(run, spec, folder.resolve(), halves.others)]
            if row.library:
                rows.append(
                    (name, *_library_row(run, spec, folder.resolve(), halves.others, row.library), row.required)
                )
    titles = ("row", "file", "change", "agreement", "KL", "views", "time", "required")
    print_table(titles, rows, numeric=(2, 3, 4, 5, 6))


def _spec(row: Row, data: Path, halves: Halves, file_format: str, scheme: str) -> Spec:
    model = {
        "name": row.model,
        "weights": str(data / "weights" / row.weights),
        "preprocessing": {"crop_pct": 1.0},
        **({"num_classes": halves.classes} if halves.classes else {}),
    }
    images = {"evaluation": str(halves.first), "calibration": str(halves.calibration)}
    export = {"backends": [file_format], "schemes": [scheme]}
    budget = {"max_drop": 100.0}  # nothing is chosen here
    return resolve_spec(
        None, None, {"model": model, "data": images, "export": export, "budget": budget, **row.settings}
    )


def _judged(run: Run, spec: Spec, folder: Path, others: Path) -> Iterator[tuple[str, ...]]:
    """Two rows for each fine-tuning: the untuned file and the tuned one."""
    images = open_images(str(others))
    with tempfile.TemporaryDirectory() as temporary:
        dense = dense_logits(spec, images, Path(temporary))
        for tuning in run.finetunes:
            yield (*_row(run, tuning.untuned, folder, dense, images, Path(temporary)), "", "")
            if tuning.tuned:
                found = _row(run, tuning.tuned, folder, dense, images, Path(temporary))
                yield (*found, units.count(tuning.images_seen), units.seconds(tuning.seconds))
            else:
                yield (f"no step was better than {tuning.untuned}", "", "", "", "", units.seconds(tuning.seconds))


def _library_row(run: Run, spec: Spec, folder: Path, others: Path, name: str) -> tuple[str, ...]:
    """What the library alone makes, from the same calibration images."""
    parent = next(candidate for candidate in run.candidates if candidate.id.endswith("/fp32/dense"))
    made, images = library_file(run, parent, folder, name), open_images(str(others))
    with tempfile.TemporaryDirectory() as temporary:
        dense = dense_logits(spec, images, Path(temporary))
        found = judge(dense, logits_of(parent, made, "fastest", images, Path(temporary)), images)
    return f"{parent.backend}: {name}", *found, "", ""


def _row(
    run: Run, name: str, folder: Path, dense: np.ndarray, images: ImageSet, temporary: Path
) -> tuple[str, str, str, str]:
    candidate = run.candidate(name)
    assert candidate.artifact is not None
    precision = SCHEMES[candidate.scheme].precision
    logits = logits_of(candidate, folder / candidate.artifact.path, precision, images, temporary)
    return (name, *judge(dense, logits, images))


if __name__ == "__main__":
    main()
