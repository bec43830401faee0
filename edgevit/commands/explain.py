"""What a model looks at in an image, what a token plan leaves of it, and what the image is taken for, as pictures and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgevit.commands.explain_answers import artifact_answers, model_answer
from edgevit.commands.given_images import open_given
from edgevit.data.images import ImageSet
from edgevit.data.output_place import check_output_place
from edgevit.data.preprocess import preprocess, resize_and_crop
from edgevit.data.sampling import check_images
from edgevit.errors import UsageError
from edgevit.model.grad_cam import check_grad_cam, grad_cam
from edgevit.model.load import Model
from edgevit.model.program.outputs import unwrapped
from edgevit.pipeline.model_inputs import open_model
from edgevit.report.plots.explain import draw_distances, draw_image
from edgevit.results.explanation import (
    AttentionDistance,
    ExplainedImage,
    ExplainedSite,
    Explanation,
    HeatView,
    ImageView,
    ModelAnswer,
    SiteView,
)
from edgevit.run.files import new_folder
from edgevit.run.progress import Progress
from edgevit.spec.spec import ModelSpec
from edgevit.spec.token_plan import TokenPlan
from edgevit.tokens import attention_maps as maps
from edgevit.tokens.attention_reader import AttentionReader, open_attention
from edgevit.tokens.plan import with_fewer_tokens
from edgevit.tokens.reduction import ReducedModel
from edgevit.version import __version__

DISTANCES: Final = "attention_distance.png"
PREFIX: Final = "explain_"
"""Of a picture's name, before that of its image."""


@dataclass(frozen=True)
class Shown:
    """What is shown of a model beside attention or Grad-CAM."""

    plan: TokenPlan | None = None
    """What a token plan leaves of an image."""
    layer: int | None = None
    """Attention of this block, counted from 1."""
    head: int | None = None
    """Of ``layer``, counted from 1; the mean of its heads when None."""
    artifact: Path | None = None
    """A compressed file, whose answer is told."""

    @property
    def of_attention(self) -> tuple[str, ...]:
        """The options that are given and need attention."""
        given = {"--tokens": self.plan, "--layer": self.layer, "--head": self.head}
        return tuple(option for option, value in given.items() if value is not None)


def explain(
    spec: ModelSpec, images: Sequence[str], shown: Shown, out: Path, progress: Progress, seed: int = 0
) -> Explanation:
    """Draws for each image what a model looks at, and says what it, reduced and compressed, takes the image for.

    Of a vision transformer with plain attention, that is attention rollout of the dense model, one layer and head if asked for,
    what a token plan leaves, and how far each head looks; of any other model with convolutions it is Grad-CAM for its answer.

    Args:
        spec: The model.
        images: Image files, or ids of the digits' test images; at least one.
        shown: What to show besides.
        out: Folder for the pictures; of what it holds, pictures of the same names are replaced.
        progress: Progress callback.
        seed: Of random weights.

    Raises:
        UsageError: an image cannot be read or would be overwritten, the model or its weights cannot be loaded, it has neither
            plain attention nor maps of features, it cannot carry out the plan or has no such layer or head, the artifact
            cannot be used, or ``out`` cannot be made; nothing was written.
    """
    check_output_place(out)
    opened = open_given(images)
    pictures = _pictures(opened, out)
    model = open_model(spec, seed)
    for note in model.notes:
        progress.message(note)
    takes = model.preprocessing
    if takes.input == "array" or takes.channels != 3:
        raise UsageError(
            f"{model.name} does not take RGB images, on which it would be drawn what it looks at",
            "give a model that does",
        )
    eye = _open(model, shown)
    check_images(opened, model.num_classes, takes, lambda done, total: progress.stage("check images", done, total))
    compressed = artifact_answers(shown.artifact, opened.ids, progress) if shown.artifact else {}
    with _made(out):
        if model.random_weights:
            progress.message(f"warning: {model.name} has random weights; what it looks at means nothing")
        explained = []
        for done, (image, picture) in enumerate(pictures.items()):
            progress.stage("draw images", done, len(pictures))
            pixels = resize_and_crop(opened.image(image), takes)
            batch = torch.from_numpy(preprocess(opened.image(image), takes)[None])
            answers = (*_answers(model, eye.reduced, batch), *compressed.get(image, ()))
            title = f"{Path(image).name} in {model.name}" + (f", {shown.plan}" if shown.plan else "")
            draw_image(eye.view(f"{title}{_said(answers)}", pixels, batch), picture)
            explained.append(ExplainedImage(image, str(picture), answers))
        progress.stage("draw images", len(pictures), len(pictures))
        found = eye.distance(out / DISTANCES, len(pictures))
    return Explanation(
        edgevit_version=__version__,
        model=model.name,
        random_weights=model.random_weights,
        tokens=str(shown.plan) if shown.plan else None,
        sites=eye.sites,
        images=tuple(explained),
        attention_distance=found,
        method=eye.method,
        layer=shown.layer,
        head=shown.head,
        artifact=str(shown.artifact) if shown.artifact else None,
    )


@torch.inference_mode()
def _answers(model: Model, reduced: ReducedModel | None, batch: Tensor) -> tuple[ModelAnswer, ...]:
    """What the dense and the reduced model take an image for; nothing of a model without classes."""
    if not model.num_classes:
        return ()
    modules = (("dense", model.module), *((("reduced", reduced),) if reduced else ()))
    return tuple(model_answer(name, module(batch), model.class_names) for name, module in modules)


def _said(answers: tuple[ModelAnswer, ...]) -> str:
    """The answers below a title."""
    text = "; ".join(f"{answer.model}: {answer.label} {100 * answer.probability:.1f} %" for answer in answers)
    return f"\n{text}" if text else ""


def _pictures(images: ImageSet, out: Path) -> dict[str, Path]:
    """The picture of each image; those of images of the same name are numbered.

    Raises:
        UsageError: an image itself lies where a picture would go.
    """
    pictures: dict[str, Path] = {}
    for image in images.ids:
        name = f"{PREFIX}{Path(image).stem}"
        names = itertools.chain([name], (f"{name}.{count}" for count in itertools.count(2)))
        files = (out / f"{name}.png" for name in names)
        pictures[image] = next(file for file in files if file not in pictures.values())
    given = {Path(image).resolve() for image in images.ids}
    for picture in (*pictures.values(), out / DISTANCES):
        if picture.resolve() in given:
            raise UsageError(f"{picture} is one of the images, and would be overwritten", "choose another --out")
    return pictures


def _open(model: Model, shown: Shown) -> _Attention | _GradCam:
    """Opens the attention of a model, or what Grad-CAM is taken at.

    Raises:
        UsageError: it has neither, or what is to be shown of attention is not there.
    """
    size = model.preprocessing.input_size
    try:
        reader = _Reader(open_attention(unwrapped(model.module), size))
    except UsageError as no_attention:
        hint = "give an encoder, such as digits_vit, a ViT or DeiT of timm, or torchvision's vit_b_16"
        if shown.of_attention:
            raise UsageError(
                f"cannot explain {model.name} with {' and '.join(shown.of_attention)}: {no_attention.message}",
                f"{hint}; without {' and '.join(shown.of_attention)}, a CNN is shown by Grad-CAM",
            ) from no_attention
        try:
            return _open_grad_cam(model)
        except UsageError as neither:
            raise UsageError(
                f"cannot explain {model.name}: {no_attention.message}; nor by Grad-CAM: {neither.message}",
                f"{hint}, or a CNN",
            ) from neither
    grid, patch = reader.grid, reader.patch
    if (size[0] // patch[0], size[1] // patch[1]) != grid:
        raise UsageError(
            f"cannot explain {model.name} at {size[0]} x {size[1]} pixels: its {grid[0]} x {grid[1]} patches are for"
            " another size",
            "leave out model.preprocessing.input_size",
        )
    if shown.layer is not None:
        reader.check_head(torch.zeros(1, 3, *size), shown.layer, shown.head)
    reduced = with_fewer_tokens(unwrapped(model.module), shown.plan, "gather", size) if shown.plan else None
    return _Attention(model.name, reader, reduced, shown)


def _open_grad_cam(model: Model) -> _GradCam:
    if not model.num_classes:
        raise UsageError("it is for the classes of a classifier, and this model has none", "give a classifier")
    check_grad_cam(model.module, torch.zeros(1, 3, *model.preprocessing.input_size))
    return _GradCam(model)


@contextmanager
def _made(out: Path) -> Iterator[None]:
    """Makes the folder for the pictures, see :func:`edgevit.run.files.new_folder`."""
    with ExitStack() as stack:
        try:
            stack.enter_context(new_folder(out))
        except OSError as error:
            raise UsageError(f"cannot make the folder {out}: {error.strerror}", "choose another --out") from error
        yield


@dataclass
class _GradCam:
    """Shows a model by Grad-CAM for the class that it answers."""

    model: Model
    method: Literal["grad-cam"] = "grad-cam"
    reduced: None = None
    sites: tuple[ExplainedSite, ...] = ()

    def view(self, title: str, pixels: npt.NDArray[np.uint8], images: Tensor) -> ImageView:
        """What is drawn of one image, float32 [1, 3, h, w], with its pixels [h, w, 3]."""
        with torch.inference_mode():
            logits = self.model.module(images)
        heat = grad_cam(self.model.module, images, int(logits[0].argmax())).numpy()
        return ImageView(title, pixels, (), (HeatView("Grad-CAM", "grad-cam", heat),))

    def distance(self, picture: Path, images: int) -> None:
        """Nothing is told of distances."""


class _Attention:
    """Shows a model by its attention."""

    method: Literal["attention"] = "attention"

    def __init__(self, name: str, reader: _Reader, reduced: ReducedModel | None, shown: Shown) -> None:
        self._name, self._reader, self._shown = name, reader, shown
        self._distances: list[Tensor] = []
        self.reduced = reduced
        sites = reduced.sites if reduced else ()
        self.sites = tuple(ExplainedSite(site.block, site.tokens, reader.patches) for site in sites)

    def view(self, title: str, pixels: npt.NDArray[np.uint8], images: Tensor) -> ImageView:
        """What is drawn of one image, float32 [1, 3, h, w], with its pixels [h, w, 3]."""
        reading = self._reader.read(images, self._shown.layer, self._shown.head)
        self._distances.append(reading.distances)
        heats = [HeatView("attention rollout", "rollout", reading.rollout)]
        if reading.head is not None:
            which = "mean of its heads" if self._shown.head is None else f"head {self._shown.head}"
            heats.insert(0, HeatView(f"block {self._shown.layer}, {which}", "head", reading.head))
        sites = self._reader.sites(self.reduced, images) if self.reduced else ()
        return ImageView(title, self._reader.whole_patches(pixels), sites, tuple(heats))

    def distance(self, picture: Path, images: int) -> AttentionDistance:
        """Draws how far each head looked, as the mean over the images."""
        found = AttentionDistance(
            picture=str(picture),
            pixels=tuple(tuple(block) for block in torch.stack(self._distances).mean(dim=0).tolist()),
            uniform_pixels=self._reader.uniform_distance,
        )
        draw_distances(found, f"{self._name}, mean over {_count(images, 'image')}", picture)
        return found


class _Reading(NamedTuple):
    """What attention shows in one image."""

    rollout: npt.NDArray[np.float32]
    """See :class:`ImageView`."""
    distances: Tensor
    """In pixels, float32 [blocks, heads]."""
    head: npt.NDArray[np.float32] | None
    """Of one block and head, as ``rollout``; None unless it is asked for."""


class _Reader:
    """Reads the attention of a dense vision transformer, and where patches go in a reduced one."""

    def __init__(self, attention: AttentionReader) -> None:
        self._attention = attention
        self.grid, self.patch = attention.tokens.grid, attention.tokens.patch
        self.distances = maps.centre_distances(self.grid, self.patch)

    @property
    def patches(self) -> int:
        """Of an image."""
        return self.grid[0] * self.grid[1]

    @property
    def uniform_distance(self) -> float:
        """Mean distance in pixels of a head that attends to all patches alike."""
        return float(self.distances.mean())

    def whole_patches(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Cuts off pixels [h, w, 3] beyond the last whole patch, which the model never sees."""
        return pixels[: self.grid[0] * self.patch[0], : self.grid[1] * self.patch[1]]

    @torch.inference_mode()
    def read(self, images: Tensor, layer: int | None = None, head: int | None = None) -> _Reading:
        """Reads the attention in one image, float32 [1, 3, h, w]; of each block only what is needed is kept."""
        tokens = self._attention.tokens
        first, means, distances, chosen = tokens.prefix, [], [], None
        for number, attention in enumerate(self._attention.blocks(images), 1):
            means.append(attention.mean(dim=1))
            distances.append(maps.mean_distance(attention[:, :, first:, first:], self.distances)[0])
            if number == layer:
                chosen = self._over_patches(means[-1] if head is None else attention[:, head - 1])
        return _Reading(self._over_patches(maps.rollout(means)), torch.stack(distances), chosen)

    def _over_patches(self, flow: Tensor) -> npt.NDArray[np.float32]:
        """The share of each patch in what the head of the model reads, of attention or rollout [1, tokens, tokens]."""
        tokens = self._attention.tokens
        shares = maps.read_patches(flow, tokens.prefix, class_token=tokens.class_token)[0]
        return (shares / shares.sum()).reshape(self.grid).numpy()

    @torch.inference_mode()
    def check_head(self, images: Tensor, layer: int, head: int | None) -> None:
        """Refuses a layer or head that the model does not have.

        Raises:
            UsageError: says how many there are.
        """
        heads = [attention.shape[1] for attention in self._attention.blocks(images)]
        if not 1 <= layer <= len(heads):
            raise UsageError(f"--layer {layer}: the model has {len(heads)} blocks", f"give 1 to {len(heads)}")
        if head is not None and not 1 <= head <= heads[layer - 1]:
            raise UsageError(
                f"--head {head}: block {layer} has {heads[layer - 1]} heads", f"give 1 to {heads[layer - 1]}"
            )

    @torch.inference_mode()
    def sites(self, reduced: ReducedModel, images: Tensor) -> tuple[SiteView, ...]:
        """Finds where the patches of one image, float32 [1, 3, h, w], are after each site."""
        merges = any(reduction.merges for reduction, _ in reduced.decisions(images))
        found = []
        for site, sources in zip(reduced.sites, reduced.sources(images), strict=True):
            groups = maps.merged_groups(sources)
            if not merges:
                groups = groups.where(maps.kept_patches(sources), torch.full_like(groups, -1))
            found.append(SiteView(site.block, site.tokens, merges, groups[0].reshape(self.grid).numpy()))
        return tuple(found)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
