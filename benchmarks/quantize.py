"""Quantization against each library's plain defaults, in one run: ``make bench-quantize``.

For every model and runtime: what the runtime's own quantizer gives when it is called as its documentation shows, and
what ``edgevit compress --scheme auto`` gives within the drop allowed. All artifacts of a runtime start from the same
float32 file and the same calibration images, are scored on the same images, and are timed alternately with that
file, one thread, warm runs. ImageNet and flower models need the data folder; a MobileNetV3-Small with random
weights shows that nothing slower than float is chosen.

    python -m benchmarks.quantize [--data DIR] [--out DIR] [--only NAME] [--runtime NAME]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.library_defaults import DEFAULTS, LibraryArtifact, LibraryJob, make_default
from benchmarks.models import Case, default_data, digits, real
from benchmarks.ratios import compared, finished_run
from edgevit import units
from edgevit.artifacts.accuracy import score
from edgevit.artifacts.feed import run_once
from edgevit.backends import get_backend
from edgevit.cli.terminal import print_line, print_message, print_table
from edgevit.data.images import Samples, open_samples
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CandidateFailed, UsageError
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec

RUNTIMES = ("litert", "openvino", "onnxruntime")
TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True)
class Goal:
    """What is asked of one model in one runtime."""

    speed_up: float
    max_drop: float


_CNN = dict.fromkeys(RUNTIMES, Goal(1.9, 0.7))
GOALS: dict[str, dict[str, Goal]] = {
    "digits_vit": dict.fromkeys(RUNTIMES, Goal(1.0, 1.0)),
    "vit_tiny_patch16_224": {"litert": Goal(2.2, 0.3), "openvino": Goal(2.5, 0.5), "onnxruntime": Goal(1.9, 0.5)},
    "mobilenetv2_100": _CNN,
    "tf_efficientnet_lite0": dict.fromkeys(RUNTIMES, Goal(1.9, 1.0)),
    "mobilenetv3_small_100": dict.fromkeys(RUNTIMES, Goal(1.0, 100.0)),
}


@dataclass(frozen=True)
class Row:
    """One artifact."""

    model: str
    runtime: str
    made_by: str
    numerics: str
    top1: float | None
    agreement: float | None
    """With the float32 file of the same runtime."""
    drop_points: float | None
    float_ms: float | None
    ms: float | None
    goal: str
    note: str = ""

    @property
    def speed_up(self) -> float | None:
        """Over the float32 file of the same runtime."""
        return self.float_ms / self.ms if self.float_ms and self.ms else None


def cases(data: Path | None) -> Iterator[Case]:
    """The models whose images are there."""
    yield digits()
    if data is None:
        return
    yield from real(data)
    random = {"model": {"name": "mobilenetv3_small_100", "random_weights": True}}
    yield Case("mobilenetv3_small_100", {**random, "data": {"calibration": str(data / "imagenet_samples")}})


def main() -> None:
    """Runs every case and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="folder with imagenet_val, flowers5, weights …"
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-quantize-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", help="one model by name")
    parser.add_argument("--runtime", choices=RUNTIMES, help="one runtime")
    arguments = parser.parse_args()
    if arguments.data is None:
        print_message("no data folder: only the bundled digits are run (--data DIR, or EDGEVIT_DATA)")
    rows: list[Row] = []
    for case in cases(arguments.data):
        for runtime in RUNTIMES:
            if arguments.only in (None, case.name) and arguments.runtime in (None, runtime):
                rows += _rows(case, runtime, arguments.out / case.name / runtime)
                (arguments.out / "rows.json").write_text(json.dumps([asdict(row) for row in rows], indent=1))
    _print(rows)


def _rows(case: Case, runtime: str, folder: Path) -> list[Row]:
    goal = GOALS[case.name][runtime]
    document = {
        **case.document, "export": {"backends": [runtime], "schemes": ["auto"]}, "budget": {"max_drop": goal.max_drop},
    }  # fmt: skip
    spec = resolve_spec(None, None, document)
    run = finished_run(spec, folder)
    dense = run.candidates[0]
    if dense.artifact is None:
        raise RuntimeError(f"{dense.id} failed: {dense.reasons}")
    return [
        *_defaults(case.name, runtime, run, spec, folder),
        *_rewritten(case.name, run, folder),
        *_ours(case.name, goal, run, folder),
    ]


def _rewritten(model: str, run: Run, folder: Path) -> Iterator[Row]:
    """The float32 files that quantization started from, where the graph was rewritten: their part of the speed-up."""
    dense = run.candidates[0]
    backend = get_backend(dense.backend)
    for path in sorted((folder / "work" / "prepared" / backend.name).glob(f"*/model{backend.suffix}")):
        pair = compared(dense, folder, path, "f32")
        steps = path.parent.name.removeprefix("dense-").replace("-", " ").replace("_", " ")
        yield Row(
            model, backend.name, "edgevit float32, rewritten", "float", None, None, None, pair.first_ms, pair.second_ms,
            "–", steps,
        )  # fmt: skip


def _ours(model: str, goal: Goal, run: Run, folder: Path) -> Iterator[Row]:
    dense, *others = run.candidates
    for candidate in others:
        if candidate.artifact is None or candidate.verification is None:
            yield _failed(model, candidate.backend, f"edgevit {candidate.scheme}", "; ".join(candidate.reasons))
            continue
        pair = compared(dense, folder, folder / candidate.artifact.path, SCHEMES[candidate.scheme].precision)
        drop = candidate.accuracy.drop_points if candidate.accuracy else None
        held = pair.speed_up >= goal.speed_up and (drop is None or drop <= goal.max_drop + 1e-9)
        yield Row(
            model=model,
            runtime=candidate.backend,
            made_by=f"edgevit {candidate.scheme}" + (" (chosen)" if candidate.id == run.selected else ""),
            numerics=_numerics(candidate),
            top1=candidate.accuracy.top1 if candidate.accuracy else None,
            agreement=candidate.verification.top1_agreement,
            drop_points=drop,
            float_ms=pair.first_ms,
            ms=pair.second_ms,
            goal=f"≥ {goal.speed_up} × at ≤ {goal.max_drop} pt: {'reached' if held else 'missed'}",
            note=f"{candidate.attempts[-1].rung}, {len(candidate.attempts)} attempts" if candidate.attempts else "",
        )


def _numerics(candidate: Candidate) -> str:
    assert candidate.artifact is not None
    in_float = candidate.artifact.float_layer_count
    return candidate.artifact.numerics + (f", {in_float} in float" if in_float else "")


def _defaults(model: str, runtime: str, run: Run, spec: Spec, folder: Path) -> Iterator[Row]:
    dense = run.candidates[0]
    assert dense.artifact is not None
    assert run.calibration is not None
    samples = Samples(run.calibration.source, run.calibration.ids)
    images = PreparedImages(samples, dense.artifact.preprocessing)
    for name in DEFAULTS[runtime]:
        target = folder / "library-defaults" / name
        job = LibraryJob(runtime, name, folder / dense.artifact.path, images, target)
        print_message(f"{model}: {runtime}, {name} …")
        try:
            made = run_in_child(
                Task(make_default, job, LibraryArtifact),
                timeout_seconds=TIMEOUT_SECONDS,
                log=folder / "library-defaults.log",
            )
        except (CandidateFailed, UsageError) as error:
            yield _failed(model, runtime, name, error.message)
            continue
        yield _default_row(model, name, made, run, spec, folder)


def _default_row(model: str, name: str, made: LibraryArtifact, run: Run, spec: Spec, folder: Path) -> Row:
    dense = run.candidates[0]
    assert dense.artifact is not None
    backend = get_backend(dense.backend)
    session = backend.open_session(made.path, 1, "fastest")
    pair = compared(dense, folder, made.path, "fastest")
    evaluated = _evaluation(run, spec)
    top1 = agreement = None
    if evaluated is not None:
        images = open_samples(evaluated)
        batches = PreparedImages(evaluated, dense.artifact.preprocessing).batches()
        logits = np.concatenate([run_once(session, batch) for batch in batches])
        top1 = None if run.baseline.top1 is None else score(logits, images.labels, None).top1
        reference = np.load(folder / "work" / f"{dense.id.replace('/', '--')}.logits.npy")
        agreement = float((logits.argmax(axis=1) == reference.argmax(axis=1)).mean())
    drop = 100 * (run.baseline.top1 - top1) if run.baseline.top1 is not None and top1 is not None else None
    graph = backend.read_graph(made.path)
    return Row(
        model,
        dense.backend,
        name,
        graph.numerics,
        top1,
        agreement,
        drop,
        pair.first_ms,
        pair.second_ms,
        "library default",
    )


def _evaluation(run: Run, spec: Spec) -> Samples | None:
    """The images that the run was evaluated on."""
    from edgevit.data.sampling import choose_data

    data = choose_data(
        spec.data.evaluation, spec.data.calibration, spec.data.samples, spec.data.calibration_samples, spec.seed
    )
    images = data.evaluation or data.calibration
    return images.samples if images else None


def _failed(model: str, runtime: str, made_by: str, reason: str) -> Row:
    return Row(model, runtime, made_by, "–", None, None, None, None, None, "–", f"fails: {reason}")


def _print(rows: list[Row]) -> None:
    titles = (
        "model",
        "runtime",
        "made by",
        "numerics",
        "top-1",
        "agreement",
        "change",
        "float32 ms",
        "ms",
        "ratio",
        "goal",
        "note",
    )
    cells = [
        (
            row.model,
            row.runtime,
            row.made_by,
            row.numerics,
            _cell(row.top1, "{:.2%}"),
            _cell(row.agreement, "{:.1%}"),
            units.accuracy_change(row.drop_points, 2),
            _cell(row.float_ms, "{:.3f}"),
            _cell(row.ms, "{:.3f}"),
            _cell(row.speed_up, "{:.2f}"),
            row.goal,
            row.note,
        )
        for row in rows
    ]
    print_table(titles, cells, numeric=range(4, 10))
    missed = [row for row in rows if row.goal.endswith("missed") and "(chosen)" in row.made_by]
    print_line(f"goals missed by what was chosen: {len(missed)}")


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


if __name__ == "__main__":
    sys.exit(main())
