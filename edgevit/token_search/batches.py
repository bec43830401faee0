"""Runs a PyTorch function over batches of images on all cores, one batch on each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

Answer = TypeVar("Answer")


def over_batches(function: Callable[[Tensor], Answer], batches: Iterable[Tensor]) -> Iterator[Answer]:
    """Yields what a function makes of each batch, in their order, without gradients.

    Each batch has one thread: PyTorch's own threads wait for each other in every op, which on busy cores takes longer
    than one of them alone.
    """

    def run(batch: Tensor) -> Answer:
        with torch.inference_mode():  # holds for the thread that enters it
            return function(batch)

    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=lambda: torch.set_num_threads(1)) as pool:
        yield from pool.map(run, batches)
