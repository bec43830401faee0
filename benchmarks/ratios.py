"""Accuracy and speed of the main job, per model and runtime: ``make bench``.

Runs ``edgevit compress`` on the bundled digits and, where the data folder is there, on ImageNet and flower models; then
times each float artifact and the int8 and token-reduced ones made from it alternately, in rounds of bursts, each in a
fresh process, one thread (see edgevit/measure/rounds.py). The ratio is the median of those of the same rounds, which
repeats to one or two percent where absolute latencies drift by a tenth.

    python -m benchmarks.ratios [--data DIR] [--out DIR] [--only NAME]
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models import Case, default_data, digits, real
from edgevit import units
from edgevit.cli.terminal import make_progress, print_table
from edgevit.errors import CandidateFailed
from edgevit.measure.paired import PairedLatency
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.compress import compress
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run, load_run
from edgevit.results.statistics import paired_ratio
from edgevit.run.executor import Executor, processors
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec

PASSES = {
    "digits_vit": {"passes": {"tokens": "evit:0.7@2,4"}, "distill": {"teacher": {"name": "digits_cnn"}}},
    "vit_tiny_patch16_224": {"passes": {"tokens": "evit:0.8@4,7,10"}},
}


def cases(data: Path | None) -> Iterator[Case]:
    """Yields the models whose images are there, with the passes that are measured on them."""
    for case in (digits(), *(real(data) if data else ())):
        document = {**case.document, **PASSES.get(case.name, {})}
        if "distill" in document:
            document["data"] = {**document["data"], "train": "digits:train"}
        yield Case(case.name, document)


def main() -> None:
    """Runs every case and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="folder with imagenet_val, flowers5, weights …"
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
            rows += _rows(case.name, finished_run(resolve_spec(None, None, case.document), folder), folder)
    titles = (
        "model",
        "artifact",
        "status",
        "float32 top-1",
        "top-1",
        "change",
        "float32 ms",
        "ms",
        "ratio",
        "int8 MACs",
    )
    print_table(titles, rows, numeric=range(3, len(titles)))


def finished_run(spec: Spec, folder: Path) -> Run:
    """Returns the run in a folder, with its working files; starts or resumes it where it is not finished."""
    if (folder / "run.json").is_file():
        return load_run(folder)
    with make_progress() as progress:
        return compress(spec, folder, resume=folder.is_dir(), keep_work=True, progress=progress)


def _rows(model: str, run: Run, folder: Path) -> list[tuple[str, ...]]:
    """One row per artifact, each measured against the dense float32 one of the same runtime."""
    floats = {c.backend: c for c in run.candidates if c.scheme == "fp32" and c.parent is None}
    rows: list[tuple[str, ...]] = []
    for candidate in run.candidates:
        dense = floats[candidate.backend]
        if candidate.artifact is None or dense.artifact is None:
            rows.append((model, candidate.id, candidate.status, *("–",) * 7))
            continue
        accuracy = candidate.accuracy
        artifact, precision = folder / candidate.artifact.path, SCHEMES[candidate.scheme].precision
        found = None if candidate is dense else compared(dense, folder, artifact, precision)
        rows.append(
            (
                model,
                candidate.id,
                "chosen" if candidate.id == run.selected else candidate.status,
                _percent(run.baseline.top1),
                _percent(accuracy.top1 if accuracy else None),
                units.accuracy_change(accuracy.drop_points if accuracy else None, 2),
                f"{found.first_ms:.3f}" if found else "–",
                f"{found.second_ms:.3f}" if found else "–",
                f"{found.speed_up:.2f}" if found else "1",
                f"{100 * candidate.artifact.int8_mac_share:.0f} %",
            )
        )
    return rows


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{100 * fraction:.2f} %"


def compared(dense: Candidate, folder: Path, artifact: Path, precision: str) -> PairedLatency:
    """Times an artifact and a float one of the same runtime alternately, one thread.

    Returns:
        The p50 of the float one, and that divided by the median of the ratios of the same rounds.
    """
    if dense.artifact is None:
        raise ValueError(f"{dense.id} has no artifact")
    entries = (
        RoundEntry("dense", dense.backend, folder / dense.artifact.path, SCHEMES[dense.scheme].precision),
        RoundEntry("made", dense.backend, artifact, precision),
    )
    settings = RoundSettings(rounds=rounds_for(len(entries)), at_once=processors())
    log = folder / "logs" / "compared.log"
    with Executor(settings.at_once, 600.0, log) as executor:
        rounds = measure_rounds(entries, settings, functools.partial(executor.run_in_turn, log=log))
    for name, reason in rounds.failures.items():
        raise CandidateFailed(f"{name}: {reason}")
    first, second = rounds.latencies["dense"], rounds.latencies["made"]
    ratio = paired_ratio(first.bursts_ms, second.bursts_ms)
    return PairedLatency(first.p50_ms, first.p50_ms / ratio.median, settings.rounds)


if __name__ == "__main__":
    main()
