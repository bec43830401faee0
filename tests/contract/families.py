"""The model families that edgevit supports, and the steps from a name to a verified artifact.

The contract test and the published table both take these steps, as ``edgevit compress`` does: load → capture → export in
a child process → run images in a child process → compare with PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images, write_logits
from edgevit.artifacts.make import ExportJob, MadeArtifact, QuantizeJob, export_float, quantize
from edgevit.artifacts.unseen_layers import UnseenJob, find_unseen_layers
from edgevit.artifacts.verify import FLOAT_TOLERANCE, compare, verify_signature
from edgevit.backends import get_backend
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages
from edgevit.measure.bench import BenchJob
from edgevit.measure.host import host_fingerprint
from edgevit.measure.paired import BenchWithParent, BenchWithParentJob, bench_with_parent
from edgevit.model.load import load_model
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, count_macs, save_program
from edgevit.model.random_weights import random_images
from edgevit.quantization.policy import Target, first_guess, first_recipe
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Verification
from edgevit.results.output import classifier_outputs
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import ModelSpec

IMAGES = 8
LEAST_VARIATION = 0.01
"""Least difference between the logits of two images, over the largest logit: 100 times what parity allows."""


_CVT_LAST_QUERY = (
    "net.cvt.encoder.stages.2.layers.9.attention.attention"
    ".convolution_projection_query.convolution_projection.convolution"
)
"""Makes the queries of the patches in the last block, whose class token alone is read."""


@dataclass(frozen=True)
class Family:
    """One row of the table: a family by its smallest member."""

    title: str
    model: str
    """As users write it: a timm name, or "package.module:factory"."""
    attention: bool
    """Whether its smallest member has self-attention."""
    slow: bool = False
    """Left out of the fast half of the contract test."""
    unread: tuple[str, ...] = ()
    """Layers that the logits cannot depend on."""


FAMILIES = (
    Family("ViT", "vit_tiny_patch16_224", attention=True),
    Family("DeiT", "deit_tiny_patch16_224", attention=True, slow=True),
    Family("DeiT, distilled", "deit_tiny_distilled_patch16_224", attention=True, slow=True),
    Family("Swin", "swin_tiny_patch4_window7_224", attention=True, slow=True),
    Family("CoAtNet", "coatnet_pico_rw_224", attention=True, slow=True),
    Family("ConvNeXt", "convnext_zepto_rms", attention=False, slow=True),
    Family("ConvNeXt with LayerNorm", "convnext_atto", attention=False, slow=True),
    Family("PVTv2", "pvt_v2_b0", attention=True, slow=True),
    Family("LeViT", "levit_128s", attention=True, slow=True),
    Family("TinyViT", "tiny_vit_5m_224", attention=True, slow=True),
    Family("MobileViT", "mobilevit_xxs", attention=True, slow=True),
    Family("EfficientFormer", "efficientformer_l1", attention=True, slow=True),
    Family("FastViT", "fastvit_t8", attention=False, slow=True),
    Family("RepViT", "repvit_m0_9", attention=False, slow=True),
    Family("EdgeNeXt", "edgenext_xx_small", attention=True, slow=True),
    Family("MLP-Mixer", "mixer_s32_224", attention=False, slow=True),
    Family("ResNet", "resnet10t", attention=False, slow=True),
    Family("VGG", "vgg11", attention=False, slow=True),
    Family("MobileNetV2", "mobilenetv2_035", attention=False, slow=True),
    Family("MobileNetV3", "mobilenetv3_small_050", attention=False, slow=True),
    Family("MobileNetV4", "mobilenetv4_conv_small_035", attention=False, slow=True),
    Family("EfficientNet-Lite0", "efficientnet_lite0", attention=False, slow=True),
    Family("EfficientNet-B0", "efficientnet_b0", attention=False, slow=True),
    Family("CvT", "tests.contract.cvt:cvt_13", attention=True, slow=True, unread=(_CVT_LAST_QUERY,)),
    Family("T2T-ViT", "tests.contract.architectures:t2t_vit", attention=True, slow=True),
    Family("PVT v1", "tests.contract.architectures:pvt_v1", attention=True, slow=True),
    Family("MaxViT", "maxvit_pico_rw_256", attention=True, slow=True),
    Family("SwinV2", "swinv2_cr_tiny_224", attention=True, slow=True),
    Family("Inception v3", "inception_v3", attention=False, slow=True),
    Family("AlexNet", "tests.contract.architectures:alexnet", attention=False, slow=True),
    Family("LeNet", "tests.contract.architectures:lenet", attention=False, slow=True),
    Family("DenseNet", "densenet121", attention=False, slow=True),
    Family("CLIP image tower", "vit_xsmall_patch16_clip_224", attention=True, slow=True),
    Family("ViT, as of MAE", "tests.contract.architectures:mae_vit", attention=True, slow=True),
    Family("ViT, as of DINOv2", "tests.contract.architectures:dinov2_vit", attention=True, slow=True),
    Family("EfficientNetV2", "tf_efficientnetv2_b0", attention=False, slow=True),
    Family("ViT with a convolutional stem", "vit_tiny_r_s16_p8_224", attention=True, slow=True),
    Family("HRNet", "hrnet_w18_small", attention=False, slow=True),
    Family("EfficientViT (linear attention)", "efficientvit_b0", attention=False, slow=True),
)


@dataclass(frozen=True)
class PrepareJob:
    """A family to load and capture."""

    model: str
    folder: Path


@dataclass(frozen=True)
class Prepared:
    """A captured family and its logits by PyTorch."""

    program: Path
    images: Samples
    logits: Path
    """Of the module as it was before capture, float32 [n, classes]."""
    variation: float
    """Smallest difference between the logits of two images, over the largest logit."""
    preprocessing: Preprocessing
    num_classes: int
    params: int
    macs: int
    transformer: bool
    norms: tuple[str, ...]
    """Batch normalizations that capture could not fold into a layer."""
    negated: Verification
    """Of the logits after a layer in the middle had its sign turned: it must not pass."""
    unseen: tuple[str, ...]
    """Layers that the logits hardly depend on."""


def prepare(job: PrepareJob) -> Prepared:
    """Loads a family with random weights, computes its logits by PyTorch and captures it once for all backends."""
    torch.manual_seed(0)
    model = load_model(ModelSpec(name=job.model, random_weights=True))
    images = _images(job.folder / "images.npz")
    with torch.inference_mode():
        batches = PreparedImages(images, model.preprocessing).batches()
        logits = np.concatenate([model.module(torch.from_numpy(batch)).numpy() for batch in batches])
    write_logits(job.folder / "pytorch.npy", len(logits), [logits])
    program = capture(model.module, model.preprocessing.input_size)
    save_program(program, job.folder / "model.pt2")
    prepared_images = PreparedImages(images, model.preprocessing)
    return Prepared(
        program=job.folder / "model.pt2",
        images=images,
        logits=job.folder / "pytorch.npy",
        variation=_variation(logits),
        preprocessing=model.preprocessing,
        num_classes=model.num_classes,
        params=model.params,
        macs=count_macs(program),
        transformer=is_transformer(program),
        norms=tuple(node.name for node in program.graph.nodes if node.target is torch.ops.aten.batch_norm.default),
        negated=compare(_negated(model.module, prepared_images), logits, "pytorch", FLOAT_TOLERANCE),
        unseen=find_unseen_layers(UnseenJob(job.folder / "model.pt2", prepared_images)).modules,
    )


def _negated(module: nn.Module, images: PreparedImages) -> np.ndarray:
    """The logits after the sign of the weights of the middle layer was turned; the module is spoilt."""
    layers = [part for part in module.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    with torch.inference_mode():
        layers[len(layers) // 2].weight.neg_()
        return np.concatenate([module(torch.from_numpy(batch)).numpy() for batch in images.batches()])


@dataclass(frozen=True)
class Quantized:
    """A family in int8 on one backend, compared with its float32 artifact."""

    scheme: str
    agreement: float
    """Share of the images with the same top-1 class."""
    snr_db: float | None
    int8_mac_share: float
    speed_up: float
    """Of interleaved runs, one thread."""


def quantize_family(prepared: Prepared, backend_name: str, folder: Path, timeout_seconds: float) -> Quantized:
    """Quantizes a family by the backend's first guess and compares it with the float32 artifact of :func:`convert`.

    Raises:
        EdgevitError: the quantizer or the runtime failed, or the artifact is not what its scheme says.
    """
    backend, log = get_backend(backend_name), folder / "log.txt"
    target = Target("transformer" if prepared.transformer else "cnn", False, "none", host_fingerprint(1).isa)
    scheme = next(name for name in first_guess(backend.policy, target).schemes if SCHEMES[name].is_int8)
    recipe = first_recipe(backend.policy, scheme, target)
    images = PreparedImages(prepared.images, prepared.preprocessing)

    def run(task: Task[Any, Any]) -> Any:
        return run_in_child(task, timeout_seconds=timeout_seconds, log=log)

    export = ExportJob(backend_name, prepared.program, folder / "parent", recipe.preparations, images)
    parent = run(Task(export_float, export, MadeArtifact)).main
    job = QuantizeJob(backend_name, parent, recipe, images, 0, folder / "int8")
    made = run(Task(quantize, job, MadeArtifact))
    inference = InferenceJob(backend_name, made.main, images, 1, "fastest", folder / "int8.npy")
    logits = np.load(run(Task(run_images, inference, LogitsFile)).logits)
    verification = compare(logits, np.load(folder / "logits.npy"), "float32", None)
    dense = next(path for path in (folder / "artifact").iterdir() if path.suffix == backend.suffix)
    bench = BenchJob(backend_name, made.main, 1, "fastest", 50, 0.5)
    timed = run(Task(bench_with_parent, BenchWithParentJob(bench, dense, "f32"), BenchWithParent, timing=True))
    return Quantized(
        scheme, verification.top1_agreement, verification.snr_db, made.int8_mac_share, timed.compared.speed_up
    )


def convert(prepared: Prepared, backend: str, folder: Path, timeout_seconds: float) -> Verification:
    """Exports a captured family and compares what the artifact answers with PyTorch.

    Raises:
        EdgevitError: the exporter or the runtime failed, or the artifact does not declare what it should.
    """
    log = folder / "log.txt"
    export = Task(export_float, ExportJob(backend, prepared.program, folder / "artifact"), MadeArtifact)
    made = run_in_child(export, timeout_seconds=timeout_seconds, log=log)
    verify_signature(
        made.inputs,
        made.outputs,
        prepared.preprocessing,
        classifier_outputs(prepared.num_classes),
        "float32",
    )
    job = InferenceJob(
        backend, made.main, PreparedImages(prepared.images, prepared.preprocessing), 1, "f32", folder / "logits.npy"
    )
    logits = np.load(run_in_child(Task(run_images, job, LogitsFile), timeout_seconds=timeout_seconds, log=log).logits)
    return compare(logits, np.load(prepared.logits), "pytorch", FLOAT_TOLERANCE)


def _images(path: Path) -> Samples:
    """Writes the images that artifacts are verified with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = random_images(IMAGES, (256, 256), torch.Generator().manual_seed(2))
    np.savez(path, images=(128 + 60 * pixels).clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy())
    return Samples(str(path), tuple(str(index) for index in range(IMAGES)))


def _variation(logits: np.ndarray) -> float:
    pairs = [(i, j) for i in range(len(logits)) for j in range(i)]
    return float(min(np.abs(logits[i] - logits[j]).max() for i, j in pairs) / np.abs(logits).max())
