"""Results as text on stdout, one function per kind of result. Nothing depends on colour.

:func:`print_run` prints everything that ``edgevit compress`` and ``edgevit export`` show of a run, from the headline to
the line "chosen:"; hints that follow "chosen:" belong there too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgevit import units
from edgevit.cli.terminal import console, fits, print_line, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from edgevit.report.table import Column
    from edgevit.results.artifact import Preprocessing
    from edgevit.results.candidate import Candidate
    from edgevit.results.classification import Classification
    from edgevit.results.file_score import FileScore
    from edgevit.results.graph_summary import Summary
    from edgevit.results.measurement import Fit, MemoryEstimate, Prediction
    from edgevit.results.metric import MetricScore
    from edgevit.results.op_support import UnitSupport
    from edgevit.results.quantized_file import QuantizedFile
    from edgevit.results.reduction import ReductionReport
    from edgevit.results.run import Run
    from edgevit.results.sensitivity import SensitivityReport

_MOST_LAYERS = 20
"""Rows of the sensitivity table; the least sensitive layers are left out."""


def print_run(run: Run, *, wide: bool = False) -> None:
    """Prints a run: headline, candidates, reasons, predictions, token searches, fine-tuning, contributions, notes, the choice.

    Args:
        run: The run.
        wide: Whether the table of candidates has all columns, however wide the terminal is.
    """
    from edgevit.report.choice import choice_lines
    from edgevit.report.contributions import contribution_lines
    from edgevit.report.finetunes import finetune_line
    from edgevit.report.table import outside_round, reasons_of, rows_of, status_of
    from edgevit.report.token_searches import search_line

    rows, out = rows_of(run), console()
    out.print(_headline(run))
    print_line()
    _print_candidates(run, wide)
    if any(outside_round(run, candidate) for candidate in rows):
        out.print("in parentheses: a single measurement, outside the final round")
    for rank, candidate in enumerate(rows, 1):
        if reasons := reasons_of(candidate):
            out.print(f"rank {rank}, {candidate.id} {status_of(run, candidate)}: {'; '.join(reasons)}")
    _print_other_sets(run)
    _print_outputs(run)
    _print_predictions(run)
    for search in run.token_searches:
        out.print(search_line(search))
    for finetune in run.finetunes:
        out.print(finetune_line(finetune))
    for number, line in enumerate(contribution_lines(run, run.chosen) if run.chosen else ()):
        out.print(f"  {line}" if number else line)
    for note in run.notes:
        out.print(f"note: {note}")
    if _is_judged(run):
        out.print(f"chosen: {run.selected}" if run.selected else "chosen: none")
        for line in choice_lines(run):
            out.print(f"  {line}")


def _print_candidates(run: Run, wide: bool) -> None:
    """Prints the table of candidates, and below it what its short names of plans mean."""
    from edgevit.report.plans import plan_labels
    from edgevit.report.table import brief_columns, columns, rows_of

    rows, chosen = rows_of(run), set(run.choices.values())
    labels: Mapping[str, str] = {}
    shown = columns(run) if wide else brief_columns(run, labels)
    essential = [column for column in shown if column.rank == 0]
    if not wide and not fits([column.title for column in essential], [_cells(run, each, essential) for each in rows]):
        labels = plan_labels(run)
        shown = brief_columns(run, labels)
    print_table(
        [column.title for column in shown],
        [_cells(run, candidate, shown) for candidate in rows],
        numeric=[index for index, column in enumerate(shown) if column.numeric],
        ranks=[column.rank for column in shown],
        bold=[index for index, candidate in enumerate(rows) if candidate.id in chosen],
        wide=wide,
    )
    for plan, label in labels.items():
        console().print(f"{label}: {plan}")
    if not wide:
        console().print("more columns: --wide, or the report")


def _cells(run: Run, candidate: Candidate, shown: Sequence[Column]) -> list[str]:
    return [column.cell(run, candidate) for column in shown]


def _headline(run: Run) -> str:
    """The original model and the host."""
    from edgevit.report.metric import score_text

    base = run.baseline
    size = f"{units.count(base.params)} parameters, {units.count(base.macs)} MACs"
    top1 = None if base.top1 is None else f"top-1 {units.percent(base.top1)}"
    judged = f"{base.metric.title} {score_text(base.metric)}" if base.metric else top1
    accuracy = f"{judged} on {base.samples} images in PyTorch" if judged else "accuracy unknown"
    threads = f"{run.host.threads} thread{'' if run.host.threads == 1 else 's'}"
    latency = f"; latency on {run.host.cpu}, {threads}; speed-up over the float parent" if _is_judged(run) else ""
    quick = " (quick run)" if run.is_quick else ""
    return f"{run.spec['model']['name']}{quick}: {size}, {accuracy}{latency}"


def _is_judged(run: Run) -> bool:
    """Whether a choice was to be made; ``edgevit export`` measures nothing and chooses nothing."""
    failed = all(candidate.status == "failed" for candidate in run.candidates)
    return failed or any(candidate.measurements for candidate in run.candidates)


def _print_other_sets(run: Run) -> None:
    """Prints a row for each candidate and evaluation set, where there are several sets."""
    from edgevit.report.other_sets import other_set_rows, other_set_titles

    rows = other_set_rows(run)
    if rows:
        print_line()
        print_table(other_set_titles(run), rows, numeric=(2, 3, 4, 5), ranks=(0, 0, 0, 3, 0, 2))
        print_line()


def _print_outputs(run: Run) -> None:
    """Prints how near each output of each candidate is; nothing for a classifier."""
    from edgevit.report.outputs import NUMERIC, TITLES, output_rows

    rows = output_rows(run)
    if rows:
        print_line()
        print_table(TITLES, rows, numeric=NUMERIC, ranks=(0, 0, 1, 0, 0, 2, 3))


def _print_predictions(run: Run) -> None:
    """Prints one column per device, and below the table the basis of the predictions."""
    from edgevit.report.table import rows_of

    found = [(rank, c, {p.device: p for p in c.predictions}) for rank, c in enumerate(rows_of(run), 1) if c.predictions]
    devices = list(dict.fromkeys(device for *_, predictions in found for device in predictions))
    if not devices:
        return
    print_line()
    titles = ("rank", "candidate", *(f"predicted on {device}" for device in devices))
    rows = [(str(rank), c.id, *(reach(there.get(device)) for device in devices)) for rank, c, there in found]
    print_table(titles, rows, numeric=(0,), ranks=(0, 1, *(0 for _ in devices)))
    for device in devices:
        print_line(f"{device}: {_basis([there[device] for *_, there in found if device in there])}")
    print_line()


def print_predictions(target: str, predictions: Sequence[Prediction]) -> None:
    """Prints the predictions for one artifact on several devices."""
    rows = [(f"{p.device} ({p.unit})", reach(p), units.size(p.peak_tensor_bytes)) for p in predictions]
    print_table((target, "predicted p50", "predicted tensor memory"), rows, numeric=(2,))
    for batch in {p.batch for p in predictions if p.batch != 1}:
        print_line(f"one run is of {batch} images: the file fixes its batch")
    for p in predictions:
        for unit in p.op_support:
            print_support(p.device, unit)
        if p.memory:
            print_line(f"{p.device}: {_memory(p.memory)}")
        print_line(f"{p.device}: {p.basis}")


def print_support(device: str, unit: UnitSupport) -> None:
    """Prints what of an artifact falls off a unit, each with what to change; nothing where it runs whole."""
    if not unit.runs:
        parts = "1 part runs" if unit.partitions == 1 else f"{unit.partitions} parts run"
        there = f"; {parts} there, with {units.percent(unit.mac_share)} of the MACs" if unit.partitions else ""
        print_line(f"{device} {unit.unit}: unsupported{there}")
    for fallback in unit.fallbacks:
        print_line(f"  {fallback.text} [{fallback.reason}]: {fallback.change}")


def _memory(memory: MemoryEstimate) -> str:
    """What an inference takes, and whether it fits."""
    total = memory.total_bytes
    runtime = "with the runtime" if memory.runtime_bytes is not None else "without the runtime's own"
    text = f"{units.size(total.low)} to {units.size(total.high)} of memory {runtime}"
    if memory.memory_bytes is not None:
        text += f", of {units.size(memory.memory_bytes)}: {_FITS[memory.fits_memory]}"
    if memory.on_chip_bytes is not None:
        text += f"; {_FITS[memory.fits_on_chip]} on the chip, which has {units.size(memory.on_chip_bytes)}"
    return text


_FITS: dict[Fit, str] = {"yes": "fits", "no": "does not fit", "unsure": "may not fit", "unknown": "not known"}


def reach(prediction: Prediction | None) -> str:
    """Returns the predicted median with its interval, or why there is none; "–" without a prediction."""
    if prediction is None:
        return "–"
    if prediction.latency_ms is None:
        if prediction.supported:
            return "not predicted"
        first, *more = prediction.unsupported_ops
        return f"unsupported: {first}" + (f" and {len(more)} more" if more else "")
    latency = prediction.latency_ms
    between = f"{units.milliseconds(latency.low)} to {units.milliseconds(latency.high)}"
    return f"{units.milliseconds(latency.p50)} ({between})"


def _basis(predictions: Sequence[Prediction]) -> str:
    """The basis of a device's latencies, or of what it cannot run."""
    with_latency = [p.basis for p in predictions if p.latency_ms is not None]
    return (with_latency or [p.basis for p in predictions])[0]


def print_score(artifact: Path, data: str, score: FileScore) -> None:
    """Prints the accuracy of one artifact, and which class is which output where the images name them."""
    from edgevit.report import intervals
    from edgevit.report.metric import score_text
    from edgevit.results.class_outputs import outputs_text

    accuracy = score.accuracy
    if score.outputs and accuracy.metric:
        found = f"{accuracy.metric.title} {score_text(accuracy.metric)}"
        print_line(f"{artifact.name}: {found} to the reference on {accuracy.samples} images of {data}{_where(score)}")
        rows = [(o.name, units.decibels(o.snr_db), f"{o.cosine:.5f}", f"{o.max_rel_diff:.1e}") for o in score.outputs]
        print_table(("output", "SNR", "cosine", "max rel diff"), rows, numeric=(1, 2, 3))
        return
    top5 = f", top-5 {units.percent(accuracy.top5)}" if accuracy.top5 is not None else ""
    between = f" (95 % interval {intervals.percent(accuracy.top1_interval)})" if accuracy.top1_interval else ""
    ece = f", calibration error (ECE) {accuracy.ece:.3f}" if accuracy.ece is not None else ""
    top1 = [] if accuracy.top1 is None else [f"top-1 {units.percent(accuracy.top1)}{between}{top5}{ece}"]
    found = ", ".join((*_metric_text(accuracy.metric), *top1)) or "no labels, so no accuracy"
    print_line(f"{artifact.name}: {found} on {accuracy.samples} images of {data}{_where(score)}")
    if accuracy.not_finite:
        images = f"{accuracy.not_finite} of {accuracy.samples} images"
        print_line(f"{artifact.name}: NaN or infinity for {images}, which count as misses")
    if score.classes:
        print_line(f"classes by output: {outputs_text(score.classes)}")


def _where(score: FileScore) -> str:
    """Where a file was run, if on a board."""
    where = score.computed_on
    return "" if where is None else f", computed on {where.device}{' (emulated)' if where.emulated else ''}"


def _metric_text(score: MetricScore | None) -> list[str]:
    from edgevit.report.metric import score_interval, score_text

    if score is None:
        return []
    between = f" (95 % interval {score_interval(score)})" if score.interval else ""
    return [f"{score.title} {score_text(score)}{between}"]


def print_quantized(found: QuantizedFile) -> None:
    """Prints what quantizing a file gave: every attempt, then the file that was written."""
    for attempt in found.attempts:
        unit = found.accuracy.metric.unit if found.accuracy.metric else "%"
        lost = attempt.note or f"accuracy change {units.metric_change(attempt.drop_points, unit, 2)}"
        print_line(f"{attempt.rung}: {attempt.recipe.summary}: {lost}")
    accuracy, smaller = found.accuracy, found.size_before / found.size_after
    top1 = (
        ""
        if accuracy.top1 is None
        else f"top-1 {units.percent(accuracy.top1)} ({units.accuracy_change(accuracy.drop_points)}), "
    )
    metric, by = accuracy.metric, f"agreement with the float file {units.percent(accuracy.agreement)}"
    if metric:
        change = units.metric_change(metric.drop, metric.unit)
        by = f"{metric.title} {units.metric(metric.value, metric.unit)} ({change} from the float file)"
    print_line(
        f"{found.path}: {found.scheme}, {top1}{by} on"
        f" {accuracy.samples} images, {units.size(found.size_after)}, {smaller:.1f} × smaller"
    )
    if found.left_out:
        print_line(f"left out, for it needs the PyTorch model (edgevit compress): {', '.join(found.left_out)}")


def print_classification(found: Classification) -> None:
    """Prints the classes that images are most probably of, and how long each image took."""
    for image in found.images:
        took = f"{units.milliseconds(image.total_ms)}, of which inference {units.milliseconds(image.inference_ms)}"
        print_line(f"{image.image} ({took})")
        for answer in image.answers:
            print_line(f"{units.percent(answer.probability):>8}  {answer.label}")


def print_summary(summary: Summary) -> None:
    """Prints what is in an artifact."""
    from edgevit.results.class_outputs import outputs_text
    from edgevit.results.output import outputs_line

    print_line(f"{summary.path.name}: {units.size(summary.size_bytes)}, {units.count(summary.params)} parameters,"
               f" {units.count(summary.macs)} MACs, {units.percent(summary.int8_mac_share)} of them int8")  # fmt: skip
    if summary.batch != 1:
        print_line(f"one inference is of {summary.batch} images: the file fixes its batch")
    if summary.tensor_bytes is not None:
        print_line(f"tensor memory: {units.size(summary.tensor_bytes)} of weights and live activations")
    print_line(f"inputs: {'; '.join(summary.inputs)}")
    print_line(f"outputs: {'; '.join(summary.outputs)}")
    if summary.contract:
        print_line(f"images: {_preprocessing_text(summary.contract.preprocessing)}")
        if summary.contract.embeds_preprocessing:
            print_line("input: pixels as they are, RGB, 0 to 255; mean and standard deviation are in the graph")
        classes = {name: output for output, name in enumerate(summary.contract.classes)}
        if summary.contract.outputs:
            print_line(f"no classifier: it gives {outputs_line(summary.contract.outputs)}")
        else:
            print_line(f"classes by output: {outputs_text(classes)}" if classes else "classes: not named")
        made = summary.contract
        spec = f", spec {made.spec_sha256[:12]}" if made.spec_sha256 else ""
        print_line(f"made by edgevit {made.edgevit_version}: {made.scheme}{spec}")
    else:
        print_line("images: the file does not say how they are preprocessed")
    rows = [(op.native, op.kind, op.numerics, str(op.count), units.count(op.macs)) for op in summary.ops]
    print_table(("op", "kind", "numerics", "count", "MACs"), rows, numeric=(3, 4))


def print_sensitivity(report: SensitivityReport, document: Path) -> None:
    """Prints the most sensitive layers, each quantized alone, worst first."""
    print_line(
        f"{report.model}: each of {len(report.layers)} layers alone in {report.scheme} ({report.recipe.summary}),"
        f" {report.backend}, against the float model on {len(report.images.ids)} images of {report.images.source}"
    )
    print_line()
    rows = [
        (
            layer.name, layer.module or "–", layer.kind.replace("_", " "), units.count(layer.macs),
            units.decibels(layer.snr_db), units.percent(layer.agreement),
        )
        for layer in report.layers[:_MOST_LAYERS]
    ]  # fmt: skip
    print_table(
        ("layer", "module", "kind", "MACs", "SNR", "agreement"), rows, numeric=(3, 4, 5), ranks=(0, 0, 3, 2, 0, 1)
    )
    hidden = len(report.layers) - len(rows)
    if hidden:
        print_line(f"and {hidden} less sensitive layers: {document.name} has all")
    for note in (*report.images.warnings, *report.notes):
        print_line(f"note: {note}")
    print_line(f"written: {document.parent}")


def print_reduction(report: ReductionReport) -> None:
    """Prints what a token plan does to a model."""
    tokens = report.patches
    rows = []
    for site in report.sites:
        rows.append((str(site.block), str(tokens), str(site.tokens)))
        tokens = site.tokens
    form = f", {report.form} form" if report.form else ""
    print_line(f"{report.model} with {report.plan}{form}, input {report.input_size[0]} × {report.input_size[1]}")
    if rows:
        print_line()
        print_table(("after the attention of block", "patch tokens before", "after"), rows, numeric=(0, 1, 2))
    print_line(f"MACs: {units.count(report.macs_before)} before, {units.count(report.macs_after)} after")
    if report.top1_after is not None:
        print_line(
            f"top-1: {units.percent(report.top1_before)} before, {units.percent(report.top1_after)} after,"
            f" on {report.samples} images in PyTorch"
        )
    if report.agreement is not None:
        print_line(f"the same class before and after on {units.percent(report.agreement)} of {report.samples} images")
    print_line(f"written: {report.program}")


def _preprocessing_text(wanted: Preprocessing) -> str:
    """How images are preprocessed, in one line."""
    height, width = wanted.input_size
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (wanted.mean, wanted.std))
    channels = "" if wanted.channels == 3 else f", {wanted.channels} channel{'s'[: wanted.channels > 1]}"
    crop = f"crop {wanted.crop_pct:g} ({wanted.crop_mode})"
    if wanted.input == "array":
        return f"arrays of {height} × {width}{channels} as they are, mean {mean}, standard deviation {std}"
    return f"{height} × {width} pixels{channels}, {wanted.interpolation}, {crop}, mean {mean}, standard deviation {std}"
