"""The model families that edgevit supports, and the steps from a name to a verified artifact.

The contract test and the published table both take these steps, as ``edgevit compress`` does: load → capture → export in
a child process → run images in a child process → compare with PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile, run_images, write_logits
from edgevit.artifacts.make import ExportJob, MadeArtifact, export_float
from edgevit.artifacts.verify import FLOAT_TOLERANCE, compare, verify_signature
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages
from edgevit.model.load import load_model
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture, count_macs, save_program
from edgevit.model.random_weights import random_images
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Verification
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from edgevit.spec.spec import ModelSpec

IMAGES = 3
LEAST_VARIATION = 0.01
"""Least difference between the logits of two images, over the largest logit: 100 times what parity allows."""


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
    Family("MobileViT", "mobilevit_xxs", attention=True),
    Family("EfficientFormer", "efficientformer_l1", attention=True, slow=True),
    Family("FastViT", "fastvit_t8", attention=False, slow=True),
    Family("RepViT", "repvit_m0_9", attention=False, slow=True),
    Family("EdgeNeXt", "edgenext_xx_small", attention=True, slow=True),
    Family("MLP-Mixer", "mixer_s32_224", attention=False, slow=True),
    Family("ResNet", "resnet10t", attention=False),
    Family("VGG", "vgg11", attention=False, slow=True),
    Family("MobileNetV2", "mobilenetv2_035", attention=False),
    Family("MobileNetV3", "mobilenetv3_small_050", attention=False, slow=True),
    Family("MobileNetV4", "mobilenetv4_conv_small_035", attention=False, slow=True),
    Family("EfficientNet-Lite0", "efficientnet_lite0", attention=False, slow=True),
    Family("EfficientNet-B0", "efficientnet_b0", attention=False, slow=True),
    Family("CvT", "tests.contract.cvt:cvt_13", attention=True, slow=True),
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
    )


def convert(prepared: Prepared, backend: str, folder: Path, timeout_seconds: float) -> Verification:
    """Exports a captured family and compares what the artifact answers with PyTorch.

    Raises:
        EdgevitError: the exporter or the runtime failed, or the artifact does not declare what it should.
    """
    log = folder / "log.txt"
    export = Task(export_float, ExportJob(backend, prepared.program, folder / "artifact"), MadeArtifact)
    made = run_in_child(export, timeout_seconds=timeout_seconds, log=log)
    verify_signature(made.inputs, made.outputs, prepared.preprocessing.input_size, prepared.num_classes, "float32")
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
