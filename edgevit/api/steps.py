"""The steps of ``edgevit`` one by one in Python: what the commands of the same names do, with typed answers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgevit.api.metric_name import OwnMetric, metric_name
from edgevit.api.overrides import overrides_of_file
from edgevit.api.progress import ProgressCallback, told
from edgevit.api.source_for_file import source_for_file
from edgevit.api.stored_images import Images
from edgevit.commands.bench import measure_file
from edgevit.commands.eval import FileEvaluation, evaluate_file
from edgevit.commands.profile import Asked, profile_targets
from edgevit.gate.budget import Budget, load_budget
from edgevit.gate.gate_runs import check_run
from edgevit.gate.verdict import Verdict
from edgevit.measure.machine import this_machine
from edgevit.results.artifact import Preprocessing
from edgevit.results.file_score import FileScore
from edgevit.results.measurement import Measurement, Prediction
from edgevit.results.run import Run, load_run
from edgevit.spec.spec import MeasureSpec


def bench(
    file: Path | str,
    *,
    measure: MeasureSpec | None = None,
    precision: str = "fastest",
    batch: int | None = None,
    progress: ProgressCallback | None = None,
) -> Measurement:
    """Measures latency and memory of an artifact file on this host.

    Args:
        file: It need not be edgevit's.
        measure: Threads and how long to measure.
        precision: "f32", "bf16" or "fastest": what the runtime may compute float layers in.
        batch: Images of one run; when None, what the file fixes, or 1 where it leaves it open.
        progress: Receives what is done, see :class:`ProgressEvent`.

    Returns:
        Latencies in ms, memory in bytes, and the conditions.

    Raises:
        UsageError: no such file, or no backend can run it, or the runtime crashed or ran out of time.
    """
    settings = measure or MeasureSpec()
    return measure_file(this_machine(settings.threads), Path(file), precision, settings, batch, told("bench", progress))


def evaluate(
    file: Path | str,
    images: Images,
    *,
    preprocessing: Preprocessing | None = None,
    samples: int | None = None,
    class_offset: int | None = None,
    metric: OwnMetric | str | None = None,
    reference: Path | str | None = None,
    progress: ProgressCallback | None = None,
) -> FileScore:
    """Scores an artifact file on labelled images, or by its outputs beside those of another file.

    Args:
        file: A classifier of single images; it need not be edgevit's.
        images: See :data:`Images`.
        preprocessing: What the file states, or the run that it lies in, when None; the input size is always the file's.
        samples: Images to score it on; all when None.
        class_offset: Output of class 0, see :class:`edgevit.spec.spec.DataSpec`.
        metric: To score by besides top-1, see :func:`edgevit.compress`.
        reference: File whose outputs its outputs are compared with, such as the float one; the images then need no labels.
        progress: Receives what is done, see :class:`ProgressEvent`.

    Returns:
        Accuracies as fractions with their intervals; with a reference the cosine similarity, and each output's differences.

    Raises:
        UsageError: no backend reads the file, images cannot be read or have no labels, or the preprocessing is not known.
        CandidateFailed: the runtime crashed, or ran out of time, at the first image.
    """
    overrides = overrides_of_file(preprocessing)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
        asked = FileEvaluation(
            artifact=Path(file),
            data=source_for_file(Path(file), overrides, images, "evaluation", Path(folder)),
            preprocessing=overrides,
            class_offset=class_offset,
            samples=samples,
            threads=1,
            precision="f32" if reference else "fastest",
            reference=Path(reference) if reference else None,
            metric=None if metric is None else metric_name(metric),
        )
        return evaluate_file(asked, told("evaluate", progress))


def predict_latency(
    target: Path | str, *devices: str, weights: Path | str | None = None, progress: ProgressCallback | None = None
) -> tuple[Prediction, ...]:
    """Predicts latency and memory on devices.

    Args:
        target: An artifact file, or the name of a model, which is priced from its captured graph, as float32.
        devices: Names of devices, at least one.
        weights: Of the model; latency does not depend on them.
        progress: Receives what is done, see :class:`ProgressEvent`.

    Returns:
        One prediction for each compute unit of each device.

    Raises:
        UsageError: unknown device or model, or a file that cannot be read.
    """
    asked = Asked((str(target),), Path(weights) if weights else None)
    (found,) = profile_targets(asked, devices, (), told("predict_latency", progress))
    return found.predictions


def check(
    run: Run | Path | str,
    budget: Budget | Path | str,
    *,
    candidate: str | int | None = None,
    baseline: Run | Path | str | None = None,
) -> Verdict:
    """Judges a candidate of a run against a budget, as ``edgevit gate`` does.

    Args:
        run: A run, its folder or its ``run.json``.
        budget: The limits, or a TOML file of them.
        candidate: Its id, or its rank in the run's table, counted from 1; the chosen one when None.
        baseline: The run that limits such as ``max_increase`` are held against, likewise.

    Returns:
        The verdict with every check, also of other candidates that the budget names; ``outcome`` is "pass", "fail" or
        "inconclusive".

    Raises:
        UsageError: a file cannot be read, the candidate is not in the run, an artifact was changed after the run, or the budget
            names a device or an artifact that nothing has.
    """
    loaded = run if isinstance(run, Run) else load_run(Path(run))
    limits = budget if isinstance(budget, Budget) else load_budget(Path(budget))
    before = load_run(Path(baseline)) if isinstance(baseline, Path | str) else baseline
    return check_run(loaded, limits, None if candidate is None else str(candidate), before)
