"""The fastest file of each runtime within a drop: ``make bench-compress``.

Runs ``edgevit compress`` on real ViT-Tiny and MobileNetV2, choosing on the first 445 images of imagenet_val by name, and
judges what was found on the other images, on which no step was chosen. Speed is the median of the paired ratios of the
run's final round to the dense float32 file of the same runtime, one thread. KL is the mean divergence of the predictions
from the dense model's in PyTorch, in nats.

    python -m benchmarks.compress [--data DIR] [--out DIR] [--only int8,tokens,tokens3,mobilenet]

A run that was stopped goes on with the same --out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from benchmarks.imagenet import first_images, other_images
from benchmarks.models import default_data
from edgevit import compress, units
from edgevit.artifacts.accuracy import accuracy_of, agreement, read_answers
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits
from edgevit.cli.terminal import make_progress, print_table
from edgevit.data.images import ImageSet, open_images
from edgevit.data.prepared import PreparedImages
from edgevit.model.program.capture import capture, save_program
from edgevit.pipeline.inputs import open_model
from edgevit.results.candidate import Candidate
from edgevit.results.ranking import compare_speed, fastest_first
from edgevit.results.run import Run
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec, resolve_spec

TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Row:
    """A run, and what it must reach."""

    model: str
    settings: dict[str, object]
    required: str


_TOKENS = {"passes": {"tokens": "auto"}, "finetune": {"mode": "auto"}}
ROWS = {
    "int8": Row("vit_tiny_patch16_224", {}, "≥ 2.5 ×, KL ≤ 0.005"),
    "tokens": Row("vit_tiny_patch16_224", _TOKENS, "drop ≤ 1.0 pt: ≥ 3.5 × each, ≥ 4.3 × the best"),
    "tokens3": Row("vit_tiny_patch16_224", {**_TOKENS, "budget": {"max_drop": 3.0}}, "drop ≤ 3.0 pt: ≥ 5.0 × the best"),
    "mobilenet": Row("mobilenetv2_100", {}, "≥ 2.2 ×, drop ≤ 0.5 pt"),
}


def main() -> None:
    """Runs what is not there yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with imagenet_val, weights …")
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-compress-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(ROWS)
    if unknown or given.data is None:
        parser.error(f"no row {', '.join(sorted(unknown))}" if unknown else "no data folder: give --data DIR")
    rows = []
    for name in given.only.split(","):
        spec = _spec(ROWS[name], given.data, given.out.resolve())
        with make_progress(verbose=False) as progress:
            run = compress(spec, given.out / name, resume=True, progress=progress)
        rows += [(name, *row, ROWS[name].required) for row in _judged(run, spec, given.out / name, given.data)]
    print_table(
        ("row", "fastest file of each runtime", "against dense float32", "change", "agreement", "KL", "required"),
        rows,
        numeric=(2, 3, 4, 5),
    )


def _spec(row: Row, data: Path, out: Path) -> Spec:
    model = {
        "name": row.model,
        "weights": str(data / "weights" / f"{row.model}.safetensors"),
        "preprocessing": {"crop_pct": 1.0},
    }
    images = {"evaluation": str(first_images(data, out)), "calibration": str(data / "imagenet_samples")}
    return resolve_spec(None, None, {"model": model, "data": images, **row.settings})


def _judged(run: Run, spec: Spec, folder: Path, data: Path) -> Iterator[tuple[str, ...]]:
    """A row for the fastest usable file of each runtime, on the images that nothing was chosen on."""
    others = open_images(str(other_images(data, folder.parent)))
    with tempfile.TemporaryDirectory() as temporary:
        dense = _dense_logits(spec, others, Path(temporary))
        before = read_answers(dense, others.labels)
        for backend in dict.fromkeys(candidate.backend for candidate in run.candidates):
            usable = [c for c in run.candidates if c.backend == backend and c.status == "ok" and c.latency]
            if not usable:
                yield backend, "nothing usable", "–", "–", "–"
                continue
            best = fastest_first(usable)[0]
            logits = _logits(best, others, folder, Path(temporary))
            answers = read_answers(logits, others.labels)
            accuracy = accuracy_of(answers, before)
            interval = accuracy.drop_interval
            reach = f" ({-interval.high:+.1f} to {-interval.low:+.1f})" if interval else ""
            yield (
                best.id,
                _speed_up(run, best),
                units.accuracy_change(accuracy.drop_points) + reach,
                units.percent(agreement(answers, before)),
                f"{_divergence(dense, logits):.4f}",
            )


def _speed_up(run: Run, candidate: Candidate) -> str:
    dense = run.candidate(f"{candidate.backend}/fp32/dense")
    ratio = compare_speed(candidate, dense)
    return f"{ratio.median:.2f} × ({ratio.interval.low:.2f} to {ratio.interval.high:.2f})" if ratio else "–"


def _dense_logits(spec: Spec, images: ImageSet, folder: Path) -> np.ndarray:
    model = open_model(spec.model, spec.seed)
    save_program(capture(model.module, model.preprocessing.input_size), folder / "dense.pt2")
    prepared = PreparedImages(images.samples, model.preprocessing)
    job = ReferenceJob(folder / "dense.pt2", prepared, folder / "dense.npy")
    return _run(Task(reference_logits, job, LogitsFile), folder)


def _logits(candidate: Candidate, images: ImageSet, run_folder: Path, folder: Path) -> np.ndarray:
    artifact = candidate.artifact
    assert artifact is not None  # it was timed
    job = InferenceJob(
        backend=candidate.backend,
        artifact=run_folder.resolve() / artifact.path,
        images=PreparedImages(images.samples, artifact.preprocessing),
        threads=1,
        precision=SCHEMES[candidate.scheme].precision,
        logits=folder / f"{candidate.backend}.npy",
    )
    return _run(Task(run_images, job, LogitsFile), folder)


def _run(task: Task, folder: Path) -> np.ndarray:
    made = run_in_child(task, timeout_seconds=TIMEOUT_S, log=folder / "log.txt")
    return np.load(made.logits)


def _divergence(dense: np.ndarray, logits: np.ndarray) -> float:
    """Mean KL(dense || file) of the predictions, in nats."""
    expected, found = (log_softmax(values.astype(np.float64), axis=1) for values in (dense, logits))
    return float((np.exp(expected) * (expected - found)).sum(axis=1).mean())


if __name__ == "__main__":
    main()
