"""What each layer of a model loses when it alone is quantized, as a document and a picture."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from torch.export import ExportedProgram

from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob, choose_images, layer_sensitivity
from edgevit.artifacts.make import ExportJob, MadeArtifact, export_float
from edgevit.backends import Backend, check_makers, check_scheme, check_size, get_backend
from edgevit.data.calibration_warnings import calibration_warnings
from edgevit.data.images import ImageSet, set_sha256
from edgevit.data.output_place import check_output_place
from edgevit.data.prepared import PreparedImages
from edgevit.data.sampling import check_images, choose_data
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint
from edgevit.model.load import Model
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, load_program, save_program
from edgevit.model.program.module_names import ModuleLayer, module_layers
from edgevit.pipeline.classifier_only import check_kind
from edgevit.pipeline.export_inputs import target_of
from edgevit.pipeline.model_inputs import open_model
from edgevit.quantization.policy import Target, first_guess, first_recipe
from edgevit.quantization.prepare import Prepared, PrepareJob, prepare
from edgevit.report.plots.sensitivity import draw_layers
from edgevit.results.document import to_json
from edgevit.results.sensitivity import ComparedImages, SensitivityReport
from edgevit.run.files import write_atomically
from edgevit.run.packages import tool_versions
from edgevit.run.progress import Progress
from edgevit.run.stages import ChildRunner
from edgevit.run.task import Task
from edgevit.spec.recipe import Recipe
from edgevit.spec.schemes import AUTO, SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import NONE, TokenPlan, parse_plan
from edgevit.tokens.plan import sites_of, with_fewer_tokens
from edgevit.version import __version__

DOCUMENT, PICTURE, LOG = "sensitivity.json", "sensitivity.png", "sensitivity.log"


def analyse(spec: Spec, out: Path, progress: Progress) -> SensitivityReport:
    """Ranks the layers of a model by what each loses when it alone is quantized.

    The model is exported by the first backend of the spec; its layers are quantized by the first scheme that is not a
    float one.

    Args:
        spec: Model, calibration images, tokens, backend and scheme; budget and measurement do not matter.
        out: Folder for ``sensitivity.json``, for ``sensitivity.png`` where matplotlib is installed, and for the log.
        progress: Progress callback.

    Raises:
        UsageError: the spec asks for something that does not exist or does not fit, has no calibration images, or ``out`` holds a
            result already; nothing heavy was started.
        CandidateFailed: the runtime, its exporter or its quantizer failed.
    """
    check_output_place(out, (spec.data.evaluation, spec.data.calibration))
    backend = _check(spec, out)
    devices = tuple(map(load_device, spec.devices))
    host = host_fingerprint(spec.measure.threads)
    model = open_model(spec.model, spec.seed)
    check_kind(spec, model)
    check_size(backend, model.params)
    for note in model.notes:
        progress.message(note)
    plan = None if spec.passes.tokens == NONE else parse_plan(spec.passes.tokens)
    if plan:
        sites_of(model.module, plan, model.preprocessing.input_size)
    images = _images(spec, model, progress)
    warnings = calibration_warnings(images)
    for warning in warnings:
        progress.message(f"warning: {warning}")
    with tempfile.TemporaryDirectory() as temporary:
        children = ChildRunner(spec.measure.timeout_seconds, out / LOG, progress)
        analysis = _Analysis(spec, backend, model, images, Path(temporary), children)
        program = analysis.capture(plan)
        recipe = _recipe(spec, backend, target_of(is_transformer(program), devices, host))
        if recipe.preparations:
            program = analysis.prepare(program, recipe)
        found = analysis.rank(analysis.export(program, recipe), recipe, module_layers(program))
    report = SensitivityReport(
        edgevit_version=__version__,
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model=spec.model.name,
        backend=backend.name,
        scheme=recipe.scheme,
        recipe=recipe,
        spec=spec.model_dump(mode="json"),
        images=ComparedImages(images.source, images.ids, set_sha256(images), warnings),
        host=host,
        tool_versions=tool_versions(),
        layers=found.layers,
        notes=_notes(model, found),
    )
    write_atomically(out / DOCUMENT, to_json(report))
    if importlib.util.find_spec("matplotlib") is None:
        progress.message(f"no {PICTURE}: matplotlib is not installed; pip install 'edgevit[report]'")
    else:
        draw_layers(report, out / PICTURE)
    return report


def _check(spec: Spec, out: Path) -> Backend:
    """Refuses what can be refused before anything heavy starts; returns the backend."""
    if not spec.export.backends:
        raise UsageError("no backend is asked for", "give --export onnx, openvino or tflite")
    backend = get_backend(spec.export.backends[0])
    check_makers(backend)
    if spec.export.schemes != (AUTO,):
        for scheme in spec.export.schemes:
            check_scheme(backend, scheme)
        _first_integer_scheme(backend, spec.export.schemes)
    if spec.distill:
        raise UsageError(
            "layers of a model that is yet to be distilled cannot be compared",
            "leave out [distill], or give the distilled weights with --weights FILE",
        )
    if spec.data.calibration is None:
        raise UsageError("layers are compared on calibration images, and there are none", "give --calibration IMAGES")
    if (out / DOCUMENT).exists():
        raise UsageError(f"{out} holds a {DOCUMENT} already", "choose another --out")
    return backend


def _first_integer_scheme(backend: Backend, schemes: tuple[str, ...]) -> str:
    for scheme in schemes:
        if not SCHEMES[scheme].is_float:
            return scheme
    quantized = (scheme for scheme in backend.schemes if not SCHEMES[scheme].is_float)
    raise UsageError(
        f"{', '.join(schemes)}: no layer is quantized to integers",
        f"{backend.title} has: {', '.join(quantized)}",
    )


def _images(spec: Spec, model: Model, progress: Progress) -> ImageSet:
    """The images to compare layers on; evaluation images are opened only to hold out a part of them."""
    assert spec.data.calibration is not None
    evaluation = spec.data.evaluation if spec.data.calibration.endswith("%") else None
    data = choose_data(evaluation, spec.data.calibration, None, spec.data.calibration_samples, spec.seed)
    assert data.calibration is not None
    images = choose_images(data.calibration)
    check_images(
        images, model.num_classes, model.preprocessing, functools.partial(progress.stage, "check calibration images")
    )
    return images


def _recipe(spec: Spec, backend: Backend, target: Target) -> Recipe:
    """What the policy begins with, as far as a single layer goes."""
    automatic = spec.export.schemes == (AUTO,)
    schemes = first_guess(backend.policy, target).schemes if automatic else spec.export.schemes
    first = first_recipe(backend.policy, _first_integer_scheme(backend, schemes), target)
    return Recipe(
        first.scheme, ranges=first.ranges, preparations=first.preparations, reduce_range=first.reduce_range,
        symmetric=first.symmetric,
    )  # fmt: skip


@dataclass(frozen=True)
class _Analysis:
    """The steps of an analysis; what runs a runtime or a quantizer does so in a child process."""

    spec: Spec
    backend: Backend
    model: Model
    images: ImageSet
    folder: Path
    children: ChildRunner

    @property
    def prepared_images(self) -> PreparedImages:
        """The images as the model takes them; so few are decoded by each child that reads them."""
        return PreparedImages(self.images.samples, self.model.preprocessing)

    def capture(self, plan: TokenPlan | None) -> ExportedProgram:
        """Captures the model, with fewer tokens if there is a plan."""
        stage = f"capture {self.model.name}"
        self.children.progress.stage(stage, 0, 1)
        module, size = self.model.module, self.model.preprocessing.input_size
        reduced = with_fewer_tokens(module, plan, "gather", size) if plan else module
        program = capture(reduced, size, self.model.preprocessing.channels)
        self.children.progress.stage(stage, 1, 1)
        return program

    def prepare(self, program: ExportedProgram, recipe: Recipe) -> ExportedProgram:
        """Does to the program what the recipe asks for before export."""
        job = PrepareJob(
            program=self._saved(program),
            calibration=self.prepared_images,
            steps=recipe.preparations,
            target=self.folder / "prepared.pt2",
        )
        return load_program(self.children.run(f"prepare {self.model.name}", Task(prepare, job, Prepared)).program)

    def export(self, program: ExportedProgram, recipe: Recipe) -> Path:
        """Exports a prepared program as float32, as the recipe wants it, and returns the artifact's main file."""
        fused = tuple(step for step in recipe.preparations if step == "fused_ops")
        job = ExportJob(self.backend.name, self._saved(program), self.folder / "artifact", fused)
        stage = f"export {self.model.name} for {self.backend.title}"
        return self.children.run(stage, Task(export_float, job, MadeArtifact)).main

    def rank(self, artifact: Path, recipe: Recipe, modules: tuple[ModuleLayer, ...]) -> Sensitivity:
        """Quantizes each layer of a float artifact alone; the time limit is for one layer."""
        job = SensitivityJob(
            backend=self.backend.name,
            parent=artifact,
            recipe=recipe,
            calibration=self.prepared_images,
            threads=self.spec.measure.threads,
            seed=self.spec.seed,
            modules=modules,
            outputs=self.model.named_outputs,
        )
        limit = self.children.timeout_seconds * max(1, len(modules))
        task = Task(layer_sensitivity, job, Sensitivity)
        return replace(self.children, timeout_seconds=limit).run(f"quantize each layer alone ({recipe.scheme})", task)

    def _saved(self, program: ExportedProgram) -> Path:
        file = self.folder / "model.pt2"
        save_program(program, file)
        return file


def _notes(model: Model, found: Sensitivity) -> tuple[str, ...]:
    notes = []
    if model.random_weights:
        notes.append("random weights: trained ones will differ in other layers")
    if not any(layer.module for layer in found.layers):
        notes.append("the layers of the artifact could not be matched with modules of the model")
    return tuple(notes)
