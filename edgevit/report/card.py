"""The model card of an artifact: Markdown with the metadata of Hugging Face, written from what its run found out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.report import intervals
from edgevit.report.markdown_text import code, escape, plain, table
from edgevit.report.metric import change_interval, change_text, score_interval, score_text
from edgevit.report.shift import shift_section
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.spec.schemes import SCHEMES

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

_LIBRARIES = {"onnxruntime": "onnx", "openvino": "openvino", "litert": "tflite"}
"""What the metadata calls the library of each backend."""
_ON_THE_HUB = ("hf-hub:", "transformers:")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LICENCE_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*", re.ASCII)
_MOST_CHANGED = 5


def render_card(run: Run, candidate: Candidate, licence: str | None) -> str:
    """Returns the card of a candidate.

    Args:
        run: Of the candidate.
        candidate: With an artifact.
        licence: As the user states it; None where nobody did.

    Raises:
        ImportError: huggingface_hub, which writes the metadata, is not installed.
    """
    sections = (
        f"# {escape(_title(run, candidate))}",
        _intended_use(run, candidate),
        _accuracy(run, candidate),
        _shift(candidate),
        _latency(run, candidate),
        _quantization(run, candidate),
        _calibration(run, candidate),
        _limits(run, candidate),
        _licence(licence),
        _provenance(run, candidate),
    )
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{card_metadata(run, candidate, licence).to_yaml()}\n---\n\n{body}\n"


def card_metadata(run: Run, candidate: Candidate, licence: str | None) -> ModelCardData:
    """Returns the metadata of a candidate's card; see :func:`render_card`.

    Raises:
        ImportError: huggingface_hub is not installed.
    """
    from huggingface_hub import ModelCardData

    is_known = licence is not None and _LICENCE_ID.fullmatch(licence) is not None
    named: dict[str, Any] = {}
    if licence is not None:
        named = {"license": licence} if is_known else {"license": "other", "license_name": plain(licence)}
    results = _eval_results(run, candidate)
    return ModelCardData(
        base_model=_base_model(run),
        library_name=_LIBRARIES.get(candidate.backend, plain(candidate.backend)),
        pipeline_tag="image-classification" if _is_classifier(candidate) else None,
        tags=["edgevit", "edge", plain(candidate.format), plain(candidate.scheme)],
        model_name=plain(_title(run, candidate)) if results else None,
        eval_results=results or None,
        **named,
    )


def _eval_results(run: Run, candidate: Candidate) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    found = []
    sets = [(_source(run), candidate.accuracy), *((each.source, each.accuracy) for each in candidate.other_sets)]
    for source, accuracy in sets:
        tops = (("top-1", accuracy.top1), ("top-5", accuracy.top5)) if accuracy else ()
        for name, value in tops:
            if value is not None:
                result = EvalResult(
                    task_type="image-classification",
                    dataset_type=_slug(source),
                    dataset_name=plain(source),
                    metric_type="accuracy",
                    metric_name=name,
                    metric_value=round(value, 6),
                )
                found.append(result)
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "images"


def _base_model(run: Run) -> str | None:
    """The repository on the Hub that the model is from; None where it is from elsewhere."""
    name = str(run.spec["model"]["name"])
    prefix = next((each for each in _ON_THE_HUB if name.startswith(each)), None)
    repository = name.removeprefix(prefix or "")
    return repository if prefix and run.spec["model"].get("pretrained") and _REPOSITORY.fullmatch(repository) else None


def _title(run: Run, candidate: Candidate) -> str:
    return f"{run.spec['model']['name']}, {candidate.scheme} for {candidate.backend}"


def _source(run: Run) -> str:
    return run.evaluation.source if run.evaluation else str((run.spec.get("data") or {}).get("evaluation") or "images")


def _is_classifier(candidate: Candidate) -> bool:
    accuracy = candidate.accuracy
    return bool(accuracy and (accuracy.top1 is not None or accuracy.agreement is not None))


def _intended_use(run: Run, candidate: Candidate) -> str:
    artifact, budget = candidate.artifact, run.spec.get("budget") or {}
    assert artifact is not None
    fed, height, width = artifact.preprocessing, *artifact.preprocessing.input_size
    devices = [name for name in run.choices if name != "host"] or ["the host it was measured on"]
    classes = run.evaluation.classes if run.evaluation else {}
    what = "Classification of images" if _is_classifier(candidate) else "The outputs that are listed below, of images"
    lines = [
        f"- {what}, one at a time, by {escape(candidate.backend)} on {escape(', '.join(devices))}.",
        f"- Input: {height} × {width} pixels, {fed.channels} channels, {fed.interpolation}, crop {fed.crop_pct:g}"
        f" ({fed.crop_mode}), mean {_numbers(fed.mean)}, standard deviation {_numbers(fed.std)} of pixels in 0..1.",
        f"- Outputs: {escape('; '.join(f'{each.name} {each.dtype} {list(each.shape)}' for each in artifact.outputs))}.",
        *([f"- Classes that the evaluation images have: {escape(_some(list(classes)))}."] if classes else []),
        f"- Asked for was a loss of at most {_limit(run, budget)} against the float model.",
    ]
    return "## Intended use\n\n" + "\n".join(lines)


def _limit(run: Run, budget: dict[str, Any]) -> str:
    limit = float(budget.get("max_drop", 1.0))
    metric = run.baseline.metric
    return f"{limit:g} {escape(metric.unit or metric.title)}" if metric and metric.unit != "%" else units.points(limit)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _some(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _accuracy(run: Run, candidate: Candidate) -> str:
    rows = [row for source, accuracy, base in _scored(run, candidate) for row in _set_rows(source, accuracy, base)]
    if not rows:
        return "## Accuracy\n\nNot measured: there were no images with labels."
    titles = ("images", "measure", "float model", "this file", "95 % interval", "change", "95 % interval")
    return f"## Accuracy\n\n{table(titles, rows, numeric=range(2, 7))}"


def _scored(run: Run, candidate: Candidate) -> Iterator[tuple[str, Any, Any]]:
    yield _source(run), candidate.accuracy, run.baseline
    bases = {each.source: each.accuracy for each in run.baseline.other_sets}
    for each in candidate.other_sets:
        yield each.source, each.accuracy, bases.get(each.source)


def _set_rows(source: str, accuracy: Any, base: Any) -> Iterator[tuple[str, ...]]:
    if accuracy is None:
        return
    images = f"{source} ({accuracy.samples})"
    if accuracy.top1 is not None:
        yield (
            images,
            "top-1",
            units.percent(base.top1 if base else None),
            units.percent(accuracy.top1),
            intervals.percent(accuracy.top1_interval),
            units.accuracy_change(accuracy.drop_points),
            intervals.accuracy_change(accuracy.drop_interval),
        )
    if accuracy.top5 is not None:
        yield images, "top-5", units.percent(base.top5 if base else None), units.percent(accuracy.top5), "–", "–", "–"
    if accuracy.metric:
        yield (
            images,
            accuracy.metric.title,
            score_text(base.metric if base else None),
            score_text(accuracy.metric),
            score_interval(accuracy.metric),
            change_text(accuracy.metric),
            change_interval(accuracy.metric),
        )
    if accuracy.agreement is not None:
        yield images, "agreement with the float model", "–", units.percent(accuracy.agreement), "–", "–", "–"


def _shift(candidate: Candidate) -> str:
    return "" if candidate.shift is None else f"## Loss under shift\n\n{shift_section(candidate.shift)}"


def _latency(run: Run, candidate: Candidate) -> str:
    rows = []
    measured = candidate.measurement()
    if candidate.latency:
        found = candidate.latency
        how = f"measured in {len(found.bursts_ms)} rounds" + (f"; unstable: {found.unstable}" if found.unstable else "")
        rows.append((run.host.cpu, how, units.milliseconds(found.p50_ms), intervals.milliseconds(found.interval_ms)))
    elif measured:
        rows.append((run.host.cpu, "measured once", units.milliseconds(measured.latency_ms.p50), "–"))
    for each in candidate.predictions:
        predicted = each.latency_ms
        rows.append(
            (
                f"{each.device} ({each.unit})",
                "predicted, not measured" if predicted else "not supported, or not known",
                units.milliseconds(predicted.p50 if predicted else None),
                f"{units.milliseconds(predicted.low)} to {units.milliseconds(predicted.high)}" if predicted else "–",
            )
        )
    if not rows:
        return "## Latency\n\nNot measured."
    parts = ["## Latency", table(("device", "how", "p50", "interval"), rows, numeric=(2, 3))]
    if measured:
        of = measured.conditions
        text = (
            f"Measured one image at a time on {run.host.cpu}, {run.host.cores} cores, {run.host.os}, governor {of.governor},"
            f" {measured.threads} {'thread' if measured.threads == 1 else 'threads'}, by {of.runtime} {of.runtime_version}, {of.precision}, {of.delegate}. Process memory"
            f" {units.size(measured.peak_rss_bytes)}."
        )
        parts.append(escape(text))
    if candidate.speed_up:
        between = (
            f" (95 % interval {intervals.ratio(candidate.speed_up_interval)})" if candidate.speed_up_interval else ""
        )
        parts.append(f"{units.ratio(candidate.speed_up)} as fast as its float parent{between}.")
    return "\n\n".join(parts)


def _quantization(run: Run, candidate: Candidate) -> str:
    artifact, recipe = candidate.artifact, candidate.recipe
    assert artifact is not None
    lines = [
        f"- Scheme {code(candidate.scheme)}; the layers compute in {escape(artifact.numerics)}; {units.percent(artifact.int8_mac_share)}"
        f" of {units.count(artifact.macs)} MACs are int8.",
        *([f"- Recipe: {escape(recipe.summary)}."] if recipe else []),
        *([f"- Layers that stay float: {artifact.float_layer_count}."] if artifact.float_layer_count else []),
        *(f"- {escape(each.name)} {escape(each.settings)}." for each in candidate.passes),
    ]
    verified = candidate.verification
    if verified:
        agrees = verified.top1_agreement
        same = f", the same class for {units.percent(agrees)}" if agrees is not None else ""
        lines.append(
            f"- Compared with {code(verified.reference)} on {verified.samples} images: signal-to-noise ratio"
            f" {units.decibels(verified.snr_db)}{same}."
        )
    return "## Quantization\n\n" + "\n".join(lines)


def _calibration(run: Run, candidate: Candidate) -> str:
    record = run.calibration
    if record is None:
        return ""
    lines = [
        *(
            []
            if _is_calibrated(candidate)
            else ["- The scheme needs no calibration; the run had these images for others."]
        ),
        f"- {record.count or len(record.ids)} images of {escape(record.source)}, drawn with seed {record.seed}.",
        f"- sha256 of the sorted sha256 digests of the images: {code(record.sha256)}.",
        *(f"- Warning: {escape(warning)}" for warning in record.warnings),
    ]
    return "## Calibration\n\n" + "\n".join(lines)


def _is_calibrated(candidate: Candidate) -> bool:
    return candidate.scheme not in SCHEMES or SCHEMES[candidate.scheme].calibrated


def _limits(run: Run, candidate: Candidate) -> str:
    accuracy = candidate.accuracy
    lines = (
        [f"The candidate was {candidate.status}: {'; '.join(candidate.reasons)}"] if candidate.status != "ok" else []
    )
    if accuracy and accuracy.top1 is not None:
        lines.append(
            f"Accuracy holds for images like the {accuracy.samples} of {_source(run)}, and within its interval."
        )
    if accuracy and accuracy.changed_classes:
        classes = (
            f"class {each.label} {units.percent(each.top1_before)} → {units.percent(each.top1_after)} of {each.images}"
            for each in accuracy.changed_classes[:_MOST_CHANGED]
        )
        lines.append(f"Classes that changed most: {', '.join(classes)}")
    worst = candidate.shifted_drop
    if worst:
        lines.append(f"Largest drop under shift: {units.points(worst.drop_points)} ({worst.shift})")
    if candidate.shift is None:
        lines.append("Loss on corrupted images was not measured")
    if candidate.unstable:
        lines.append(f"Latency is not to be relied on: {candidate.unstable}")
    if candidate.predictions:
        lines.append("Predicted latencies are no measurements")
    if run.is_quick:
        lines.append("The run was a quick one, on few images")
    lines += run.notes
    return "## Limits\n\n" + "\n".join(f"- {escape(line)}" for line in lines) if lines else ""


def _licence(licence: str | None) -> str:
    return (
        f"## Licence\n\n{escape(licence)}, as stated by who made this card." if licence else "## Licence\n\nNot stated."
    )


def _provenance(run: Run, candidate: Candidate) -> str:
    artifact = candidate.artifact
    assert artifact is not None
    rows = [
        ("file", f"{artifact.path}, {units.size(artifact.size_bytes)}"),
        ("sha256", artifact.sha256),
        ("parameters, MACs", f"{units.count(artifact.params)}, {units.count(artifact.macs)}"),
        ("made", f"{run.created_at} by edgevit {run.edgevit_version}, seed {run.seed}, Python {run.host.python}"),
        ("sha256 of the spec", run.spec_sha256),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.tool_versions.items())),
    ]
    head = "Every figure is from the `run.json` of the run that made the file."
    return f"## Provenance\n\n{head}\n\n{table(('', ''), rows, numeric=())}"
