"""How much a student answers like its teacher on the images kept apart."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from edgevit.data.prepared import PreparedImages
from edgevit.distillation.augment import random_crops, to_float
from edgevit.distillation.finetune_job import FinetuneJob
from edgevit.distillation.views import MOST_AT_ONCE, as_taken, read_pixels
from edgevit.model.program.trainable import Trainable

_LEAST_JUDGED = 240
"""Views of images kept apart at each look."""


class Judge:
    """Compares student and teacher on the images kept apart; where these are few, on random crops of them too.

    Over few images the mean changes by chance as much as by a tuning step, and the best of several steps would be the
    luckiest.
    """

    def __init__(self, teacher: Trainable, student: Trainable, job: FinetuneJob, pool: ThreadPoolExecutor) -> None:
        self._job, self._student, self._pool = job, student, pool
        self._crops = _crops_of(job.kept, math.ceil(_LEAST_JUDGED / len(job.kept)) - 1, job.settings.seed)
        self._expected = self._log_probabilities(teacher, job.kept)

    def divergence(self) -> float:
        """Returns the mean KL(teacher || student) in nats."""
        found = self._log_probabilities(self._student, self._job.kept_for_student)
        return float((self._expected.exp() * (self._expected - found)).sum(dim=1).mean())

    def _log_probabilities(self, model: Trainable, images: PreparedImages) -> Tensor:
        contract = images.preprocessing
        crops = [self._crops[first : first + MOST_AT_ONCE] for first in range(0, len(self._crops), MOST_AT_ONCE)]
        firsts = range(0, len(images), MOST_AT_ONCE)

        def answer(pixels: Tensor) -> Tensor:
            views = as_taken(to_float(pixels.to(self._job.settings.device)), contract)
            with torch.no_grad():  # holds for the thread that enters it
                return model(views).logits.cpu()

        def answer_from(first: int) -> Tensor:
            return answer(read_pixels(images, range(first, min(first + MOST_AT_ONCE, len(images)))))

        parts = [*self._pool.map(answer_from, firsts), *self._pool.map(answer, crops)]
        return torch.cat(parts).double().log_softmax(dim=1)


def _crops_of(images: PreparedImages, number: int, seed: int) -> Tensor:
    """So many random crops of each image, [n, c, h, w], the same ones for one seed: uint8, or float32 of arrays."""
    contract = images.preprocessing
    is_array = contract.input == "array"
    if number < 1:
        return torch.empty(0, contract.channels, *contract.input_size, dtype=torch.float32 if is_array else torch.uint8)
    torch.manual_seed(seed)
    pixels = read_pixels(images, range(len(images)))
    crops = torch.cat([random_crops(pixels) for _ in range(number)])
    return crops if is_array else crops.mul(255).round().byte()
