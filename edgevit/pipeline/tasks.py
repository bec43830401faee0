"""The tasks of a run: each job with what it reads and writes, and the libraries that its process may have imported."""

from __future__ import annotations

from pathlib import Path

from edgevit.artifacts.embed import EmbedJob, embed_preprocessing
from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images
from edgevit.artifacts.float_layers import FloatLayers, FloatLayersJob, find_float_layers
from edgevit.artifacts.int8_scheme import ReadInt8Job, read_int8_scheme
from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob, layer_sensitivity
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob, export_float, quantize
from edgevit.artifacts.pytorch_reference import LatencyJob, ReferenceJob, pytorch_latency, reference_logits
from edgevit.artifacts.unseen_layers import UnseenJob, UnseenLayers, find_unseen_layers
from edgevit.artifacts.use_script import USE_SCRIPT
from edgevit.backends import get_backend
from edgevit.data.images import is_self_contained
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images
from edgevit.devices.order import OrderJob, Orders, order_artifacts
from edgevit.devices.predict import PredictDevicesJob, Predictions, predict_for_devices
from edgevit.distillation.distill_job import Distilled, DistillJob
from edgevit.distillation.distill_process import distill
from edgevit.distillation.finetune import finetune
from edgevit.distillation.finetune_job import Finetuned, FinetuneJob
from edgevit.measure.bench import BenchJob, bench
from edgevit.measure.paired import BenchWithParent, BenchWithParentJob, bench_with_parent
from edgevit.quantization.simulate import Int8Scheme
from edgevit.results.measurement import LatencyMs, Measurement
from edgevit.run.task import Task

PYTORCH = ("edgevit.artifacts.pytorch_reference", "edgevit.artifacts.unseen_layers")
"""What processes that run captured programs import."""


def images_task(job: PrepareImagesJob) -> Task[PrepareImagesJob, PreparedImages]:
    """Decodes and preprocesses images."""
    return Task(
        prepare_images,
        job,
        PreparedImages,
        pixel_files,
        preload=PYTORCH,
        here=not is_self_contained(job.samples.source),
    )


def reference_task(job: ReferenceJob) -> Task[ReferenceJob, LogitsFile]:
    """Runs a captured program over images."""
    inputs = (job.program, *pixel_files(job.images))
    return Task(reference_logits, job, LogitsFile, _logits, inputs, PYTORCH, here=decodes_here(job.images))


def distill_task(job: DistillJob) -> Task[DistillJob, Distilled]:
    """Trains a model; in a process that starts cold, for libraries that servers import compute in one thread."""
    return Task(distill, job, Distilled, lambda made: (made.weights,))


def finetune_task(job: FinetuneJob) -> Task[FinetuneJob, Finetuned]:
    """Fine-tunes a captured program."""
    images = (job.images, job.kept, job.kept_for_student, *((job.int8.calibration,) if job.int8 else ()))
    inputs = (job.student, job.teacher, *(path for each in images for path in pixel_files(each)))
    here = decodes_here(*images) or job.settings.device != "cpu"  # another machine need not have that accelerator
    return Task(finetune, job, Finetuned, lambda made: (made.weights,), inputs, PYTORCH, here=here)


def int8_scheme_task(job: ReadInt8Job) -> Task[ReadInt8Job, Int8Scheme]:
    """Reads how an int8 artifact computes."""
    preload = get_backend(job.backend).preload
    return Task(read_int8_scheme, job, Int8Scheme, inputs=artifact_files(job.artifact), preload=preload)


def float_layers_task(job: FloatLayersJob) -> Task[FloatLayersJob, FloatLayers]:
    """Finds the layers of a float artifact that belong to some modules."""
    return Task(
        find_float_layers, job, FloatLayers, inputs=(job.program, *artifact_files(job.artifact)), preload=PYTORCH
    )


def unseen_layers_task(job: UnseenJob) -> Task[UnseenJob, UnseenLayers]:
    """Finds the layers that comparing logits cannot check."""
    inputs = (job.program, *pixel_files(job.images))
    return Task(find_unseen_layers, job, UnseenLayers, inputs=inputs, preload=PYTORCH, here=decodes_here(job.images))


def pytorch_latency_task(job: LatencyJob) -> Task[LatencyJob, LatencyMs]:
    """Times a captured program; alone like others, but not started cold, for no candidate is compared with it."""
    return Task(pytorch_latency, job, LatencyMs, inputs=(job.program,), preload=PYTORCH, timing=True)


def export_task(job: ExportJob) -> Task[ExportJob, MadeArtifact]:
    """Prepares a captured program, if the job says so, and exports it as a float artifact."""
    inputs = (job.program, *pixel_files(job.calibration))
    preload = get_backend(job.backend).preload
    return Task(
        export_float, job, MadeArtifact, lambda made: made.files, inputs, preload, here=decodes_here(job.calibration)
    )


def quantize_task(job: QuantizeJob) -> Task[QuantizeJob, MadeArtifact]:
    """Quantizes a float artifact."""
    inputs = (*artifact_files(job.parent), *pixel_files(job.calibration))
    preload, here = get_backend(job.backend).preload, decodes_here(job.calibration)
    return Task(quantize, job, MadeArtifact, lambda made: made.files, inputs, preload, here=here, by_isa=True)


def embed_task(job: EmbedJob) -> Task[EmbedJob, MadeArtifact]:
    """Puts the preprocessing of an artifact into the graph of a copy."""
    inputs = (*artifact_files(job.plain), *pixel_files(job.images))
    preload, here = get_backend(job.backend).preload, decodes_here(job.images)
    return Task(embed_preprocessing, job, MadeArtifact, lambda made: made.files, inputs, preload, here=here)


def sensitivity_task(job: SensitivityJob) -> Task[SensitivityJob, Sensitivity]:
    """Ranks the layers of a float artifact by what quantizing them loses."""
    inputs = (*artifact_files(job.parent), *pixel_files(job.calibration))
    preload, here = get_backend(job.backend).preload, decodes_here(job.calibration)
    return Task(layer_sensitivity, job, Sensitivity, inputs=inputs, preload=preload, here=here, by_isa=True)


def inference_task(job: InferenceJob) -> Task[InferenceJob, LogitsFile]:
    """Runs an artifact over images."""
    inputs = (*artifact_files(job.artifact), *pixel_files(job.images))
    preload, here = get_backend(job.backend).preload, decodes_here(job.images)
    return Task(run_images, job, LogitsFile, _logits, inputs, preload, here=here, by_isa=True)


def bench_task(job: BenchJob) -> Task[BenchJob, Measurement]:
    """Measures an artifact."""
    return Task(bench, job, Measurement, inputs=artifact_files(job.artifact), timing=True)


def bench_with_parent_task(job: BenchWithParentJob) -> Task[BenchWithParentJob, BenchWithParent]:
    """Measures an artifact, and compares it with the one that it was made from."""
    inputs = (*artifact_files(job.bench.artifact), *artifact_files(job.parent))
    return Task(bench_with_parent, job, BenchWithParent, inputs=inputs, timing=True)


def predict_task(job: PredictDevicesJob) -> Task[PredictDevicesJob, Predictions]:
    """Predicts latency and memory of an artifact for devices."""
    preload = get_backend(job.backend).preload
    return Task(predict_for_devices, job, Predictions, inputs=artifact_files(job.artifact), preload=preload)


def order_task(job: OrderJob) -> Task[OrderJob, Orders]:
    """Compares predictions of artifacts on devices."""
    inputs = tuple(path for each in job.artifacts for path in artifact_files(each.artifact))
    preload = tuple(dict.fromkeys(name for each in job.artifacts for name in get_backend(each.backend).preload))
    return Task(order_artifacts, job, Orders, inputs=inputs, preload=preload)


def artifact_files(main: Path) -> tuple[Path, ...]:
    """Returns every file of an artifact, given its main file: all in its folder, but for the script that uses it."""
    return (main, *(path for path in sorted(main.parent.glob("*")) if path not in (main, main.with_name(USE_SCRIPT))))


def _logits(made: LogitsFile) -> tuple[Path, ...]:
    return (made.logits,)


def pixel_files(images: PreparedImages | None) -> tuple[Path, ...]:
    """Returns the file of decoded images, as an input of a task that reads them."""
    return () if images is None or images.pixels is None else (images.pixels,)


def decodes_here(*images: PreparedImages | None) -> bool:
    """Returns whether a task with these images decodes some of them from files that only this machine has."""
    return any(each and each.pixels is None and not is_self_contained(each.samples.source) for each in images)
