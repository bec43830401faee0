"""What was published on which family suits which project: measured comparisons, and rules of thumb.

A comparison says what was measured. A rule is what guides for practitioners advise; several contradict each other, and one of them
itself, so that none decides where something was measured or is predicted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from edgevit.distillation.data_size import BEHIND_BELOW
from edgevit.results.family import Family
from edgevit.results.recommendation import Pretraining, Reason, Situation, Task

FOUR_K = 3840 * 2160
"""Pixels of a 4K image."""
REAL_TIME_MS = 10.0
"""What guides call real time at the edge."""


@dataclass(frozen=True)
class When:
    """The situations that something holds in; what is None or left open does not matter."""

    images_from: int = 0
    images_below: float = math.inf
    pretraining: tuple[Pretraining, ...] = ("none", "imagenet-1k", "larger")
    task: Task | None = None
    latency_ms_up_to: float | None = None
    device_kind: str | None = None
    pixels_from: int | None = None
    fine_detail: bool | None = None
    shift: bool | None = None
    explanations: bool | None = None

    def holds(self, situation: Situation) -> bool:
        """Returns whether it holds; what a situation does not say never does."""
        size = situation.resolution
        return (
            ((self.images_from == 0 and self.images_below == math.inf) or self._images(situation.images))
            and situation.pretraining in self.pretraining
            and self.task in (None, situation.task)
            and (self.latency_ms_up_to is None or (situation.max_latency_ms or math.inf) <= self.latency_ms_up_to)
            and self.device_kind in (None, situation.device_kind)
            and (self.pixels_from is None or (size is not None and size[0] * size[1] >= self.pixels_from))
            and self.fine_detail in (None, situation.fine_detail)
            and self.shift in (None, situation.shift)
            and self.explanations in (None, situation.explanations)
        )

    def _images(self, images: int | None) -> bool:
        return images is not None and self.images_from <= images < self.images_below


@dataclass(frozen=True)
class Published:
    """One statement."""

    name: str
    topic: str
    when: When
    families: tuple[Family, ...]
    """That it speaks for."""
    text: str
    source: str
    strength: Literal["measured", "rule"] = "rule"

    @property
    def reason(self) -> Reason:
        """As a reason of a recommendation."""
        return Reason(self.topic, self.text, "published", self.strength, self.families, self.source)


_SCRATCH: tuple[Pretraining, ...] = ("none",)
_PRETRAINED: tuple[Pretraining, ...] = ("imagenet-1k", "larger")
_SIZE, _LATENCY, _TASK, _DEVICE = "data size", "latency", "task", "device"
_RESOLUTION, _SHIFT, _EXPLANATIONS = "resolution", "shift", "explanations"

_SELECT = "github.com/tachyon-beep/skillpacks, select-architecture.md at 1472fc9"
_CNNS = "github.com/tachyon-beep/skillpacks, cnn-families-and-selection.md at 320b048"
_TRANSFORMERS = "github.com/tachyon-beep/skillpacks, transformer-architecture-deepdive.md"
_KHJ = "ccomkhj.github.io/ViTandCNN"

COMPARISONS: tuple[Published, ...] = tuple(
    replace(each, strength="measured")
    for each in (
        Published(
            "low-data-fine-tuning", _SIZE, When(images_below=10_000, pretraining=_PRETRAINED), ("cnn",),
            "fine-tuned on small sets of six domains, light pretrained CNNs beat light networks with attention",
            "arXiv 2406.05612",
        ),
        Published(
            "small-from-scratch", _SIZE, When(images_below=50_000, pretraining=_SCRATCH), ("cnn", "hybrid"),
            "from scratch on CIFAR-10's 50,000 images a convolutional stem makes 96.5 % of a small transformer (CCT-7/3x1), and Swin-T"
            " stays at 59.5 %",
            "arXiv 2104.05704; arXiv 2106.03746",
        ),
        Published(
            "medium-from-scratch", _SIZE, When(50_000, BEHIND_BELOW, _SCRATCH), ("cnn", "hybrid"),
            "from scratch on CIFAR-100's 50,000 images DeiT-Tiny reaches 65.1 %, ConViT-Tiny 75.3 % and PVTv2-B0, which has convolutions,"
            " 77.4 %",
            "github.com/lkhl/tiny-transformers (ECCV 2022)",
        ),
        Published(
            "deit", _SIZE, When(BEHIND_BELOW, 9_000_000, _SCRATCH), ("vit", "hybrid"),
            "with strong augmentation 1.28 M images are enough: DeiT-B/16 reaches 81.8 % on ImageNet-1k, and LeViT-256, a hybrid, 81.6 %"
            " with a fifteenth of the work",
            "arXiv 2012.12877; arXiv 2104.01136",
        ),
        Published(
            "jft-subsets", _SIZE, When(BEHIND_BELOW, 90_000_000, _SCRATCH), ("cnn",),
            "pretrained on 9 M images of JFT, ViT-B/32 is much worse than a ResNet-50 of its cost; it is better from 90 M on",
            "arXiv 2010.11929, section 4.3",
        ),
        Published(
            "clip-crossover", _SIZE, When(BEHIND_BELOW, 15_000_000, _SCRATCH), ("cnn",),
            "trained by CLIP's loss on up to 12 to 15 M images, ViT-B/32 stayed behind ResNet-50",
            "github.com/mlfoundations/open_clip, issue 14",
        ),
        Published(
            "scale-trumps-bias", _SIZE, When(images_from=14_000_000), ("vit",),
            "from 14 M to 300 M images, training at scale outweighs what convolutions have built in",
            "arXiv 2010.11929, section 1",
        ),
        Published(
            "convnets-match", _SIZE, When(images_from=300_000_000), ("cnn", "vit"),
            "pretrained on JFT-4B with equal compute, NFNets match ViTs",
            "arXiv 2310.16764",
        ),
        Published(
            "battle-of-the-backbones", _SIZE, When(pretraining=("larger",)), ("cnn",),
            "of the pretrained backbones compared on classification, detection, segmentation and shifted images, CNNs that were pretrained"
            " with labels on a large set are best on most tasks (ConvNeXt-B, far larger than what boards run)",
            "arXiv 2310.19909",
        ),
        Published(
            "swin-detection", _TASK, When(task="dense"), ("vit",),
            "as backbone of Cascade Mask R-CNN, Swin-T has 50.5 box AP, the plain DeiT-S 48.0 and ResNet-50 46.3",
            "arXiv 2103.14030, table 2",
        ),
        Published(
            "efficientformer-dense", _TASK, When(task="dense"), ("hybrid",),
            "as backbone of Mask R-CNN and Semantic FPN, EfficientFormer-L1 has 37.9 box AP and 38.9 mIoU, ResNet-18 34.0 and 32.9",
            "arXiv 2206.01191, table 2",
        ),
        Published(
            "hybrids-on-phones", _DEVICE, When(device_kind="phone"), ("hybrid",),
            "on an iPhone 12, EfficientFormer-L1 has 79.2 % at 1.6 ms, and MobileNetV2 x1.4 74.7 % at the same",
            "arXiv 2206.01191",
        ),
        Published(
            "cnns-on-phones", _DEVICE, When(device_kind="phone"), ("cnn",),
            "on an iPhone 12, the pure CNN RepViT-M1.0 has 80.0 % at 1.0 ms",
            "arXiv 2307.09283",
        ),
        Published(
            "fair-robustness", _SHIFT, When(shift=True), ("vit",),
            "trained alike on ImageNet-1k and equally good there (76.8 and 76.3 %), DeiT-S has 12.2 % on ImageNet-A where ResNet-50 has"
            " 4.5 %, and a corruption error of 48.0 against 55.6",
            "arXiv 2111.05464, github.com/ytongbai/ViTs-vs-CNNs",
        ),
        Published(
            "robust-cnns", _SHIFT, When(shift=True), ("cnn",),
            "CNNs with patches as stem, larger kernels and fewer activations are as robust as transformers, or more",
            "arXiv 2206.03452",
        ),
        Published(
            "occlusion", _SHIFT, When(shift=True), ("vit",),
            "with 80 % of the image covered, ViTs keep up to 60 % top-1 on ImageNet, where CNNs break down",
            "arXiv 2105.10497",
        ),
        Published(
            "attention-not-of-the-class", _EXPLANATIONS, When(explanations=True), ("cnn",),
            "maps of attention say nothing of the class: they lack the classifier's signal, and are often unsatisfactory; Grad-CAM of a"
            " CNN is of the class",
            "arXiv 2312.02364; arXiv 2211.03064; arXiv 1610.02391",
        ),
    )
)  # fmt: skip
"""What was measured."""

RULES = tuple(
    Published(*each)
    for each in (
        (
            "under-1k-frozen", _SIZE, When(images_below=1_000, pretraining=_PRETRAINED), ("vit",),
            "below 1,000 images: a linear classifier on the frozen features of a large pretrained ViT (DINOv2)", _SELECT,
        ),
        (
            "under-1k-cnn", _SIZE, When(images_below=1_000), ("cnn",),
            "low-data regimes: CNNs; with 500 images ResNet-50 was 18 % of mAP ahead of ViT-B/16", _KHJ,
        ),
        (
            "under-10k", _SIZE, When(images_below=10_000), ("cnn",),
            "below 10,000 images: ResNet-18 or EfficientNet-B0, no ViT", _SELECT,
        ),
        (
            "under-50k-from-scratch", _SIZE, When(images_below=50_000, pretraining=_SCRATCH), (),
            "below 50,000 images: do not train from scratch, a pretrained backbone will almost always win", _SELECT,
        ),
        (
            "under-100k-from-scratch", _SIZE, When(images_below=100_000, pretraining=_SCRATCH), ("cnn",),
            "below 100,000 images a ViT from scratch fails", _TRANSFORMERS,
        ),
        (
            "under-100k-pretrained", _SIZE, When(10_000, 100_000, _PRETRAINED), ("cnn", "vit"),
            "10,000 to 100,000 images: ResNet-50, EfficientNet-B2 or ViT-B, pretrained and fine-tuned whole", _SELECT,
        ),
        (
            "from-100k", _SIZE, When(images_from=100_000), ("cnn", "vit"),
            "above 100,000 images: EfficientNet-B4 or ViT", _SELECT,
        ),
        (
            "under-1m-from-scratch", _SIZE, When(100_000, 1_000_000, _SCRATCH), ("cnn",),
            "below 1 M images and from scratch: CNNs; ViTs are poor", _TRANSFORMERS,
        ),
        (
            "from-1m", _SIZE, When(images_from=1_000_000, pretraining=_SCRATCH), ("cnn", "vit"),
            "above 1 M images training from scratch becomes viable for any: ConvNeXt-L, ViT-L", _SELECT,
        ),
        (
            "under-100m-from-scratch", _SIZE, When(1_000_000, 100_000_000, _SCRATCH), ("cnn",),
            "a ViT needs 100 M images and more to train from scratch", _TRANSFORMERS,
        ),
        (
            "from-10m", _SIZE, When(images_from=10_000_000), ("vit",),
            "from about 10 M images on (ImageNet-21k, JFT) ViTs surpass CNNs; they need millions to match them",
            "theorempath.com/compare/cnn-vs-vit-vs-swin",
        ),
        (
            "under-10-ms", _LATENCY, When(latency_ms_up_to=REAL_TIME_MS), ("cnn",),
            "below 10 ms at the edge: MobileNetV3-Small or EfficientNet-Lite0 in int8", _CNNS,
        ),
        (
            "dense-swin", _TASK, When(task="dense"), ("vit",),
            "dense tasks: Swin, whose feature maps have several sizes", "theorempath.com/compare/cnn-vs-vit-vs-swin",
        ),
        (
            "dense-resnet", _TASK, When(task="dense"), ("cnn",),
            "dense tasks: ResNet with FPN or U-Net, EfficientNet with DeepLabV3", _CNNS,
        ),
        (
            "dense-modern", _TASK, When(task="dense"), ("vit", "cnn", "hybrid"),
            "dense tasks: Swin v2, ConvNeXt v2 or MaxViT (the same guide, elsewhere)", _CNNS,
        ),
        (
            "mobile-cnn", _DEVICE, When(device_kind="phone"), ("cnn",),
            "all mobile deployments: MobileNetV3 in int8", _CNNS,
        ),
        (
            "mobile-hybrid", _DEVICE, When(device_kind="phone"), ("hybrid",),
            "mobile latency: FastViT is best of the hybrids (the same guide, elsewhere)", _CNNS,
        ),
        (
            "edge-no-vit", _DEVICE, When(device_kind="single-board computer"), ("cnn",),
            "on edge devices no ViT: MobileNet or EfficientNet-Lite", _SELECT,
        ),
        (
            "4k-cnn", _RESOLUTION, When(pixels_from=FOUR_K), ("cnn",),
            "4K images in real time: CNNs", _KHJ,
        ),
        (
            "4k-fine-detail", _RESOLUTION, When(pixels_from=FOUR_K, fine_detail=True), ("vit",),
            "4K images with subtle defects: ViTs, which see the whole image from their second layer on (the same guide, elsewhere)", _KHJ,
        ),
        (
            "4k-windows", _RESOLUTION, When(pixels_from=FOUR_K), ("hybrid", "cnn"),
            "the cost of attention between all patches grows with the square of the pixels: windows or a CNN for large images",
            "theorempath.com/compare/cnn-vs-vit-vs-swin",
        ),
        (
            "robustness-vit", _SHIFT, When(shift=True), ("vit",),
            "images that differ from the training images: ViTs are the robust learners", "arXiv 2105.07581",
        ),
        (
            "interpretability-vit", _EXPLANATIONS, When(explanations=True), ("vit",),
            "explanations: ViTs, whose attention is an explanation that is built in", "arXiv 2312.02364, section 1",
        ),
        (
            "interpretability-cnn", _EXPLANATIONS, When(explanations=True), ("cnn",),
            "explanations: ResNet, a simple architecture that is easy to understand", _CNNS,
        ),
    )
)  # fmt: skip
"""What guides advise."""


def published_reasons(situation: Situation) -> tuple[Reason, ...]:
    """Returns what was published of a situation: what was measured, then the rules."""
    return tuple(each.reason for each in (*COMPARISONS, *RULES) if each.when.holds(situation))


def image_thresholds() -> tuple[int, ...]:
    """Returns the numbers of images at which something published begins or ceases to hold, ascending."""
    return tuple(sorted(set(_thresholds())))


def _thresholds() -> Iterator[int]:
    yield BEHIND_BELOW
    for each in (*COMPARISONS, *RULES):
        yield from (int(end) for end in (each.when.images_from, each.when.images_below) if 0 < end < math.inf)
