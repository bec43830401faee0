"""How a vision transformer reads an image, and what a token plan leaves of it, as pictures and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgevit.data.digits import load_split
from edgevit.data.image_files import read_image_file
from edgevit.data.images import ImageSet
from edgevit.data.output_place import check_output_place
from edgevit.data.preprocess import preprocess, resize_and_crop
from edgevit.data.sampling import check_images
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.model.program.outputs import unwrapped
from edgevit.pipeline.model_inputs import open_model
from edgevit.report.plots.explain import draw_distances, draw_image
from edgevit.results.explanation import (
    AttentionDistance,
    ExplainedImage,
    ExplainedSite,
    Explanation,
    ImageView,
    SiteView,
)
from edgevit.run.files import new_folder
from edgevit.run.progress import Progress
from edgevit.spec.input_file import MISSING, file_problem, require_file
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
_DIGITS: Final = "digits-"
"""Begins the ids of the bundled digits, which no file holds."""
_EXAMPLE_DIGIT: Final = "digits-0010"


def explain(
    spec: ModelSpec, images: Sequence[str], plan: TokenPlan | None, out: Path, progress: Progress, seed: int = 0
) -> Explanation:
    """Draws for each image what a token plan leaves of it and where attention goes, and how far each head looks.

    Attention is that of the dense model.

    Args:
        spec: A plain vision transformer.
        images: Image files, or ids of the digits' test images; at least one.
        plan: What to show; None for attention alone.
        out: Folder for the pictures; of what it holds, pictures of the same names are replaced.
        progress: Progress callback.
        seed: Of random weights.

    Raises:
        UsageError: an image cannot be read or would be overwritten, the model or its weights cannot be loaded, it is no
            plain vision transformer, it cannot carry out the plan, or ``out`` cannot be made; nothing was written.
    """
    check_output_place(out)
    opened = open_given(images)
    pictures = _pictures(opened, out)
    model = open_model(spec, seed)
    for note in model.notes:
        progress.message(note)
    reader = _open(model)
    size = model.preprocessing.input_size
    reduced = with_fewer_tokens(unwrapped(model.module), plan, "gather", size) if plan else None
    takes = model.preprocessing
    if takes.input == "array" or takes.channels != 3:
        raise UsageError(
            f"{model.name} does not take RGB images, on which attention is drawn", "give a model that does"
        )
    check_images(opened, model.num_classes, takes, lambda done, total: progress.stage("check images", done, total))
    with _made(out):
        if model.random_weights:
            progress.message(f"warning: {model.name} has random weights; what it attends to means nothing")
        distances = []
        for done, (image, picture) in enumerate(pictures.items()):
            progress.stage("draw images", done, len(pictures))
            pixels = resize_and_crop(opened.image(image), model.preprocessing)
            batch = torch.from_numpy(preprocess(opened.image(image), model.preprocessing)[None])
            reading = reader.read(batch)
            sites = reader.sites(reduced, batch) if reduced else ()
            title = f"{Path(image).name} in {model.name}" + (f", {plan}" if plan else "")
            draw_image(ImageView(title, reader.whole_patches(pixels), sites, reading.rollout), picture)
            distances.append(reading.distances)
        progress.stage("draw images", len(pictures), len(pictures))
        found = AttentionDistance(
            picture=str(out / DISTANCES),
            pixels=tuple(tuple(block) for block in torch.stack(distances).mean(dim=0).tolist()),
            uniform_pixels=reader.uniform_distance,
        )
        draw_distances(found, f"{model.name}, mean over {_count(len(pictures), 'image')}", out / DISTANCES)
    return Explanation(
        edgevit_version=__version__,
        model=model.name,
        random_weights=model.random_weights,
        tokens=str(plan) if plan else None,
        sites=tuple(ExplainedSite(site.block, site.tokens, reader.patches) for site in reduced.sites)
        if reduced
        else (),
        images=tuple(ExplainedImage(image, str(picture)) for image, picture in pictures.items()),
        attention_distance=found,
    )


def open_given(images: Sequence[str]) -> ImageSet:
    """Opens images that a user named one by one, without decoding any.

    Args:
        images: Files, or ids of the digits' test images; a file goes before an id.

    Raises:
        UsageError: one is no file and no such id, or is given twice.
    """
    digits: dict[str, np.ndarray] = {}
    for image in images:
        path = Path(image)
        if images.count(image) > 1:
            raise UsageError(f"image {image} is given twice", "give it once")
        if path.is_dir():
            raise UsageError(f"{image} is a folder, not an image", f"name the images in it, such as {path / '*.jpg'}")
        problem = file_problem(path)
        if problem is None:
            continue
        if problem != MISSING:
            raise UsageError(f"cannot read image {image}: {problem}", "give image files that may be read")
        if image.startswith(_DIGITS) and not digits:
            split = load_split("test")
            digits = dict(zip(split.ids, split.images, strict=True))
        if image not in digits:
            require_file(path, "image", f"give image files, or the bundled digits by id, such as {_EXAMPLE_DIGIT}")

    def stored(image: str) -> bytes | np.ndarray:
        path = Path(image)
        return read_image_file(path) if file_problem(path) is None else digits[image]

    return ImageSet("images", tuple(images), None, stored)


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


def _open(model: Model) -> _Reader:
    """Opens the attention of a model.

    Raises:
        UsageError: it cannot be read and laid over the image.
    """
    height, width = model.preprocessing.input_size
    try:
        reader = _Reader(open_attention(unwrapped(model.module), (height, width)))
    except UsageError as error:
        raise UsageError(
            f"cannot explain {model.name}: {error.message}",
            "give an encoder, such as digits_vit, a ViT or DeiT of timm, or torchvision's vit_b_16",
        ) from error
    grid, patch = reader.grid, reader.patch
    if (height // patch[0], width // patch[1]) != grid:
        raise UsageError(
            f"cannot explain {model.name} at {height} x {width} pixels: its {grid[0]} x {grid[1]} patches are for"
            " another size",
            "leave out model.preprocessing.input_size",
        )
    return reader


@contextmanager
def _made(out: Path) -> Iterator[None]:
    """Makes the folder for the pictures, see :func:`edgevit.run.files.new_folder`."""
    with ExitStack() as stack:
        try:
            stack.enter_context(new_folder(out))
        except OSError as error:
            raise UsageError(f"cannot make the folder {out}: {error.strerror}", "choose another --out") from error
        yield


class _Reading(NamedTuple):
    """What attention shows in one image."""

    rollout: npt.NDArray[np.float32]
    """See :class:`ImageView`."""
    distances: Tensor
    """In pixels, float32 [blocks, heads]."""


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
    def read(self, images: Tensor) -> _Reading:
        """Reads the attention in one image, float32 [1, 3, h, w]; of each block only what is needed is kept."""
        tokens = self._attention.tokens
        first, means, distances = tokens.prefix, [], []
        for attention in self._attention.blocks(images):
            means.append(attention.mean(dim=1))
            distances.append(maps.mean_distance(attention[:, :, first:, first:], self.distances)[0])
        shares = maps.read_patches(maps.rollout(means), first, class_token=tokens.class_token)[0]
        return _Reading((shares / shares.sum()).reshape(self.grid).numpy(), torch.stack(distances))

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
