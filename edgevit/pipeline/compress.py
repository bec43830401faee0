"""The main path: spec → load model → passes → per backend: export → quantize → verify → evaluate → measure → choose → report."""

from __future__ import annotations

import functools
from pathlib import Path

from edgevit.backends import Backend, check_scheme, get_backend
from edgevit.data.calibration_warnings import calibration_warnings
from edgevit.data.images import NOISE, Samples, manifest, open_images, set_sha256, sorted_digests
from edgevit.data.sampling import RunData, check_images, choose_data
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint, tool_versions
from edgevit.model.load import Model, load_model
from edgevit.pipeline.candidate import COMPRESS_STEPS, EXPORT_STEPS, Step, build
from edgevit.pipeline.choose import choose, choose_form, lost_by_integers
from edgevit.pipeline.context import Alternatives, Job, Variant
from edgevit.pipeline.model_passes import TrainedModel, check_passes, run_passes
from edgevit.pipeline.snapshot import Bench
from edgevit.pipeline.token_passes import Reduced, check_tokens, reduce_carefully_for, reduce_for
from edgevit.quantization.policy import Target, first_guess
from edgevit.report import write_report
from edgevit.results.candidate import Candidate
from edgevit.results.run import CalibrationRecord, Run
from edgevit.results.token_search import TokenSearch
from edgevit.run.files import default_folder
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress, Silent
from edgevit.run.stages import Workshop
from edgevit.spec.schemes import AUTO, SCHEMES
from edgevit.spec.spec import Spec
from edgevit.version import __version__

NOISE_SAMPLES = 16
"""Made-up images to verify with when a run has no real ones."""


def compress(spec: Spec, out: Path | None = None, *, resume: bool = False, progress: Progress | None = None) -> Run:
    """Compresses a model: makes every candidate, verifies, evaluates and measures it, and chooses one.

    Args:
        spec: What to do; see :class:`edgevit.spec.spec.Spec`.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        resume: Continue the run in ``out``, whatever stopped it.
        progress: Hears what is going on.

    Returns:
        The run; ``run.selected`` is the id of the chosen candidate, or None if nothing usable is left.

    Raises:
        UsageError: the spec asks for something that cannot be had; nothing heavy was started.
        DiskFull: there was no space left; ``resume`` continues.
    """
    return _run(spec, out, resume, progress or Silent(), COMPRESS_STEPS)


def export(spec: Spec, out: Path | None = None, *, resume: bool = False, progress: Progress | None = None) -> Run:
    """Makes and verifies the artifacts of a spec, without evaluating, measuring or choosing; see :func:`compress`."""
    return _run(spec, out, resume, progress or Silent(), EXPORT_STEPS)


def _run(spec: Spec, out: Path | None, resume: bool, progress: Progress, steps: tuple[Step, ...]) -> Run:
    backends = _check_names(spec)
    folder = RunFolder(out.resolve() if out else default_folder(spec.model.name), spec, resume)
    model = load_model(spec.model, spec.seed)
    data = _check_data(spec, model, progress)
    check_passes(spec, model, data)
    check_tokens(spec, model)
    with folder:
        progress.message(f"run folder: {folder.path}")
        _pin(folder, data)
        calibration = _calibration_record(data, spec.seed, progress)
        shop = Workshop(spec, folder, progress)
        bench = Bench(shop, data.evaluation.labels if data.evaluation else None, _verification_images(data))
        passed = run_passes(bench, model)
        job = _job(shop, model, data, passed)
        candidates: list[Candidate] = []
        searches: list[TokenSearch] = []
        notes = list(_notes(spec, data, model, calibration))
        for backend in backends:
            reduced, made = candidates_for(backend, job, steps, bench, model, passed)
            candidates += made
            searches += reduced.searches
            notes += reduced.notes
        run = Run(
            edgevit_version=__version__,
            created_at=folder.created_at,
            seed=spec.seed,
            spec=spec.model_dump(mode="json"),
            spec_sha256=spec.sha256,
            host=host_fingerprint(spec.measure.threads),
            tool_versions=tool_versions(),
            baseline=passed.baseline,
            candidates=tuple(candidates),
            selected=choose(tuple(candidates), _npus(spec)) if steps is COMPRESS_STEPS else None,
            stages=tuple(folder.stages),
            calibration=calibration,
            notes=tuple(dict.fromkeys(notes)),
            token_searches=tuple(searches),
        )
        if data.calibration:
            folder.write(
                "calibration.toml", manifest(data.calibration, f"Calibration images of {spec.model.name}").encode()
            )
        folder.finish(run)
        write_report(run, folder.path)
    return run


def _check_names(spec: Spec) -> tuple[Backend, ...]:
    """Resolves every name of the spec, so that a wrong one is found before anything heavy starts."""
    by_name = {backend.name: backend for backend in map(get_backend, spec.export.backends)}
    if not by_name:
        raise UsageError("no backend is asked for", "give --export onnx,openvino,tflite")
    for name in spec.devices:
        load_device(name)
    if spec.quantize.integer_io != "none":
        _check_integer_io(spec, tuple(by_name.values()))
    for backend in by_name.values():
        for scheme in spec.export.schemes:
            if scheme != AUTO:
                check_scheme(backend, scheme)
    return tuple(by_name.values())


def _check_integer_io(spec: Spec, backends: tuple[Backend, ...]) -> None:
    for backend in backends:
        if not backend.has_integer_io:
            raise UsageError(
                f"{backend.title} artifacts have float inputs and outputs",
                "integer I/O is had with --export tflite alone",
            )
    others = [name for name in spec.export.schemes if name != AUTO and not _fits_integer_io(name)]
    if others:
        raise UsageError(f"integer I/O needs static int8, not {others[0]}", "give --scheme static_wi8_ai8")


def _fits_integer_io(scheme: str) -> bool:
    return SCHEMES[scheme].numerics == "int8_static"


def _check_data(spec: Spec, model: Model, progress: Progress) -> RunData:
    if spec.model.random_weights and spec.data.evaluation:
        raise UsageError("accuracy of random weights is not reported", "leave out --data, or give weights")
    data = choose_data(
        spec.data.evaluation, spec.data.calibration, spec.data.samples, spec.data.calibration_samples, spec.seed
    )
    for images, name in ((data.evaluation, "evaluation"), (data.calibration, "calibration")):
        if images is not None:
            check_images(images, model.num_classes, functools.partial(progress.stage, f"check {name} images"))
    return data


def _pin(folder: RunFolder, data: RunData) -> None:
    """Ties the run to this version of edgevit and to these images, so that a resumed one cannot mix two."""
    folder.pin("version of edgevit", __version__)
    for images, name in ((data.evaluation, "evaluation"), (data.calibration, "calibration")):
        if images is not None:
            folder.pin(f"{name} images", set_sha256(images))


def _verification_images(data: RunData) -> Samples:
    images = data.evaluation or data.calibration
    return images.samples if images else open_images(f"{NOISE}:{NOISE_SAMPLES}").samples


def _job(shop: Workshop, model: Model, data: RunData, passed: TrainedModel) -> Job:
    return Job(
        shop=shop,
        num_classes=model.num_classes,
        target=_target(shop.spec, passed.transformer),
        images=_verification_images(data),
        labels=data.evaluation.labels if data.evaluation else None,
        judged=data.evaluation is not None or data.calibration is not None,
        calibration=data.calibration.samples if data.calibration else None,
        baseline_top1=passed.baseline.top1,
        baseline_logits=passed.baseline_logits,
    )


def _target(spec: Spec, transformer: bool) -> Target:
    return Target(
        architecture="transformer" if transformer else "cnn",
        npu=bool(_npus(spec)),
        integer_io=spec.quantize.integer_io,
        isa=host_fingerprint(spec.measure.threads).isa,
    )


def _npus(spec: Spec) -> tuple[str, ...]:
    """Devices of the spec whose first unit runs static int8 but no dynamic int8."""
    return tuple(name for name in spec.devices if load_device(name).needs_static_int8)


def candidates_for(
    backend: Backend, job: Job, steps: tuple[Step, ...], bench: Bench, model: Model, passed: TrainedModel
) -> tuple[Reduced, list[Candidate]]:
    """Makes every candidate of one backend, the dense float one first.

    Where integers cost a token plan that was found more than was left of the drop allowed, a more careful one is
    searched for, once.
    """
    reduced = reduce_for(backend, bench, model, passed)
    made = _candidates_of(job, steps, backend, ((passed.dense,), *reduced.variants))
    limit = job.shop.spec.budget.max_drop
    if not any(search.plan and lost_by_integers(tuple(made), search.plan, limit) for search in reduced.searches):
        return reduced, made
    careful = reduce_carefully_for(backend, bench, model, passed)
    new = [alternatives for alternatives in careful.variants if alternatives not in reduced.variants]
    return reduced.and_then(careful), made + _candidates_of(job, steps, backend, tuple(new), made[0])


def _candidates_of(
    job: Job,
    steps: tuple[Step, ...],
    backend: Backend,
    variants: tuple[Alternatives, ...],
    dense: Candidate | None = None,
) -> list[Candidate]:
    """Candidates of one backend; float ones are always made, for the others are compared with them.

    Args:
        job: What they share.
        steps: What they go through.
        backend: What they are for.
        variants: What they are made from.
        dense: Float candidate to compare with; the first one made where None.
    """
    made: list[Candidate] = []
    for alternatives in variants:
        first = dense or (made[0] if made else None)
        floats = tuple(build(job, steps, backend, "fp32", variant, first) for variant in alternatives)
        judged = choose_form(floats) if steps is COMPRESS_STEPS else floats
        made += judged
        for variant, parent in zip(alternatives, judged, strict=True):
            if parent in floats:  # as it was: not the slower one of two forms
                made += _quantized(job, steps, backend, variant, parent)
    return made


def _quantized(
    job: Job, steps: tuple[Step, ...], backend: Backend, variant: Variant, parent: Candidate
) -> list[Candidate]:
    """The candidates that are made from a float one; by "auto", until one is usable."""
    automatic = job.shop.spec.export.schemes == (AUTO,)
    schemes = first_guess(backend.policy, job.target).schemes if automatic else job.shop.spec.export.schemes
    if job.target.integer_io != "none":
        schemes = tuple(filter(_fits_integer_io, schemes))
    made: list[Candidate] = []
    for scheme in schemes:
        if scheme == "fp32":
            continue
        made.append(build(job, steps, backend, scheme, variant, parent))
        if automatic and (made[-1].status == "ok" or parent.status != "ok"):
            break  # the policy's next choice is for a usable float model that this scheme spoiled
    return made


def _calibration_record(data: RunData, seed: int, progress: Progress) -> CalibrationRecord | None:
    """Notes which images calibrate, and tells at once what is doubtful about them."""
    images = data.calibration
    if images is None:
        return None
    warnings = calibration_warnings(images, functools.partial(progress.stage, "judge calibration images"))
    for warning in warnings:
        progress.message(f"warning: {warning}")
    return CalibrationRecord(
        source=images.source,
        ids=images.ids,
        sha256=set_sha256(images),
        seed=seed,
        images_sha256=sorted_digests(images),
        count=len(images),
        warnings=warnings,
    )


def _notes(spec: Spec, data: RunData, model: Model, calibration: CalibrationRecord | None) -> tuple[str, ...]:
    notes = list(calibration.warnings) if calibration else []
    if model.random_weights:
        notes.append("random weights: accuracy is not reported")
    elif data.evaluation is None:
        notes.append("no evaluation images: accuracy is not reported")
    elif data.evaluation.labels is None:
        notes.append("no labels: candidates are judged by agreement with the float model")
    if data.evaluation is None and data.calibration is not None:
        notes.append("candidates are judged by agreement with the float model on the calibration images")
    wants_static = any(scheme == AUTO or SCHEMES[scheme].calibrated for scheme in spec.export.schemes)
    if data.calibration is None and wants_static:
        notes.append("no calibration images: static schemes were not possible")
    return tuple(notes)
