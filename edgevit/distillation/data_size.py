"""How many images a network needs to learn from scratch, by its family: what was published, and what was measured here."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.results.family import Family

HOPELESS_BELOW = 50_000
"""Images below which plain ViTs from scratch lose tens of points: the size of CIFAR's training sets, the largest of the small sets
that Liu et al. train on."""
BEHIND_BELOW = 1_281_167
"""Images below which they stay behind networks with convolutions: ImageNet-1k, with which DeiT's recipe closes the gap."""


@dataclass(frozen=True)
class DataSizeFinding:
    """An accuracy from scratch on a set of images, beside that of what learns with fewer images."""

    images: int
    """That it was trained on."""
    text: str
    source: str


PUBLISHED = (
    DataSizeFinding(
        2_040,
        "Swin-T trained from scratch for 100 epochs reaches 34.5 % on Flowers-102 (2,040 images)",
        "arXiv 2106.03746, github.com/yhlleo/VTs-Drloc",
    ),
    DataSizeFinding(
        50_000,
        "Swin-T trained from scratch for 100 epochs reaches 59.5 % on CIFAR-10 (50,000 images), and a convolutional-stem"
        " transformer (CCT-7/3x1) in 300 epochs 96.5 %",
        "arXiv 2106.03746, github.com/yhlleo/VTs-Drloc; arXiv 2104.05704, github.com/SHI-Labs/Compact-Transformers",
    ),
    DataSizeFinding(
        50_000,
        "DeiT-Tiny trained from scratch reaches 65.1 % on CIFAR-100 (50,000 images), and 78.2 % with the guidance of a small CNN",
        "ECCV 2022, github.com/lkhl/tiny-transformers",
    ),
    DataSizeFinding(
        1_281_167,
        "ViT-B/16 trained on ImageNet-1k alone (1.28 M images) reaches 77.9 % at 384 pixels, behind CNNs of its size; with"
        " DeiT's augmentation it reaches 81.8 % at 224",
        "arXiv 2010.11929; arXiv 2012.12877",
    ),
)
"""From the smallest set to the largest."""

MEASURED = (
    DataSizeFinding(
        1_097,
        "on edgevit's 1,097 digits a small plain ViT was at 69 % after 26 epochs, the mean of three seeds; it took the bundled one 95"
        " epochs, the first 80 on coarser patches, to reach 98.6 %",
        "edgevit: labels alone; make bench-distill, make digits",
    ),
    DataSizeFinding(
        10_000,
        "on 10,000 images of CIFAR-10 a small plain ViT reached 55 % in 30 epochs, and a small CNN 69 % in 25",
        "edgevit: labels alone, one seed; make bench-distill",
    ),
)
"""Of edgevit itself, from the smallest set to the largest."""


def data_size_warning(images: int, classes: int | None, architecture: Family, pretrained: bool) -> str | None:
    """Says when a ViT from scratch is hopeless, or will stay behind, for want of images.

    Args:
        images: Training images, at least 1.
        classes: At least 1; None where not known.
        architecture: Family of the network that is trained, see :func:`edgevit.model.program.family.family_of`.
        pretrained: Whether it starts from weights that were trained on other images.

    Returns:
        What to expect, with figures and their sources, and what to do instead; None where nothing is to be said: for weights that are
        trained already, for CNNs and hybrids, and for as many images as ImageNet-1k has.

    Raises:
        UsageError: a number is not positive.
    """
    for name, value in (("images", images), ("classes", classes)):
        if value is not None and value < 1:
            raise UsageError(f"{value} {name}", f"at least 1 of {name} is needed")
    if architecture != "vit" or pretrained or images >= BEHIND_BELOW:
        return None
    each = f"{images:,} images" + (f" ({images / classes:,.0f} a class)" if classes else "")
    if images < HOPELESS_BELOW:
        verdict = f"a ViT from scratch is hopeless with {each}"
        findings = [_nearest(PUBLISHED, images), _nearest(MEASURED, images)]
    else:
        verdict = f"a ViT from scratch stays behind with {each}, fewer than ImageNet-1k's {BEHIND_BELOW / 1e6:.2f} M"
        findings = [_nearest(PUBLISHED, images)]
    said = "; ".join(f"{finding.text} [{finding.source}]" for finding in findings)
    return f"{verdict}: {said}. {_INSTEAD}"


_INSTEAD = (
    "Start from pretrained weights, or train a hybrid with a convolutional stem (levit_128s, efficientformerv2_s0, mobilevit_xxs) or a CNN"
    " (mobilenetv3_small_100, resnet18); a CNN as teacher helps a ViT, and does not replace a pretrained start"
)


def _nearest(findings: tuple[DataSizeFinding, ...], images: int) -> DataSizeFinding:
    """The finding with the fewest images that has at least as many, or else the largest: of more images it is no better with fewer."""
    return next((finding for finding in findings if finding.images >= images), findings[-1])
