"""Training images, streamed: random views that are decoded by torch's DataLoader while a step is computed.

Each view depends on nothing but the seed, the epoch and the image. So a training that goes on after a stop, each of several
processes, and a cache of the teacher's predictions have the same ones.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edgevit.data.images import ImageSet, Samples, open_samples
from edgevit.data.prepared import prepare_one
from edgevit.distillation.augment import moved, to_float
from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import end_with
from edgevit.spec.spec import AugmentationSpec

MOST_IN_MEMORY = 64 << 20
"""Bytes of images that are decoded once, before they are moved at random; more are decoded whenever they are seen."""
_SMALL = 32
"""Pixels: of images up to this side crops leave too little."""
_ASPECT = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class Views:
    """Random views of a batch of images."""

    places: Tensor
    """int64 [b]: which image of the set each one is of."""
    pixels: Tensor
    """uint8, or float32 of arrays, [b, c, h, w]."""


View = tuple[int, int]
"""Epoch and place of an image in the set."""


class TrainingViews(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Views of the images of a set."""

    def __init__(self, samples: Samples, contract: Preprocessing, augmentation: AugmentationSpec, seed: int) -> None:
        """Opens the images.

        Args:
            samples: The images.
            contract: Size, channels and interpolation of the views; mean fills what a transform leaves empty.
            augmentation: How they vary.
            seed: Of all that is random.
        """
        self._images, self._contract, self._seed = open_samples(samples), contract, seed
        self._kind = kind_of(augmentation, contract)
        self._crop = _Crop(augmentation, contract) if self._kind == "crop" else None
        height, width = contract.input_size
        bytes_each = height * width * contract.channels * (4 if contract.input == "array" else 1)
        self._decoded: np.ndarray | None = None
        if self._crop is None and len(self._images) * bytes_each <= MOST_IN_MEMORY:
            self._decoded = self._prepared(range(len(self._images)))

    @property
    def in_memory(self) -> bool:
        """Whether the images are decoded already, so that views cost little."""
        return self._decoded is not None

    def __len__(self) -> int:
        return len(self._images)

    def __getitems__(self, views: Sequence[View]) -> tuple[np.ndarray, np.ndarray]:
        """Returns places and pixels of a batch, see :class:`Views`; arrays go from one process to another through a pipe.

        Raises:
            UsageError: an image cannot be read.
        """
        places = [place for _, place in views]
        if self._crop is not None:
            pixels = np.stack([self._cropped(self._crop, view) for view in views])
        else:
            pixels = self._prepared(places) if self._decoded is None else self._decoded[places]
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
            if self._kind == "affine":
                pixels = self._moved(pixels, views)
        return np.asarray(places, np.int64), pixels

    def _prepared(self, places: Sequence[int]) -> np.ndarray:
        names = self._images.ids
        return np.stack([prepare_one(self._images, names[place], self._contract) for place in places])

    def _moved(self, pixels: np.ndarray, views: Sequence[View]) -> np.ndarray:
        draws = [_draws(self._seed, epoch, len(self))[:, place] for epoch, place in views]
        found = moved(to_float(torch.from_numpy(pixels)), torch.stack(draws, dim=1))
        return (found.mul(255).round().byte() if pixels.dtype == np.uint8 else found).numpy()

    def _cropped(self, crop: _Crop, view: View) -> np.ndarray:
        return crop(self._images, self._images.ids[view[1]], seed_of(self._seed, *view))


def kind_of(augmentation: AugmentationSpec, contract: Preprocessing) -> str:
    """Returns "affine", "crop" or "none": what "auto" stands for with these images, or what is asked for."""
    if augmentation.views != "auto":
        return augmentation.views
    small = max(contract.input_size) <= _SMALL
    return "affine" if contract.input == "array" or contract.channels not in (1, 3) or small else "crop"


def check_augmentation(augmentation: AugmentationSpec, contract: Preprocessing) -> None:
    """Refuses an augmentation that the images cannot have.

    Args:
        augmentation: What is asked for.
        contract: Of the views.

    Raises:
        UsageError: crops of what is no grey or RGB image, or a RandAugment that timm does not have.
    """
    if kind_of(augmentation, contract) != "crop":
        return
    if contract.input == "array" or contract.channels not in (1, 3):
        raise UsageError(
            "distill.augmentation.views = crop is for grey and RGB images, and the model takes others",
            "give affine or none",
        )
    _Crop(augmentation, contract)


class _Crop:
    """timm's training transform, with all that is random drawn anew from the seed of a view."""

    def __init__(self, augmentation: AugmentationSpec, contract: Preprocessing) -> None:
        ensure_torchvision_schemas()
        from timm.data.auto_augment import posterize
        from timm.data.random_erasing import RandomErasing
        from timm.data.transforms_factory import transforms_imagenet_train

        colours = (contract.mean * 3)[:3]
        try:
            self._view = transforms_imagenet_train(
                contract.input_size,
                scale=(augmentation.least_area, 1.0),
                ratio=_ASPECT,
                hflip=augmentation.horizontal_flip,
                color_jitter=augmentation.color_jitter,
                auto_augment=augmentation.rand_augment,
                interpolation=contract.interpolation,
                mean=colours,
                use_prefetcher=True,
            )
        except (AssertionError, ValueError, KeyError) as error:  # timm does not know the text
            raise UsageError(
                f"distill.augmentation.rand_augment = {augmentation.rand_augment!r} is no RandAugment of timm",
                'such as "rand-m9-mstd0.5-inc1"',
            ) from error
        for step in self._view.transforms:
            for op in getattr(step, "ops", ()):
                if op.aug_fn is posterize:  # timm asks for 0 bits, which Pillow refuses since version 12
                    op.aug_fn = _posterize
        self._erase = RandomErasing(augmentation.random_erasing, device="cpu") if augmentation.random_erasing else None
        self._grey = contract.channels == 1

    def __call__(self, images: ImageSet, name: str, seed: int) -> np.ndarray:
        """Returns a view of an image, uint8 [c, h, w]."""
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        view: Tensor = self._view(images.image(name))
        if self._grey:
            view = _grey(view)
        if self._erase is not None:
            whole = self._erase(torch.ones(1, *view.shape[1:])).bool()
            view = torch.where(whole, view, torch.randint_like(view, 0, 256))
        return view.numpy()


def _posterize(image: Image.Image, bits_to_keep: int, **_: Any) -> Image.Image:
    return image if bits_to_keep >= 8 else ImageOps.posterize(image, max(1, bits_to_keep))


def _grey(view: Tensor) -> Tensor:
    """uint8 [3, h, w] to [1, h, w] by ITU-R 601-2, as Pillow does it."""
    shares = torch.tensor([299, 587, 114]).view(3, 1, 1)
    return (view.long() * shares).sum(dim=0, keepdim=True).add(500).div(1000, rounding_mode="floor").byte()


class Batches(Sampler[list[View]]):
    """The views of each step from one on, of this process alone: every epoch has all images once, in an order of its own."""

    def __init__(self, count: int, batch_size: int, epochs: int, seed: int, rank: int = 0, processes: int = 1) -> None:
        """Divides the images into steps.

        Args:
            count: Images.
            batch_size: Most images in one step, of all processes together.
            epochs: Times that each image is seen.
            seed: Of the order.
            rank: Of this process, 0 .. processes - 1.
            processes: Each has an equal part of a batch, to within one image.
        """
        self._count, self._epochs, self._seed, self._rank, self._processes = count, epochs, seed, rank, processes
        self.steps_per_epoch = -(-count // batch_size)
        self.first_step = 0
        """Where iteration begins."""

    def __len__(self) -> int:
        return self.steps_per_epoch * self._epochs - self.first_step

    def __iter__(self) -> Iterator[list[View]]:
        for step in range(self.first_step, self.steps_per_epoch * self._epochs):
            epoch, number = divmod(step, self.steps_per_epoch)
            order = _order(self._count, seed_of(self._seed, epoch))
            part = order.tensor_split(self.steps_per_epoch)[number].tensor_split(self._processes)[self._rank]
            yield [(epoch, place) for place in part.tolist()]

    def images_of(self, step: int) -> int:
        """Returns how many images a step has, of all processes together."""
        number = step % self.steps_per_epoch
        return self._count // self.steps_per_epoch + (number < self._count % self.steps_per_epoch)


@dataclass(frozen=True)
class TrainingData:
    """What each step of a training has."""

    views: TrainingViews
    batches: Batches
    labels: Tensor | None
    """int64 [n] of all images; None where they are not used."""
    workers: int
    """Processes that decode images; none are started for images in memory."""

    def views_from(self, step: int) -> Generator[Views, None, None]:
        """Yields the views of each step from one on.

        Raises:
            UsageError: an image cannot be read.
        """
        self.batches.first_step = step
        loader = DataLoader(
            _Told(self.views),
            batch_sampler=self.batches,
            num_workers=0 if self.views.in_memory else self.workers,
            collate_fn=_as_it_is,
            worker_init_fn=_begin_worker,
        )
        for found in loader:
            if isinstance(found, UsageError):
                raise found
            places, pixels = found
            yield Views(torch.from_numpy(places), torch.from_numpy(pixels))


class _Told(Dataset[Any]):
    """Views, or why there are none: an error of a worker would come with its traceback as message."""

    def __init__(self, views: TrainingViews) -> None:
        self._views = views

    def __getitems__(self, views: Sequence[View]) -> Any:
        try:
            return self._views.__getitems__(views)
        except UsageError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_worker(number: int) -> None:
    end_with(
        os.getppid()
    )  # or it would hold the pipes of a process that was killed, whose parent reads them to their end
    torch.set_num_threads(1)


@lru_cache(maxsize=2)
def _order(count: int, seed: int) -> Tensor:
    """Places 0 .. count - 1 in a random order, int64."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


@lru_cache(maxsize=2)
def _draws(seed: int, epoch: int, count: int) -> Tensor:
    """What :func:`edgevit.distillation.augment.moved` takes for each image in an epoch, [4, count]."""
    return torch.rand(4, count, generator=torch.Generator().manual_seed(seed_of(seed, epoch)))


def seed_of(*numbers: int) -> int:
    """Returns a seed of 32 bits, different for different numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
