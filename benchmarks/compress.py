"""The fastest file of each runtime within a drop: ``make bench-compress``.

Runs ``edgevit compress`` on real ViT-Tiny and MobileNetV2, choosing on the first 445 images of imagenet_val by name, and
judges what was found on the other images, on which no step was chosen. Speed is the median of the paired ratios of the
run's final round to the dense float32 file of the same runtime, one thread. KL is the mean divergence of the predictions
from the dense model's in PyTorch, in nats. Beside it stands what each library gives alone with the right settings, from
the same float32 file and the same calibration images. Then comes where the time of the fastest file goes, by op family
under the runtime's own profiler, beside that of the float32 file.

    python -m benchmarks.compress [--data DIR] [--out DIR] [--only int8,plan,found,found-quick,found3,tokens,tokens3,mobilenet]
                                 [--export onnx,openvino,tflite]

A run that was stopped goes on with the same --out.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.imagenet import first_images, other_images
from benchmarks.library_defaults import LibraryArtifact, LibraryJob
from benchmarks.library_knobs import KNOBS, make_with_knobs
from benchmarks.models import default_data
from edgevit import units
from edgevit.artifacts.accuracy import accuracy_of, agreement, read_answers
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.pytorch_reference import ReferenceJob, reference_logits
from edgevit.cli.terminal import make_progress, print_line, print_table
from edgevit.data.images import ImageSet, Samples, open_images
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CandidateFailed
from edgevit.measure.op_times import OpTimesJob, time_ops
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.model.program.capture import capture, save_program
from edgevit.pipeline.compress import compress
from edgevit.pipeline.model_inputs import open_model
from edgevit.pipeline.tuned_candidates import divergences
from edgevit.results.candidate import Candidate
from edgevit.results.layer_times import KindTime
from edgevit.results.op_times import OpTimes
from edgevit.results.ranking import compare_speed, fastest_first
from edgevit.results.run import Run
from edgevit.results.statistics import Ratio, paired_ratio
from edgevit.run.child_process import run_in_child
from edgevit.run.executor import Executor, processors
from edgevit.run.task import Task
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec

TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Row:
    """A run, and what it must reach."""

    model: str
    settings: dict[str, object]
    required: str


_PLAN = "tome:4=118,7=71,10=43"
"""A plan that was not searched for, fine-tuned shortly: what the search has to beat."""


def _tuned_plan(plan: str, mode: str, max_drop: float) -> dict[str, object]:
    finetune = {"mode": mode, "max_minutes": 120.0}
    return {"passes": {"tokens": plan, "form": "gather"}, "finetune": finetune, "budget": {"max_drop": max_drop}}


_FOUND, _FOUND_3 = "squeeze:4=127,6=83,8=51,10=27", "squeeze:4=107,5=75,7=47,10=23"
"""Found by the divergence of whole plans on the images that choose; the limits of their runs are wider than what is asked."""
_TOKENS = {"passes": {"tokens": "auto"}, "finetune": {"mode": "auto"}}
ROWS = {
    "int8": Row("vit_tiny_patch16_224", {}, "≥ 2.5 ×, KL ≤ 0.005"),
    "plan": Row("vit_tiny_patch16_224", _tuned_plan(_PLAN, "quick", 3.0), "–"),
    "found": Row(
        "vit_tiny_patch16_224", _tuned_plan(_FOUND, "full", 3.0), "drop ≤ 1.0 pt: ≥ 3.5 × each, ≥ 4.3 × the best"
    ),
    "found-quick": Row("vit_tiny_patch16_224", _tuned_plan(_FOUND, "quick", 3.0), "≤ 5 min, half of what full regains"),
    "found3": Row("vit_tiny_patch16_224", _tuned_plan(_FOUND_3, "full", 6.0), "drop ≤ 3.0 pt: ≥ 5.0 × the best"),
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
    parser.add_argument("--export", help="formats, separated by commas; all when not given")
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(ROWS)
    if unknown or given.data is None:
        parser.error(f"no row {', '.join(sorted(unknown))}" if unknown else "no data folder: give --data DIR")
    rows, profiles = [], []
    for name in given.only.split(","):
        spec = _spec(ROWS[name], given.data, given.out.resolve(), given.export)
        with make_progress(verbose=False) as progress:
            run = compress(spec, given.out / name, resume=True, progress=progress)
        rows += [(name, *row) for row in _judged(run, spec, given.out / name, given.data, ROWS[name])]
        profiles += [(name, *row) for row in _profiled(run, given.out / name)]
    print_table(
        (
            "row",
            "fastest file of each runtime",
            "against dense float32",
            "change",
            "agreement",
            "KL",
            "tuned in",
            "required",
        ),
        rows,
        numeric=(2, 3, 4, 5, 6),
    )
    print_line()
    print_table(
        ("row", "fastest file of each runtime", "op family", "ops", "time", "share", "float32 ops", "float32 time"),
        profiles,
        numeric=(3, 4, 5, 6, 7),
    )


def _spec(row: Row, data: Path, out: Path, formats: str | None) -> Spec:
    model = {
        "name": row.model,
        "weights": str(data / "weights" / f"{row.model}.safetensors"),
        "preprocessing": {"crop_pct": 1.0},
    }
    images = {"evaluation": str(first_images(data, out)), "calibration": str(data / "imagenet_samples")}
    export = {"export": {"backends": formats.split(",")}} if formats else {}
    return resolve_spec(None, None, {"model": model, "data": images, **export, **row.settings})


def _judged(run: Run, spec: Spec, folder: Path, data: Path, row: Row) -> Iterator[tuple[str, ...]]:
    """Rows for the fastest usable file of each runtime and for its library's, on the images that nothing was chosen on."""
    others = open_images(str(other_images(data, folder.parent)))
    with tempfile.TemporaryDirectory() as temporary:
        dense = dense_logits(spec, others, Path(temporary))

        def judge_file(parent: Candidate, artifact: Path, precision: str) -> tuple[str, str, str]:
            logits = logits_of(parent, artifact, precision, others, Path(temporary))
            return judge(dense, logits, others)

        for backend in dict.fromkeys(candidate.backend for candidate in run.candidates):
            best = _fastest(run, backend)
            if best is None or best.artifact is None:
                yield backend, "nothing usable", "–", "–", "–", "", row.required
                continue
            tuning = next((tuning for tuning in run.finetunes if tuning.tuned == best.id), None)
            cost = f"{units.seconds(tuning.seconds)}, {units.count(tuning.images_seen)} views" if tuning else ""
            for each in (*([run.candidate(tuning.untuned)] if tuning else []), best):
                assert each.artifact is not None
                found = judge_file(each, folder.resolve() / each.artifact.path, SCHEMES[each.scheme].precision)
                required = (cost, row.required) if each is best else ("", "–")
                yield each.id, _speed_up(run, each), *found, *required
            yield _library_row(run, backend, folder.resolve(), KNOBS[row.model][backend], judge_file)


Judge = Callable[[Candidate, Path, str], tuple[str, str, str]]
"""Takes a candidate that says how images are prepared, an artifact's file and its precision; gives cells of the table."""


def judge(dense: np.ndarray, logits: np.ndarray, images: ImageSet) -> tuple[str, str, str]:
    """Returns the change of accuracy with its interval, the agreement and the divergence."""
    before, answers = read_answers(dense, images.labels), read_answers(logits, images.labels)
    accuracy = accuracy_of(answers, before)
    interval = accuracy.drop_interval
    reach = f" ({-interval.high:+.1f} to {-interval.low:+.1f})" if interval else ""
    change = units.accuracy_change(accuracy.drop_points) + reach
    return change, units.percent(agreement(answers, before)), f"{divergences(dense, logits).mean():.4f}"


def _fastest(run: Run, backend: str) -> Candidate | None:
    usable = [c for c in run.candidates if c.backend == backend and c.status == "ok" and c.latency]
    return fastest_first(usable)[0] if usable else None


def _library_row(run: Run, backend: str, folder: Path, name: str, judge: Judge) -> tuple[str, ...]:
    """What the library alone makes of the dense float32 file of its runtime."""
    dense = run.candidate(f"{backend}/fp32/dense")
    assert dense.artifact is not None
    try:
        made = library_file(run, dense, folder, name)
        ratio = _paired(backend, folder / dense.artifact.path, made, folder / "logs" / "libraries.log")
        return f"{backend}: {name}", _ratio(ratio), *judge(dense, made, "fastest"), "", "–"
    except CandidateFailed as error:
        return f"{backend}: {name}", f"fails: {error.message}", "–", "–", "–", "", "–"


def library_file(run: Run, dense: Candidate, folder: Path, name: str) -> Path:
    """Makes a file as a library does, from the run's dense float32 file and its calibration images.

    Args:
        run: Calibrated on images.
        dense: Its float32 candidate.
        folder: Of the run, absolute.
        name: Of :data:`benchmarks.library_knobs.MAKERS`.
    """
    assert dense.artifact is not None
    assert run.calibration is not None
    images = PreparedImages(Samples(run.calibration.source, run.calibration.ids), dense.artifact.preprocessing)
    job = LibraryJob(dense.backend, name, folder / dense.artifact.path, images, folder / "libraries" / dense.backend)
    task = Task(make_with_knobs, job, LibraryArtifact)
    return run_in_child(task, timeout_seconds=TIMEOUT_S, log=folder / "logs" / "libraries.log").path


def _paired(backend: str, first: Path, second: Path, log: Path) -> Ratio:
    """Times a float32 file and one of another scheme alternately, one thread, in the precisions of edgevit's own files."""
    entries = [RoundEntry("0", backend, first, "f32"), RoundEntry("1", backend, second, "fastest")]
    settings = RoundSettings(rounds=rounds_for(len(entries)), at_once=processors())
    with Executor(settings.at_once, TIMEOUT_S, log) as executor:
        rounds = measure_rounds(entries, settings, functools.partial(executor.run_in_turn, log=log))
    for reason in rounds.failures.values():
        raise CandidateFailed(reason)
    return paired_ratio(rounds.latencies["0"].bursts_ms, rounds.latencies["1"].bursts_ms)


def _profiled(run: Run, folder: Path) -> Iterator[tuple[str, ...]]:
    """Rows for each op family of the fastest file of each runtime, most time first, then one for the whole."""
    for backend in dict.fromkeys(candidate.backend for candidate in run.candidates):
        best = _fastest(run, backend)
        if best is None:
            continue
        found, dense = (_op_times(each, folder) for each in (best, run.candidate(f"{backend}/fp32/dense")))
        in_dense = {family.kind: family for family in dense.families}
        missing = [KindTime(kind, 0, 0.0, 0.0) for kind in in_dense if kind not in {f.kind for f in found.families}]
        for family in (*found.families, *missing):
            before = in_dense.get(family.kind, KindTime(family.kind, 0, 0.0, 0.0))
            cells = (str(family.count), units.milliseconds(family.ms), units.percent(family.share))
            yield best.id, family.kind.replace("_", " "), *cells, str(before.count), units.milliseconds(before.ms)
        yield best.id, "sum", "", units.milliseconds(found.sum_ms), "", "", units.milliseconds(dense.sum_ms)
        latencies = (units.milliseconds(found.fastest_ms), "", "", units.milliseconds(dense.fastest_ms))
        yield best.id, "fastest without the profiler", "", *latencies


def _op_times(candidate: Candidate, folder: Path) -> OpTimes:
    assert candidate.artifact is not None
    artifact = folder.resolve() / candidate.artifact.path
    job = OpTimesJob(candidate.backend, artifact, 1, SCHEMES[candidate.scheme].precision)
    return run_in_child(Task(time_ops, job, OpTimes), timeout_seconds=TIMEOUT_S, log=folder / "logs" / "op-times.log")


def _speed_up(run: Run, candidate: Candidate) -> str:
    dense = run.candidate(f"{candidate.backend}/fp32/dense")
    ratio = compare_speed(candidate, dense)
    return _ratio(ratio) if ratio else "–"


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} × ({ratio.interval.low:.2f} to {ratio.interval.high:.2f})"


def dense_logits(spec: Spec, images: ImageSet, folder: Path) -> np.ndarray:
    """Logits of the dense float model in PyTorch, float32 [images, classes]."""
    model = open_model(spec.model, spec.seed)
    save_program(capture(model.module, model.preprocessing.input_size), folder / "dense.pt2")
    prepared = PreparedImages(images.samples, model.preprocessing)
    job = ReferenceJob(folder / "dense.pt2", prepared, folder / "dense.npy")
    return _run(Task(reference_logits, job, LogitsFile), folder)


def logits_of(candidate: Candidate, artifact: Path, precision: str, images: ImageSet, folder: Path) -> np.ndarray:
    """Runs an artifact on images that are prepared as for a candidate."""
    assert candidate.artifact is not None
    job = InferenceJob(
        backend=candidate.backend,
        artifact=artifact,
        images=PreparedImages(images.samples, candidate.artifact.preprocessing),
        threads=1,
        precision=precision,
        logits=folder / f"{candidate.backend}.npy",
    )
    return _run(Task(run_images, job, LogitsFile), folder)


def _run(task: Task, folder: Path) -> np.ndarray:
    made = run_in_child(task, timeout_seconds=TIMEOUT_S, log=folder / "log.txt")
    return np.load(made.logits)


if __name__ == "__main__":
    main()
