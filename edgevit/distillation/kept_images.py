"""How well a student does on images that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.data.prepared import PreparedImages
from edgevit.distillation.augment import to_float
from edgevit.distillation.distill_job import LabelledImages
from edgevit.distillation.processes import Group
from edgevit.distillation.training import Score
from edgevit.distillation.views import normalize, read_pixels
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import report_alive

_BATCH = 64
MOST_IN_MEMORY = 256 << 20
"""Bytes of images that are decoded once; more are decoded at each look."""


class Images:
    """Images as a model takes them, to be run over again and again."""

    def __init__(self, images: LabelledImages, contract: Preprocessing) -> None:
        self._images = PreparedImages(images.samples, contract)
        self._contract = contract
        height, width = contract.input_size
        bytes_each = height * width * contract.channels * (4 if contract.input == "array" else 1)
        self._keeps = len(images) * bytes_each <= MOST_IN_MEMORY
        self._pixels: list[Tensor] = []

    def logits(self, module: nn.Module, device: str) -> Tensor:
        """Returns what a model says to each image, float64 [n, classes] on the CPU; the model is in eval mode meanwhile.

        Args:
            module: float32 [b, c, h, w] to logits [b, classes].
            device: Where it is.

        Raises:
            UsageError: an image cannot be read.
        """
        mode = module.training
        module.eval()
        found: list[Tensor] = []
        with torch.no_grad():
            for number, pixels in enumerate(self._batches()):
                found.append(module(normalize(to_float(pixels.to(device)), self._contract)).cpu().double())
                if number:
                    report_alive(f"{number * _BATCH} of {len(self._images)} images evaluated")
        module.train(mode)
        return torch.cat(found)

    def _batches(self) -> Iterator[Tensor]:
        if self._pixels:
            yield from self._pixels
            return
        for first in range(0, len(self._images), _BATCH):
            pixels = read_pixels(self._images, range(first, min(first + _BATCH, len(self._images))))
            if self._keeps:
                self._pixels.append(pixels)
            yield pixels


class KeptImages:
    """Scores a student on the images kept apart: by their labels, or by how far it is from its teacher."""

    def __init__(
        self,
        student: nn.Module,
        images: LabelledImages,
        contract: Preprocessing,
        group: Group,
        teach: Callable[[LabelledImages], Tensor],
    ) -> None:
        """Divides the images among the processes.

        Args:
            student: On the device of the group.
            images: With labels to score by them.
            contract: Preprocessing of the student.
            group: The processes that train together.
            teach: Returns the logits of the teacher for images, float64 [n, classes]; called where there are no labels.
        """
        places = range(group.rank, len(images), group.size)
        ids, labels = images.samples.ids, images.labels
        mine = LabelledImages(
            type(images.samples)(images.samples.source, tuple(ids[place] for place in places)),
            None if labels is None else tuple(labels[place] for place in places),
        )
        self._student, self._group, self._count = student, group, len(images)
        self._images = Images(mine, contract)
        self._labels = None if mine.labels is None else torch.tensor(mine.labels)
        self._expected = teach(mine).log_softmax(dim=1) if mine.labels is None else None

    def score(self) -> Score:
        """Returns how bad the student is: the share of images not recognized, and the mean cross entropy in nats.

        Without labels it is the mean KL(teacher || student) alone, in nats.
        """
        logits = self._images.logits(self._student, self._group.device)
        if self._labels is not None:
            wrong = (logits.argmax(dim=1) != self._labels).double().sum()
            sums = torch.stack([wrong, F.cross_entropy(logits, self._labels, reduction="sum")])
        else:
            assert self._expected is not None
            sums = (self._expected.exp() * (self._expected - logits.log_softmax(dim=1))).sum().view(1)
        return tuple(self._group.sum(sums.float() if self._group.kind == "mps" else sums).div(self._count).tolist())
