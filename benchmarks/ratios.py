"""Accuracy and speed of the main job, per model and runtime: ``make bench``.

Runs ``edgevit compress`` on the bundled digits and, where the data is there, on ImageNet and flower models; then times
each float artifact and the int8 and token-reduced ones made from it in turn (A B A B …) in one process, one thread. The
ratio is that of the fastest runs, which repeats to a fraction of a percent where absolute times drift by a tenth.

    python -m benchmarks.ratios [--data DIR] [--out DIR] [--only NAME]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgevit import compress
from edgevit.backends import Session, get_backend
from edgevit.cli.render import make_progress, print_table
from edgevit.results import Candidate, Run, load_run
from edgevit.schemes import SCHEMES
from edgevit.spec import Spec, resolve_spec

PAIRS = 100


@dataclass(frozen=True)
class Case:
    """One model to compress."""

    name: str
    document: dict[str, Any] = field(default_factory=dict)


def cases(data: Path | None) -> Iterator[Case]:
    """The models whose images are there."""
    yield Case(
        "digits_vit",
        {
            "model": {"name": "digits_vit"},
            "data": {"evaluation": "digits", "calibration": "calibration:digits", "train": "digits:train"},
            "passes": {"distill": {"teacher": {"name": "digits_cnn"}}, "tokens": "evit:0.7@2,4"},
        },
    )
    if data is None:
        return
    imagenet = {"evaluation": str(data / "imagenet_val"), "calibration": str(data / "imagenet_samples")}
    whole_image = {"crop_pct": 1.0}
    for name, passes in (("vit_tiny_patch16_224", {"tokens": "evit:0.8@4,7,10"}), ("mobilenetv2_100", {})):
        model = {"name": name, "weights": str(data / "weights" / f"{name}.safetensors"), "preprocessing": whole_image}
        yield Case(name, {"model": model, "data": imagenet, "passes": passes})
    weights = str(data / "weights" / "tf_efficientnet_lite0.flowers5.safetensors")
    yield Case(
        "tf_efficientnet_lite0",
        {
            "model": {"name": "tf_efficientnet_lite0", "weights": weights, "num_classes": 5},
            "data": {"evaluation": str(data / "flowers5"), "calibration": "40%"},
        },
    )


def main() -> None:
    """Runs every case and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=_default_data(), help="folder with imagenet_val, flowers5, weights …"
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", help="one case by name")
    arguments = parser.parse_args()
    if arguments.data is None:
        print("no data folder: only the bundled digits are run (--data DIR, or EDGEVIT_DATA)", file=sys.stderr)
    rows = []
    for case in cases(arguments.data):
        if arguments.only in (None, case.name):
            folder = arguments.out / case.name
            rows += _rows(case.name, _run(resolve_spec(None, None, case.document), folder), folder)
    titles = ("model", "artifact", "status", "float32 top-1", "top-1", "drop", "float32 ms", "ms", "ratio", "int8 MACs")
    print_table(titles, rows, numeric=range(3, len(titles)))


def _default_data() -> Path | None:
    named = os.environ.get("EDGEVIT_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder.resolve() if folder.is_dir() else None


def _run(spec: Spec, folder: Path) -> Run:
    if (folder / "run.json").is_file():
        return load_run(folder)
    with make_progress() as progress:
        return compress(spec, folder, resume=folder.is_dir(), progress=progress)


def _rows(model: str, run: Run, folder: Path) -> list[tuple[str, ...]]:
    """One row per artifact, each timed against the dense float32 one of the same runtime."""
    floats = {c.backend: c for c in run.candidates if c.scheme == "fp32" and c.parent is None}
    rows = []
    for candidate in run.candidates:
        dense = floats[candidate.backend]
        if candidate.artifact is None or dense.artifact is None:
            rows.append((model, candidate.id, candidate.status, *("–",) * 7))
            continue
        float_ms, ms = (
            (None, None) if candidate is dense else interleaved(_open(dense, folder), _open(candidate, folder))
        )
        rows.append(
            (
                model,
                candidate.id,
                "chosen" if candidate.id == run.selected else candidate.status,
                _percent(run.baseline.top1),
                _percent(candidate.accuracy and candidate.accuracy.top1),
                f"{candidate.accuracy.drop_points:+.2f}"
                if candidate.accuracy and candidate.accuracy.drop_points is not None
                else "–",
                f"{float_ms:.3f}" if float_ms else "–",
                f"{ms:.3f}" if ms else "–",
                f"{float_ms / ms:.2f}" if float_ms and ms else "1",
                f"{100 * candidate.artifact.int8_mac_share:.0f} %",
            )
        )
    return rows


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.2f} %"


def _open(candidate: Candidate, folder: Path) -> Session:
    if candidate.artifact is None:
        raise ValueError(f"{candidate.id} has no artifact")
    precision = "fastest" if SCHEMES[candidate.scheme].is_int8 else "f32"
    return get_backend(candidate.backend).open_session(folder / candidate.artifact.path, 1, precision)


def interleaved(first: Session, second: Session, pairs: int = PAIRS) -> tuple[float, float]:
    """Runs two sessions in turn and returns the fastest run of each, in milliseconds."""
    generator = np.random.default_rng(0)
    feeds = tuple(generator.standard_normal(spec.shape).astype(spec.dtype) for spec in first.inputs)
    for session in (first, second) * 10:
        session.run(feeds)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for session, samples in zip((first, second), times, strict=True):
            begin = time.perf_counter_ns()
            session.run(feeds)
            samples.append((time.perf_counter_ns() - begin) / 1e6)
    return min(times[0]), min(times[1])


if __name__ == "__main__":
    main()
