"""What ``edgevit explain`` found, as in its JSON document, and the views that its pictures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class SiteView:
    """Where the patches of one image are after a site."""

    block: int
    """Counted from 1."""
    tokens: int
    """Patch tokens after the site."""
    merges: bool
    """Whether tokens stand for several patches; otherwise patches are pruned."""
    groups: npt.NDArray[np.int64]
    """int64 [rows, columns]: the index of the token that holds a patch, or -1 for a pruned patch. A patch that
    evit_fused sums up with others counts as pruned."""


HeatKind = Literal["rollout", "head", "grad-cam"]


@dataclass(frozen=True)
class HeatView:
    """How much each place of one image counts."""

    title: str
    kind: HeatKind
    weights: npt.NDArray[np.float32]
    """float32 [rows, columns]: of attention the share of each patch in what the head of the model reads, which sums to 1; of
    Grad-CAM 0..1."""


@dataclass(frozen=True)
class ImageView:
    """What is drawn of one image."""

    title: str
    pixels: npt.NDArray[np.uint8]
    """uint8 [height, width, 3]: the image as the model sees it before normalization; whole patches."""
    sites: tuple[SiteView, ...]
    heats: tuple[HeatView, ...]
    """At least one."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places."""
        rows, columns = self.heats[-1].weights.shape
        return rows, columns


@dataclass(frozen=True)
class AttentionDistance:
    """Mean attention distance of every head, see :func:`edgevit.tokens.attention_maps.mean_distance`."""

    picture: str
    pixels: tuple[tuple[float, ...], ...]
    """Of each head of each block, the mean over all images, in pixels."""
    uniform_pixels: float
    """Distance in pixels of a head that attends to all patches alike."""


@dataclass(frozen=True)
class ExplainedSite:
    """How many patch tokens a site leaves."""

    block: int
    """Counted from 1."""
    tokens: int
    """Patch tokens after the site."""
    patches: int
    """Patches of the image, before the first site."""


@dataclass(frozen=True)
class ModelAnswer:
    """What an image is taken for."""

    model: Literal["dense", "reduced", "compressed"]
    label: str
    """Name of the class, or "class 3"."""
    probability: float
    """Softmax, 0..1."""


@dataclass(frozen=True)
class ExplainedImage:
    """An image and its picture."""

    image: str
    picture: str
    answers: tuple[ModelAnswer, ...] = ()
    """Of a classifier: the dense model's, and those of the reduced one and of the artifact where they are shown."""


@dataclass(frozen=True)
class Explanation:
    """What ``edgevit explain`` found and drew; paths are those of the files it wrote."""

    edgevit_version: str
    model: str
    random_weights: bool
    tokens: str | None
    """The token plan; None for the dense model alone."""
    sites: tuple[ExplainedSite, ...]
    images: tuple[ExplainedImage, ...]
    attention_distance: AttentionDistance | None
    """None of a model that is shown by Grad-CAM."""
    method: Literal["attention", "grad-cam"] = "attention"
    layer: int | None = None
    """Block whose attention is shown, counted from 1; None where none is."""
    head: int | None = None
    """Of that block, counted from 1; None for the mean of its heads."""
    artifact: str | None = None
    """The compressed file whose answers are told."""
    schema_version: Literal[1] = SCHEMA_VERSION

    @property
    def files(self) -> tuple[str, ...]:
        """All files that were written."""
        distances = (self.attention_distance.picture,) if self.attention_distance else ()
        return (*(image.picture for image in self.images), *distances)
